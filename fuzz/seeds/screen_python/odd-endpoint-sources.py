import requests

SOURCES = [
    "https://api.coinbase.com/v2/prices/BTC-USD/spot",
    "https://api.kraken.com/0/public/Ticker",
    "https://api.gemini.com/v1/pubticker/btcusd",
    "https://api.bitfinex.com/v1/pubticker/btcusd",
    "http://203.0.113.7:8085/api/v1",
]


def prices():
    return [requests.get(url, timeout=5).json() for url in SOURCES]
