"""Compare ingestion with a plain loop that reads, decodes, computes statistics and writes TFRecords; and measure how it grows.

Run: python -m benchmarks.ingestion [--rows png idx ... memory growth listing statistics] [--rounds 3] [--largest 700000]

Each kind of picture is a row: ingestion and the plain loop, measured in turns. `memory` reads 10,000 and 200,000 pictures of each
kind of container file, and shows the peak memory of the process, including the separate process of the HDF5 library.

`growth` reads three numbers of pictures up to the largest, each ten times the one before, as PNG files and from an IDX file;
`statistics` runs TFDV on the examples of the latter. Each measurement is a separate process, timed after its imports.
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
from importlib.util import find_spec
from pathlib import Path

from benchmarks.ingestion import pictures, sources

PAIRS = {  # the function that writes the pictures, their number, the plain loop, the ratio to reach
    "png": (pictures.write_pngs, 60_000, "plain_files", 2.2),
    "idx": (pictures.write_idx_file, 60_000, "plain_idx", 8.0),
    "jpeg": (pictures.write_photographs, 300, "plain_files", 3.2),
    "parquet": (sources.write_parquet, 20_000, "plain_parquet", 1.3),
    "arrow": (sources.write_arrow, 20_000, "plain_arrow", 1.3),
    "hdf5": (sources.write_hdf5, 20_000, "plain_hdf5", 1.3),
    "mat": (sources.write_mat, 20_000, "plain_mat", 1.3),
    "pixel_csv": (sources.write_pixel_csv, 20_000, "plain_pixel_csv", 1.3),
    "cifar": (sources.write_cifar, 20_000, "plain_cifar", 1.3),
    "webdataset": (sources.write_webdataset, 20_000, "plain_webdataset" if find_spec("webdataset") else "plain_tar", 1.3),
    "npz": (sources.write_npz, 20_000, "plain_npz", 1.3),
    "idx_zip": (sources.write_idx_zip, 20_000, "plain_idx_zip", 1.3),
    "tfrecord": (sources.write_tfrecord, 20_000, "plain_tfrecord", 1.3),
    "imagefolder": (sources.write_imagefolder, 20_000, "plain_imagefolder", 1.3),
}
MEMORY = [name for name in PAIRS if name not in ("png", "idx", "jpeg")]  # `growth` measures those
GROWTH = {"png": pictures.write_pngs, "idx": pictures.write_idx_file}


def measure(side: str, images: Path, keep: Path | None = None) -> dict[str, float]:
    """Run a side in a separate process, and return seconds and mebibytes."""
    with tempfile.TemporaryDirectory(dir=images.parent) as scratch:
        command = [sys.executable, "-W", "ignore", "-m", "benchmarks.ingestion.side", side, str(images), str(keep or scratch)]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"benchmark: {side} failed: {done.stderr.strip()[-800:]}")
        return json.loads(done.stdout.splitlines()[-1])


def say(text: str) -> None:
    """Print a line of the table, and flush it."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def pair(name: str, folder: Path, rounds: int) -> None:
    """Measure ingestion and the plain loop in turns."""
    write, count, other, wanted = PAIRS[name]
    images = folder / name
    write(images, count)
    times: dict[str, list[float]] = {"ours": [], other: []}
    for _ in range(rounds):
        for side, result in times.items():
            result.append(measure(side, images)["seconds"])
    ratios = [plain / ours for ours, plain in zip(times["ours"], times[other])]
    each = ", ".join(f"{ratio:.2f}" for ratio in ratios)
    rates = [f"{count / statistics.median(result):,.0f}" for result in (times["ours"], times[other])]
    say(f"| {name}, {count:,} pictures | {rates[0]} | {rates[1]} | {statistics.median(ratios):.2f} ({each}) | {wanted} |")
    shutil.rmtree(images)


def growth(side: str, images: dict[int, Path], keep: bool = False) -> dict[int, Path]:
    """Measure time and memory of a side at several sizes, and return the folders of the examples, if they are kept."""
    result, kept = {}, {}
    for count, folder in images.items():
        if keep:
            kept[count] = folder.with_name(f"{folder.name}-examples")
        result[count] = measure(side, folder, kept.get(count))
        say(f"| {side}, {folder.name} | {result[count]['seconds']:.2f} s | {result[count]['mebibytes']:,.0f} MiB |")
    (smallest, first), *_, (largest, last) = sorted(result.items())
    exponent = math.log(last["seconds"] / first["seconds"]) / math.log(largest / smallest)
    memory = last["mebibytes"] / first["mebibytes"] - 1
    say(f"| {side}: time grows with the power | {exponent:.3f} | memory by {memory:.1%} |")
    return kept


def memory(name: str, folder: Path) -> None:
    """Measure the peak memory of ingestion at two numbers of pictures."""
    write, result = PAIRS[name][0], []
    for count in (10_000, 200_000):
        images = folder / f"{name}-{count}"
        write(images, count)
        result.append(measure("ours", images)["mebibytes"])
        shutil.rmtree(images)
    say(f"| {name} | {result[0]:,.0f} MiB | {result[1]:,.0f} MiB | {result[1] / result[0] - 1:+.1%} |")


def written(name: str, write: Callable[[Path, int], None], folder: Path, largest: int) -> dict[int, Path]:
    """Write three sets of pictures, each ten times as large as the one before."""
    folders = {count: folder / f"{name}-{count}" for count in (largest // 100, largest // 10, largest)}
    for count, images in folders.items():
        write(images, count)
    return folders


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    rows = [*PAIRS, "memory", "growth", "listing", "statistics"]
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
        if "memory" in arguments.rows:
            say("| pictures | 10,000 | 200,000 | memory grows by |\n|---|---|---|---|")
            for name in MEMORY:
                memory(name, folder)
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
