"""Compare the time of an unchanged run with that of the imports alone, which every run needs.

Run: python -m benchmarks.start [--rounds 3]
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time

IMPORTS = "import tensorflow, apache_beam, tfx.components, tensorflow_model_analysis"


def seconds(*command: str) -> float:
    """Return the duration of a command."""
    begin = time.perf_counter()
    subprocess.run([sys.executable, *command], check=True, capture_output=True)
    return time.perf_counter() - begin


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as work:
        run = ("local_runner.py", "--work", work)
        first = seconds(*run)
        pairs = [(seconds(*run), seconds("-c", IMPORTS)) for _ in range(arguments.rounds)]
    cached, bare = (statistics.median(side) for side in zip(*pairs))
    ratio = statistics.median(run / imports for run, imports in pairs)
    print("| first run, s | unchanged run, s (median) | bare imports, s (median) | ratio |\n|---|---|---|---|")
    print(f"| {first:.1f} | {cached:.1f} | {bare:.1f} | {ratio:.2f} |")


if __name__ == "__main__":
    main()
