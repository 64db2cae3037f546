"""Run a preset from pictures to a pushed model, and print time, memory and metrics by seed.

Run: python -m benchmarks.preset fashion-mnist [--images DIR] [--seeds 0 1 2] [--set model.latent_dim=2]
Named data sets are found as in `darkroom run --dataset`; for others give --images.
"""

from __future__ import annotations

import argparse
import statistics

from benchmarks.runs import run


def figures(preset: str, images: str | None, overrides: list[str], seed: int) -> dict[str, float]:
    """Do one run, and return seconds, peak memory in GiB, and the metrics of the verdict."""
    done = run(preset, images, [*overrides, f"training.seed={seed}"])
    costs = {"status": done["status"], "seconds": done["seconds"], "trainer seconds": done["trainer_seconds"], "GiB": done["gib"]}
    return {**costs, **done["verdict"]["figures"]}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("preset")
    parser.add_argument("--images")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--set", dest="overrides", action="append", default=[])
    arguments = parser.parse_args()
    rows = [figures(arguments.preset, arguments.images, arguments.overrides, seed) for seed in arguments.seeds]
    names = list(rows[0])
    print(f"\nHeld-out pictures, nats per picture; {arguments.preset} {' '.join(arguments.overrides)}\n")
    print(f"| seed | {' | '.join(names)} |\n|{'---|' * (len(names) + 1)}")
    for seed, row in zip(arguments.seeds, rows):
        print(f"| {seed} | {' | '.join(f'{row[name]:.2f}' for name in names)} |")
    if len(rows) > 1:
        spread = " | ".join(f"{statistics.stdev(row[name] for row in rows):.2f}" for name in names)
        print(f"| standard deviation | {spread} |")
        print(f"| median | {' | '.join(f'{statistics.median(row[name] for row in rows):.2f}' for name in names)} |")


if __name__ == "__main__":
    main()
