"""Compare the lines of TFX on one machine: this environment's, and that of the root of Debian 13 that `make test-newer` makes.

Each measurement is a separate process, and the lines take turns, so that other load affects both equally. CPU seconds include those
of child processes; they and the ratios hold on a busy machine, seconds do not.

Run: python -m benchmarks.lines [--root /var/tmp/darkroom-debian13] [--rounds 3] [--presets digits fashion-mnist emoji] [--rows training imports]
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.ingestion import pictures
from benchmarks.start import IMPORTS

CHECKOUT = Path(__file__).resolve().parent.parent
TRAINING = """
import sys
from benchmarks.throughput import build_config, load_values, preset_path, sides
loop = sides(build_config(load_values(preset_path(sys.argv[1]))).trainer())["training loop"]
loop(1.0)
print(loop(float(sys.argv[2])))
"""
Row = dict[str, float]


def environment(line: str, root: Path, folder: Path) -> list[str]:
    """Return the command before the arguments of a line's Python. The folder has the same path on both lines."""
    if line == "1.16":
        return [sys.executable]
    return [str(CHECKOUT / "tests/lines/enter.sh"), str(root), str(folder), ".venv/bin/python"]


def measure(command: list[str]) -> tuple[Row, str]:
    """Run a command; return its seconds, CPU seconds and peak memory in MiB, and its output."""
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        begin = time.perf_counter()
        process = subprocess.Popen(command, stdout=out, stderr=err, cwd=CHECKOUT)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - begin
        process.returncode = os.waitstatus_to_exitcode(status)
        for file in (out, err):
            file.seek(0)
        if process.returncode:
            raise SystemExit(f"benchmark: {' '.join(command)} failed: {err.read().strip()[-800:]}")
        row = {"seconds": seconds, "CPU seconds": usage.ru_utime + usage.ru_stime, "MiB": usage.ru_maxrss / 1024}
        return row, out.read()


def rows(folder: Path, seconds: float, presets: list[str]) -> dict[str, list[str]]:
    """Return the arguments of Python for each row, with places for the line and the round."""
    digits = ["local_runner.py", "--dataset", "digits", "--work"]
    ingestion = [
        "-W",
        "ignore",
        "-m",
        "benchmarks.ingestion.side",
        "ours",
        f"{folder}/pictures",
        f"{folder}/examples-{{line}}-{{round}}",
    ]
    return {
        "imports of a run": ["-c", IMPORTS],
        "the digits, from pictures to a pushed model": [*digits, f"{folder}/digits-{{line}}-{{round}}"],
        "the same, unchanged": [*digits, f"{folder}/digits-{{line}}-0"],
        "ingestion of 20,000 PNG files": ingestion,
        **{f"training, {name}": ["-c", TRAINING, name, str(seconds)] for name in presets},
    }


def compare(name: str, arguments: list[str], root: Path, folder: Path, rounds: int) -> None:
    """Print a line of the table for each quantity: the medians of both lines, and of the ratio in each round."""
    found: dict[str, list[Row]] = {"1.16": [], "1.21": []}
    for number in range(rounds):
        for line, measured in found.items():
            words = [word.format(line=line, round=number) for word in arguments]
            row, out = measure([*environment(line, root, folder), *words])
            measured.append({"images/s": float(out.split()[-1]), "MiB": row["MiB"]} if name.startswith("training") else row)
    for quantity in found["1.16"][0]:
        older, newer = ([row[quantity] for row in found[line]] for line in ("1.16", "1.21"))
        ratio = statistics.median(b / a for a, b in zip(older, newer))
        print(
            f"| {name} | {quantity} | {statistics.median(older):,.1f} | {statistics.median(newer):,.1f} | {ratio:.2f} |", flush=True
        )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, default=Path(os.environ.get("DEBIAN13_ROOT", "/var/tmp/darkroom-debian13")))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--presets", nargs="*", default=["digits", "fashion-mnist", "emoji"])
    parser.add_argument("--rows", nargs="+", default=[""], help="Beginnings of the rows' names; all by default.")
    arguments = parser.parse_args()
    if not (arguments.root / "opt/darkroom/.venv/line").is_file():
        raise SystemExit(f"benchmark: there is no TFX 1.21 in {arguments.root}: make test-newer")
    print("| what | quantity | TFX 1.16 | TFX 1.21 | 1.21 / 1.16 |\n|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        pictures.write_pngs(folder / "pictures", 20_000)
        for name, words in rows(folder, arguments.seconds, arguments.presets).items():
            if name.startswith(tuple(arguments.rows)):
                compare(name, words, arguments.root, folder, arguments.rounds)


if __name__ == "__main__":
    main()
