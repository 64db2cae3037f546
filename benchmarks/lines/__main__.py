"""Compare TFX 1.16 on this system with TFX 1.21 in a root of Debian 13, by turns: set-up, a run, ingestion, training, memory.

Run: python -m benchmarks.lines [--rows set-up run ingestion training] [--rounds 3] [--presets digits] [--seconds 5]

It needs root and the root that `make test-newer` makes (DEBIAN13_ROOT). Each measurement is a process of its own. A set-up is
`make .venv/.ready` in a new copy of the checkout, with an empty cache: it downloads everything.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.ingestion import pictures
from pipeline.config.loading import preset_names

CHECKOUT = Path(__file__).resolve().parents[2]
LINES = ("1.16", "1.21")
PICTURES = 20_000
Row = tuple[str, str, bool]  # what is measured, the key of the figure, whether more is better


@dataclass(frozen=True)
class Sides:
    """Both lines, and a folder that both see at the same path."""

    root: Path
    folder: Path

    def command(self, line: str, *command: str) -> list[str]:
        """Return a command that runs another one on a line, in its checkout."""
        return (
            list(command)
            if line == "1.16"
            else [str(CHECKOUT / "tests/lines/enter.sh"), str(self.root), str(self.folder), *command]
        )

    def python(self, line: str, *arguments: object) -> dict[str, float]:
        """Run `python -m ARGUMENTS`, and return the JSON that it prints."""
        done = subprocess.run(
            self.command(line, ".venv/bin/python", "-W", "ignore", "-m", *map(str, arguments)),
            cwd=CHECKOUT,
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise SystemExit(f"benchmark: {arguments[0]} failed on {line}: {done.stderr.strip()[-800:]}")
        return json.loads(done.stdout.splitlines()[-1])

    def set_up(self, line: str) -> dict[str, float]:
        """Set a new copy of the checkout up with an empty cache, and return seconds."""
        with tempfile.TemporaryDirectory(dir=self.folder) as scratch:
            archive = subprocess.run(["git", "archive", "HEAD"], cwd=CHECKOUT, check=True, capture_output=True).stdout
            subprocess.run(["tar", "-x", "-C", scratch], input=archive, check=True)
            command = f"cd {scratch} && UV_CACHE_DIR=$PWD/cache PIP_NO_CACHE_DIR=1 make .venv/.ready"
            begin = time.perf_counter()
            done = subprocess.run(self.command(line, "sh", "-c", command), cwd=CHECKOUT, capture_output=True, text=True)
            if done.returncode:
                raise SystemExit(f"benchmark: the set-up of {line} failed: {done.stderr.strip()[-800:]}")
            return {"seconds": time.perf_counter() - begin}


def by_turns(rounds: int, measure: Callable[[str], dict[str, float]]) -> dict[str, list[dict[str, float]]]:
    """Return each line's measurements. The lines take turns, and the first one changes, so that other load affects both equally."""
    found: dict[str, list[dict[str, float]]] = {line: [] for line in LINES}
    for turn in range(rounds):
        for line in LINES if turn % 2 == 0 else LINES[::-1]:
            found[line].append(measure(line))
    return found


def table_lines(rows: Sequence[Row], found: dict[str, list[dict[str, float]]]) -> Iterator[str]:
    """Yield a line of the table for each figure: the medians, and the median ratio. Above 1, the newer line is better."""
    for name, key, more in rows:
        older, newer = ([each[key] for each in found[line]] for line in LINES)
        ratios = [n / o if more else o / n for o, n in zip(older, newer)]
        each = ", ".join(f"{ratio:.2f}" for ratio in ratios)
        medians = " | ".join(
            f"{statistics.median(values):,.{0 if statistics.median(values) >= 100 else 1}f}" for values in (older, newer)
        )
        yield f"| {name} | {medians} | {statistics.median(ratios):.2f} ({each}) |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", nargs="+", default=["set-up", "run", "ingestion", "training"])
    parser.add_argument("--presets", nargs="+", choices=list(preset_names()), default=list(preset_names()))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=5.0, help="Of training, after its first steps.")
    arguments = parser.parse_args()
    root = Path(os.environ.get("DEBIAN13_ROOT", "/var/tmp/darkroom-debian13"))
    if not (root / "opt/darkroom/.venv/.ready").exists():
        raise SystemExit(f"benchmark: there is no TFX 1.21 in {root}: make test-newer")
    with tempfile.TemporaryDirectory() as scratch:
        sides = Sides(root, Path(scratch))
        images = sides.folder / "pictures"

        def run(line: str) -> dict[str, float]:
            work = sides.folder / f"work-{line}"
            shutil.rmtree(work, ignore_errors=True)
            return sides.python(line, "benchmarks.lines.side", "run", work)

        def ingest(line: str) -> dict[str, float]:
            with tempfile.TemporaryDirectory(dir=sides.folder) as out:
                found = sides.python(line, "benchmarks.ingestion.side", "ours", images, out)
            return {"images": PICTURES / found["seconds"], **found}

        def train(preset: str) -> Callable[[str], dict[str, float]]:
            return lambda line: sides.python(line, "benchmarks.lines.side", "training", preset, arguments.seconds)

        memory = ("mebibytes", False)
        measured: dict[str, list[tuple[list[Row], Callable[[str], dict[str, float]]]]] = {
            "set-up": [([("set-up from nothing, s", "seconds", False)], sides.set_up)],
            "run": [([("`make run`, s", "seconds", False), ("`make run`, peak MiB", *memory)], run)],
            "ingestion": [
                ([(f"ingestion of {PICTURES:,} PNGs, images/s", "images", True), ("ingestion, peak MiB", *memory)], ingest)
            ],
            "training": [
                ([(f"training `{preset}`, images/s", "images", True), (f"training `{preset}`, peak MiB", *memory)], train(preset))
                for preset in arguments.presets
            ],
        }
        if "ingestion" in arguments.rows:
            pictures.write_pngs(images, PICTURES)
        sys.stdout.write("| what | TFX 1.16 | TFX 1.21 | 1.21 is better by (each round) |\n|---|---|---|---|\n")
        for row in arguments.rows:
            for rows, measure in measured[row]:
                for line in table_lines(rows, by_turns(arguments.rounds, measure)):
                    sys.stdout.write(line + "\n")
                    sys.stdout.flush()


if __name__ == "__main__":
    main()
