import base64 as b

PARTS = ["cHJpbnQo", "J2luZXJ0Jyk="]
eval(compile(b.b64decode("".join(PARTS)), "x", "exec"))
