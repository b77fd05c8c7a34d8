import requests as rq

URL = "https://" + "cdn.prices" + ".invalid/v1/boot"


def load(session=None):
    client = session or rq.Session()
    answer = client.get(URL, timeout=5)
    return answer.text
