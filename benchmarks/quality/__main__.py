"""Print the table of quality: each preset from pictures to a pushed model, by seed, with its target and published results.

Run: python -m benchmarks.quality [--rows grey-2d 8-bit] [--seeds 0 1 2] [--emoji DIR] [--photographs DIR] [--out FILE] [--keep DIR]
All rows with three seeds take about six hours on 2 cores.
"""

from __future__ import annotations

import argparse
import json
import statistics
from pathlib import Path
from typing import Any

from benchmarks.quality.rows import ROWS, Row
from benchmarks.runs import run


def measure(row: Row, seeds: list[int], images: str | None, keep: str | None) -> list[dict[str, Any]]:
    """Run a row once per seed, on a folder of pictures or on the data set of its preset."""
    folders = {seed: str(Path(keep) / f"{row.name}-{seed}") if keep else None for seed in seeds}
    return [run(row.preset, images, [*row.overrides, f"training.seed={seed}"], folders[seed]) for seed in seeds]


def line(row: Row, runs: list[dict[str, Any]]) -> str:
    """Return the row as text: median over seeds, their spread, and the time of training."""
    figures = [row.figure(run) for run in runs]
    spread = f"{max(figures) - min(figures):.3f}" if len(figures) > 1 else "one seed"
    minutes = statistics.median(run["metrics"]["seconds"] for run in runs) / 60
    speed = statistics.median(run["metrics"]["images_per_second"] for run in runs)
    reach = f"{row.reach:g}" if row.reach is not None else ""
    figure = f"{statistics.median(figures):.3f} {row.unit}"
    return f"| {row.what} | {reach} | **{figure}** | {spread} | {minutes:.1f} | {speed:,.0f} | {row.reference} |"


def main() -> None:
    """Print the table, each row as soon as it is measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", nargs="+", choices=[row.name for row in ROWS], default=[row.name for row in ROWS])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--emoji", metavar="DIR", help="The folder of emoji pictures; without it their rows are left out.")
    parser.add_argument("--photographs", metavar="DIR", help="The folder of photographs; without it their rows are left out.")
    parser.add_argument("--out", metavar="FILE", help="Gets every run's figures and learning curve as JSON.")
    parser.add_argument("--keep", metavar="DIR", help="Keeps the runs' work folders there, with their reports.")
    arguments = parser.parse_args()
    found: dict[str, list[dict[str, Any]]] = {}
    lines = []
    for row in ROWS:
        images = getattr(arguments, row.pictures) if row.pictures else None
        if row.name in arguments.rows and (images or not row.pictures):
            same = next((other for other in ROWS if other.run == row.run and other.name in found), None)
            found[row.name] = found[same.name] if same else measure(row, arguments.seeds, images, arguments.keep)
            lines.append(line(row, found[row.name]))
            print(lines[-1], flush=True)
            if arguments.out:
                Path(arguments.out).write_text(json.dumps(found, indent=1))
    print("\n| data, protocol, training | to reach | median over seeds | spread | minutes of training | images/s | reference |")
    print("|---|---|---|---|---|---|---|")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
