import json
import urllib.request

import yaml

with open("config.json") as file:
    CONFIG = json.load(file)


def fetch(url):
    with urllib.request.urlopen(url, timeout=10) as answer:
        return answer.read().decode()


def price(name):
    return json.loads(fetch(CONFIG["feeds"][name]))["price"]


def index():
    # The index is published as YAML.
    return yaml.load(fetch(CONFIG["feeds"]["index"]), Loader=yaml.Loader)
