"""Ingestion beside a plain loop that reads, decodes, takes statistics and writes TFRecords; and how it grows.

Run: python -m benchmarks.ingestion [--rows png idx jpeg growth listing statistics] [--rounds 3] [--largest 700000]

`growth` reads three numbers of pictures up to the largest, each ten times the one before, as PNG files and from an IDX file;
`statistics` runs TFDV over what came of the latter. Each measurement is a process of its own, timed after its imports.
"""

from __future__ import annotations

import argparse
import json
import math
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from benchmarks.ingestion import pictures

PAIRS = {  # how the pictures are made, how many, the side compared with, the ratio to reach
    "png": (pictures.write_pngs, 60_000, "plain_files", 1.6),
    "idx": (pictures.write_idx_file, 60_000, "plain_idx", 5.0),
    "jpeg": (pictures.write_photographs, 300, "plain_files", 1.8),
}
GROWTH = {"png": pictures.write_pngs, "idx": pictures.write_idx_file}


def measure(side: str, images: Path, keep: Path | None = None) -> dict[str, float]:
    """Runs a side in a process of its own: seconds and mebibytes."""
    with tempfile.TemporaryDirectory(dir=images.parent) as scratch:
        command = [sys.executable, "-W", "ignore", "-m", "benchmarks.ingestion.side", side, str(images), str(keep or scratch)]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"benchmark: {side} failed: {done.stderr.strip()[-800:]}")
        return json.loads(done.stdout.splitlines()[-1])


def say(text: str) -> None:
    """A line of the table, at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def pair(name: str, folder: Path, rounds: int) -> None:
    """Ours and the plain loop by turns."""
    write, count, other, wanted = PAIRS[name]
    images = folder / name
    write(images, count)
    times: dict[str, list[float]] = {"ours": [], other: []}
    for _ in range(rounds):
        for side, found in times.items():
            found.append(measure(side, images)["seconds"])
    ratios = [plain / ours for ours, plain in zip(times["ours"], times[other])]
    each = ", ".join(f"{ratio:.2f}" for ratio in ratios)
    rates = [f"{count / statistics.median(found):,.0f}" for found in (times["ours"], times[other])]
    say(f"| {name}, {count:,} pictures | {rates[0]} | {rates[1]} | {statistics.median(ratios):.2f} ({each}) | {wanted} |")
    shutil.rmtree(images)


def growth(side: str, images: dict[int, Path], keep: bool = False) -> dict[int, Path]:
    """Time and memory of a side at several sizes; gives where the examples are, if they are kept."""
    found, kept = {}, {}
    for count, folder in images.items():
        if keep:
            kept[count] = folder.with_name(f"{folder.name}-examples")
        found[count] = measure(side, folder, kept.get(count))
        say(f"| {side}, {folder.name} | {found[count]['seconds']:.2f} s | {found[count]['mebibytes']:,.0f} MiB |")
    (least, first), *_, (most, last) = sorted(found.items())
    exponent = math.log(last["seconds"] / first["seconds"]) / math.log(most / least)
    memory = last["mebibytes"] / first["mebibytes"] - 1
    say(f"| {side}: time grows with the power | {exponent:.3f} | memory by {memory:.1%} |")
    return kept


def written(name: str, write: Callable[[Path, int], None], folder: Path, largest: int) -> dict[int, Path]:
    """Pictures in three numbers, each ten times the one before."""
    folders = {count: folder / f"{name}-{count}" for count in (largest // 100, largest // 10, largest)}
    for count, images in folders.items():
        write(images, count)
    return folders


def main() -> None:
    """Prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    rows = [*PAIRS, "growth", "listing", "statistics"]
    parser.add_argument("--rows", nargs="+", choices=rows, default=rows)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--largest", type=int, default=700_000, help="pictures in the largest set of `growth`")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="darkroom-benchmark-") as scratch:
        folder = Path(scratch)
        if any(name in PAIRS for name in arguments.rows):
            say(
                "| pictures | ours, images/s | plain loop, images/s | ratio, median (each round) | to reach |\n"
                "|---|---|---|---|---|"
            )
            for name in (name for name in PAIRS if name in arguments.rows):
                pair(name, folder, arguments.rounds)
        if {"growth", "statistics", "listing"} & set(arguments.rows):
            say("| side, pictures | seconds | peak memory |\n|---|---|---|")
        for name, write in GROWTH.items():
            statistics_too = name == "idx" and "statistics" in arguments.rows
            if "growth" in arguments.rows or statistics_too:
                kept = growth("ours", written(name, write, folder, arguments.largest), keep=statistics_too)
                if statistics_too:
                    growth("statistics", {count: out / "examples" for count, out in kept.items()})
                for left in folder.iterdir():
                    shutil.rmtree(left)
        if "listing" in arguments.rows:
            growth("listing", written("empty", pictures.write_empty, folder, 1_000_000))


if __name__ == "__main__":
    main()
