"""Our screening beside GuardDog's, on one unpacked tree in one run. From the project's root, after `cargo build --release`
and `python3 bench/screen-benign/screen_benign.py target/screen-benign` (which fetches Django's sdist):

    python3 -m venv target/guarddog && target/guarddog/bin/pip install guarddog==3.2.0
    target/guarddog/bin/python bench/peers/guarddog.py

GuardDog's rules over the source are all run; those that ask a registry or a name server about a package are not its scan of
a folder. Both are given the same folder, alternately, and both may use both processors.
"""
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path

OURS = Path("target/release/countersign").resolve()
THEIRS = Path(sys.executable).with_name("guarddog")
SDIST = Path("target/screen-benign/django-6.1.3.tar.gz")
RUNS = 3


def timed(command, codes):
    started = time.perf_counter()
    done = subprocess.run([str(a) for a in command], capture_output=True, text=True)
    took = time.perf_counter() - started
    assert done.returncode in codes, (command, done.returncode, done.stderr[-2000:])
    return took, done.stdout


def main():
    with tempfile.TemporaryDirectory(prefix="peers-") as work:
        with tarfile.open(SDIST) as archive:
            archive.extractall(work, filter="data")
        (tree,) = Path(work).iterdir()
        ours, theirs = [], []
        for _ in range(RUNS):
            took, answer = timed([OURS, "screen", tree, "--json"], (0, 3, 11))
            assert '"findings"' in answer
            ours.append(took)
            took, answer = timed([THEIRS, "pypi", "scan", tree, "--no-sandbox", "--output-format", "json"], (0,))
            assert '"errors"' in answer or '"results"' in answer, answer[:500]
            theirs.append(took)
        a, b = statistics.median(ours), statistics.median(theirs)
        print(f"countersign {a:.2f} s, GuardDog {b:.2f} s, medians of {RUNS}; {b / a:.1f} times as fast")


if __name__ == "__main__":
    main()
