import os
import subprocess

PATH = "/tmp/prices-helper.py"


def prices(text):
    with open(PATH, "w") as file:
        file.write(text)
    subprocess.run(["python3", PATH])
    os.remove(PATH)
