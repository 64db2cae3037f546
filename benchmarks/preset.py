"""A preset from pictures to pushed model: time, memory and figures, by seed.

Run: python -m benchmarks.preset fashion-mnist [--images DIR] [--seeds 0 1 2] [--set model.latent_dim=2]
Data sets known by name are found as `darkroom run --dataset` finds them; for others give --images.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def run(preset: str, images: str | None, overrides: list[str], seed: int) -> dict[str, float]:
    """One run in a work folder of its own: seconds, peak memory in GiB, and the verdict's figures."""
    with tempfile.TemporaryDirectory() as work:
        source = ["--images", images, "--config", preset] if images else ["--dataset", preset]
        settings = [part for override in [*overrides, f"training.seed={seed}"] for part in ("--set", override)]
        begin = time.perf_counter()
        process = subprocess.Popen([sys.executable, "local_runner.py", *source, "--work", work, *settings])
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - begin
        paths = list(Path(work).glob("runs/*/verdict.json"))
        if not paths:
            raise SystemExit(f"benchmark: {preset} did not run; give its pictures by --images")
        (path,) = paths
        verdict = json.loads(path.read_text())
        training = next(c["seconds"] for c in verdict["components"] if c["name"] == "Trainer")
        result = {"status": os.waitstatus_to_exitcode(status), "seconds": seconds, "trainer seconds": training}
        return {**result, "GiB": usage.ru_maxrss / 2**20, **verdict["figures"]}


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("preset")
    parser.add_argument("--images")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--set", dest="overrides", action="append", default=[])
    arguments = parser.parse_args()
    rows = [run(arguments.preset, arguments.images, arguments.overrides, seed) for seed in arguments.seeds]
    names = list(rows[0])
    print(f"\nHeld-out pictures, nats per picture; {arguments.preset} {' '.join(arguments.overrides)}\n")
    print(f"| seed | {' | '.join(names)} |\n|{'---|' * (len(names) + 1)}")
    for seed, row in zip(arguments.seeds, rows):
        print(f"| {seed} | {' | '.join(f'{row[name]:.2f}' for name in names)} |")
    if len(rows) > 1:
        print(f"| median | {' | '.join(f'{statistics.median(row[name] for row in rows):.2f}' for name in names)} |")


if __name__ == "__main__":
    main()
