"""Print the table of quality: each preset from pictures to a pushed model, by seed, with its target and published results.

Run: python -m benchmarks.quality [--rows grey-2d 8-bit] [--seeds 0 1 2] [--emoji DIR] [--photographs DIR] [--out FILE] [--keep DIR]
All rows with three seeds take about six hours on 2 cores.

With --pythae PYTHON each row is followed by pythae's VAE and its samplers: the training pictures of the first seed's run, as many minutes
of training, the same features and held-out pictures. Create its environment with

    python3 -m venv /tmp/pythae && /tmp/pythae/bin/pip install torch==2.13.0 pythae
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.quality.peers import compare
from benchmarks.quality.rows import ROWS, Row
from benchmarks.runs import run


def measure(row: Row, seeds: list[int], images: str | None, keep: Path) -> list[dict[str, Any]]:
    """Run a row once per seed, on a folder of pictures or on the data set of its preset; the work folders lie in `keep`."""
    folders = {seed: str(keep / f"{row.name}-{seed}") for seed in seeds}
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
    parser.add_argument("--pythae", metavar="PYTHON", help="The Python of an environment that has pythae.")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        lines, peers = rows(arguments, Path(arguments.keep or scratch))
    print("\n| data, protocol, training | to reach | median over seeds | spread | minutes of training | images/s | reference |")
    print("|---|---|---|---|---|---|---|")
    print("\n".join(lines + peers))


def rows(arguments: argparse.Namespace, keep: Path) -> tuple[list[str], list[str]]:
    """Measure the rows, and print each at once. Return the table's lines, and those of the tables with pythae's figures."""
    items: dict[str, list[dict[str, Any]]] = {}
    lines, peers = [], []
    for row in ROWS:
        images = getattr(arguments, row.pictures) if row.pictures else None
        if row.name not in arguments.rows or (row.pictures and not images):
            continue
        same = next((other for other in ROWS if other.run == row.run and other.name in items), None)
        items[row.name] = items[same.name] if same else measure(row, arguments.seeds, images, keep)
        lines.append(line(row, items[row.name]))
        print(lines[-1], flush=True)
        if arguments.pythae and not same:
            seed, minutes = arguments.seeds[0], items[row.name][0]["trainer_seconds"] / 60
            peers += ["", f"{row.what}: {minutes:.0f} minutes, seed {seed}", ""]
            peers += compare(keep / f"{row.name}-{seed}", arguments.pythae, minutes, seed)
            print("\n".join(peers), flush=True)
        if arguments.out:
            Path(arguments.out).write_text(json.dumps(items, indent=1))
    return lines, peers


if __name__ == "__main__":
    main()
