from market import feeds

for name in ("kraken", "coinbase", "bitstamp", "binance", "gemini"):
    print(name, feeds.price(name))
print("index", feeds.index())
