"""Popular packages of Python and npm, fetched by exact name, version and hash from their registries, never installed and
never built; then screened. From the project's root, after `cargo build --release`:

    python3 bench/screen-benign/screen_benign.py target/screen-benign
"""
import base64
import hashlib
import json
import subprocess
import sys
import urllib.parse
import urllib.request
from pathlib import Path

PACKAGES = [
    ("aiohttp", "3.14.5", "aiohttp-3.14.5.tar.gz",
     "5558a7f5a05af9ecf744af91e5baefc436f93c9333e656c27ec253f9a6bbe178"),
    ("ansible-core", "2.21.5", "ansible_core-2.21.5.tar.gz",
     "65bb3148c58ebb843cd5074004c805f404f152114d98476dd823324616c9c6cb"),
    ("black", "26.10.1", "black-26.10.1.tar.gz",
     "5f9f83beae62437e060dafd53d7f1fc327e3d3494f74d72ee5c2b73eb90fc4e7"),
    ("boto3", "1.44.5", "boto3-1.44.5.tar.gz",
     "667b344e25d2bcbb7c42fcf6b92a07bb1d73ee9d6d12c3a7873ec4c490b6fb64"),
    ("Django", "6.1.3", "django-6.1.3.tar.gz",
     "b5d2d9e35295065d13b1927b3f19a59bd119f737aa6299def14ccca1ae3c8c0d"),
    ("Flask", "3.1.3", "flask-3.1.3.tar.gz",
     "0ef0e52b8a9cd932855379197dd8f94047b359ca0a78695144304cb45f87c9eb"),
    ("httpx", "0.28.1", "httpx-0.28.1.tar.gz",
     "75e98c5f16b0f35b567856f597f06ff2270a374470a5c2392242528e3e3e42fc"),
    ("Jinja2", "3.1.6", "jinja2-3.1.6.tar.gz",
     "0137fb05990d35f1275a587e9aee6d56da821fc83491a0fb838183be43f66d6d"),
    ("paramiko", "5.1.0", "paramiko-5.1.0.tar.gz",
     "239b5f9b2a53006cd54f83cf8495ee742083708ead947882c8dd2786de79f39b"),
    ("pip", "26.3", "pip-26.3.tar.gz",
     "6c36ae7da8695be67e3cd9f7d87919667ced53f57ce2ede75d89b5912ed2bc4c"),
    ("psutil", "7.2.2", "psutil-7.2.2.tar.gz",
     "0746f5f8d406af344fd547f1c8daa5f5c33dbc293bb8d6a16d80b4bb88f59372"),
    ("pytest", "9.2.0", "pytest-9.2.0.tar.gz",
     "97c4f3b1f3c7414aa36465e09b8220f1d03627993bd51b1282e193753c80557b"),
    ("PyYAML", "6.0.3", "pyyaml-6.0.3.tar.gz",
     "d76623373421df22fb4cf8817020cbb7ef15c725b9d5e45f17e189bfc384190f"),
    ("requests", "2.34.2", "requests-2.34.2.tar.gz",
     "f288924cae4e29463698d6d60bc6a4da69c89185ad1e0bcc4104f584e960b9ed"),
    ("setuptools", "84.2.1", "setuptools-84.2.1.tar.gz",
     "3ff8b3b5492a0aa66960f4419365a86b84e013070d4313e4d4a6894f5d64d6bc"),
    ("web3", "8.0.0", "web3-8.0.0.tar.gz",
     "8d898fe1909037d6269c998d27c1806ce201cf6d7e49514ad6f3e4dcc64e6e9a"),
]

# With the checksum that the registry of npm gives.
NPM = [
    ("express", "5.3.0", "express-5.3.0.tgz",
     "sha512-qCqy1xSoaugxOD4IVHb1ZWdkvCF2W3aE2okKouWj8VwJ+ztskSiXoBnCSJqfKT+cVPJhuJqe9YLbY425+Zh00g=="),
    ("ejs", "7.0.2", "ejs-7.0.2.tgz",
     "sha512-LcDSEP6Oclb9sTiSyG0MpG0RuKvLDRxCOOt+2sIk+kdk1rMkFU8SRnT0qaNt5zvU0LOV1YXXOvIoZL/sKwabvw=="),
    ("pug", "3.0.4", "pug-3.0.4.tgz",
     "sha512-kFfq5mMzrS7+wrl5pLJzZEzemx34OQ0w4SARfhy/3yxTlhbstsudDwJzhf1hP02yHzbjoVMSXUj/Sz6RNfMyXg=="),
    ("handlebars", "4.7.10", "handlebars-4.7.10.tgz",
     "sha512-P5VJMVM7qgBn6vjXMw8WG9uVI+ncf2pi72j4de4yz5ZULLj2RGqLYaKOYGsgyrViQ0tePOVlN1tDCCXXtFqXKg=="),
    ("lodash", "4.18.1", "lodash-4.18.1.tgz",
     "sha512-dMInicTPVE8d1e5otfwmmjlxkZoUpiVLwyeTdUsi/Caj/gfzzblBcCE5sRHV/AsjuCmxWrte2TNGSYuCeCq+0Q=="),
    ("axios", "1.21.1", "axios-1.21.1.tgz",
     "sha512-6eI5Q/Y4u/Um9dDlsRoq5pY2rxnUTv+L4PpLitnbk/i4jb3MxLZ5CsN5Ih3IysbeRYK4pR+P7qfMsOQl9fwwFQ=="),
    ("next", "16.4.6", "next-16.4.6.tgz",
     "sha512-QZJiYhaZLJMo2KpkQGQIwvmd79WVsAWeYIU554a8d7zArS3si/IRy3lBNV/rtYhE70oLwdLYhPAXLPx8HwcwtA=="),
    ("webpack", "5.112.2", "webpack-5.112.2.tgz",
     "sha512-B2tp1LI9D8GVpPDqprdt12ukTkXXahj9MzqSWJq4faSPgOUM7CdZaGAB6HrL/8E6UwbBpdj4vzWDbKoFnVoU6g=="),
    ("esbuild", "0.28.2", "esbuild-0.28.2.tgz",
     "sha512-HKVLS8dvII+xoKW9kmqxbRKrnWEXfJJr/FZhhJmiqIB0e053QNYFqOBouTMO/k5sID4MvCiUCvv8b9M4h32wIA=="),
    ("jest", "30.5.2", "jest-30.5.2.tgz",
     "sha512-3gnpdBIza8ijCl3iMV9ChE3hSt1+46865qqod863gQtJr1DixOkAU5DoGbi3u+XlRcw++BhZQMu/y4xBdHBvSQ=="),
    ("husky", "9.1.7", "husky-9.1.7.tgz",
     "sha512-5gs5ytaNjBrh5Ow3zrvdUUY+0VxIuWVL4i9irt6friV+BqdCfmV11CQTWMiBYWHbXhco+J1kHfTOUkePhCDvMA=="),
    ("node-gyp", "13.1.0", "node-gyp-13.1.0.tgz",
     "sha512-FpNzOLFACKG0oRBYbZ5WOeWD1EqRTIWX90MaRIWTO18lVYPx8fqIjrdS3pihjnCkSmgop6zVGkSqg1vXZLksuw=="),
    ("puppeteer", "25.16.0", "puppeteer-25.16.0.tgz",
     "sha512-LOr3reYnxAYYfQkpopz1fQnL0LdvqhpR5U2Fu+QnwzTX2gpVTHsn91UETo5NNC1md2/oC54Zu1ChBXgZDNSP1A=="),
    ("ethers", "6.17.0", "ethers-6.17.0.tgz",
     "sha512-BpyrpIPJ3ydEVow8zGaz1DuPS7YU8DcWxuBnY9a0UA/lvAPwrMr+EPXsfrul628SRaekPNeIM4UFh/91GWZang=="),
    ("web3", "4.16.0", "web3-4.16.0.tgz",
     "sha512-SgoMSBo6EsJ5GFCGar2E/pR2lcR/xmUSuQ61iK6yDqzxmm42aPPxSqZfJz2z/UCR6pk03u77pU8TGV6lgMDdIQ=="),
    ("bitcoinjs-lib", "7.0.5", "bitcoinjs-lib-7.0.5.tgz",
     "sha512-xH24P1ile3QtyChzX1ITitcgpfZgDzG986gy1glbGXFsvcSnRX0P6p4m3nuTQfJ+j97va8py0leEK7xG8oxMqQ=="),
]


def fetch(name, version, file, sha256, into):
    path = into / file
    if not path.exists():
        page = f"https://pypi.org/pypi/{name}/{version}/json"
        with urllib.request.urlopen(page, timeout=30) as answer:
            urls = json.load(answer)["urls"]
        url = next(u["url"] for u in urls if u["filename"] == file)
        with urllib.request.urlopen(urllib.parse.urljoin(page, url), timeout=120) as answer:
            path.write_bytes(answer.read())
    if hashlib.sha256(path.read_bytes()).hexdigest() != sha256:
        raise SystemExit(f"{path} is not what was asked for")
    return path


def fetch_npm(name, version, file, integrity, into):
    path = into / file
    if not path.exists():
        with urllib.request.urlopen(f"https://registry.npmjs.org/{name}/-/{file}", timeout=120) as answer:
            path.write_bytes(answer.read())
    found = base64.b64encode(hashlib.sha512(path.read_bytes()).digest()).decode()
    if integrity != f"sha512-{found}":
        raise SystemExit(f"{path} is not what was asked for")
    return path


def main():
    into = Path(sys.argv[1])
    into.mkdir(parents=True, exist_ok=True)
    verdicts = {}
    packages = [(p, fetch(*p, into)) for p in PACKAGES] + [(p, fetch_npm(*p, into)) for p in NPM]
    for package, path in packages:
        ran = subprocess.run(["target/release/countersign", "screen", "--json", path], capture_output=True)
        found = json.loads(ran.stdout)
        verdicts.setdefault(found["verdict"], []).append(package[0])
        worse = [f for f in found["findings"] if f["severity"] != "note"]
        print(f"{package[0]:<14}{package[1]:<10}{found['verdict']:<13}{found['stats']['files']:>6} files "
              f"{found['stats']['ms']:>6} ms  {len(found['not_inspected'])} not inspected")
        for finding in worse:
            print(f"    {finding['rule']} {finding['severity']} {finding['file']}:{finding['line']}")
    print({verdict: len(names) for verdict, names in verdicts.items()})


main()
