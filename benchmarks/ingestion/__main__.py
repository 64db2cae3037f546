"""Ingestion beside a plain loop that reads, decodes, takes statistics and writes TFRecords; and how it grows.

Run: python -m benchmarks.ingestion [--rows png idx jpeg growth listing statistics] [--rounds 3] [--largest 700000]

`growth` reads three numbers of pictures up to the largest, each ten times the one before, as PNG files and from an IDX file;
`statistics` runs TFDV over the largest. Each measurement is a process of its own, timed after its imports.
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


def growth(name: str, write: Callable[[Path, int], None], folder: Path, largest: int, side: str = "ours") -> Path | None:
    """Time and memory at three sizes; gives where the largest one's examples were kept."""
    found = {}
    kept = None
    for count in (largest // 100, largest // 10, largest):
        images = folder / f"{name}-{count}"
        write(images, count)
        kept = folder / f"{name}-{count}-out" if side == "ours" and count == largest else None
        found[count] = measure(side, images, kept)
        say(f"| {side}, {name}, {count:,} | {found[count]['seconds']:.2f} s | {found[count]['mebibytes']:,.0f} MiB |")
        shutil.rmtree(images)
    first, last = found[largest // 100], found[largest]
    exponent = math.log(last["seconds"] / first["seconds"]) / math.log(100)
    memory = last["mebibytes"] / first["mebibytes"] - 1
    say(f"| {side}, {name}: time grows with the power | {exponent:.3f} | memory by {memory:.1%} |")
    return kept


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
            say("| pictures | ours, images/s | plain loop, images/s | ratio, median (each round) | to reach |\n|---|---|---|---|---|")
            for name in (name for name in PAIRS if name in arguments.rows):
                pair(name, folder, arguments.rounds)
        if {"growth", "statistics"} & set(arguments.rows):
            say("| side, pictures | seconds | peak memory |\n|---|---|---|")
            for name, write in GROWTH.items():
                kept = growth(name, write, folder, arguments.largest)
                if kept and name == "idx" and "statistics" in arguments.rows:
                    found = measure("statistics", kept / "examples")
                    say(f"| statistics and validation, {arguments.largest:,} | {found['seconds']:.1f} s | {found['mebibytes']:,.0f} MiB |")
                if kept:
                    shutil.rmtree(kept)
        if "listing" in arguments.rows:
            say("| listing, files | seconds | peak memory |\n|---|---|---|")
            growth("empty", pictures.write_empty, folder, 1_000_000, side="listing")


if __name__ == "__main__":
    main()
