import jinja2
import requests

PAGE = requests.get("https://pages.themes.invalid/report.html").text
print(jinja2.Environment().from_string(PAGE).render(rows=[]))
