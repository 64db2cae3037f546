"""Compare TFX 1.16 on this system with TFX 1.21 in a root of Debian 13, by turns: set-up, a run, ingestion, training, memory.

Run: python -m benchmarks.lines [--rows set-up run ingestion training] [--rounds 3] [--presets digits] [--seconds 5]

It needs root and the root that `make test-newer` makes (DEBIAN13_ROOT). Each measurement is a process of its own. A set-up is
`make .venv/.ready` in a new copy of the checkout, with an empty cache: it downloads everything. CPU seconds, of all threads, depend less
on what else runs on the machine.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.ingestion import pictures
from pipeline.config.loading import preset_names

CHECKOUT = Path(__file__).resolve().parents[2]
LINES = ("1.16", "1.21")
PICTURES = 20_000
UNITS = {"seconds": "s", "cpu": "CPU s", "mebibytes": "peak MiB"}
Figures = dict[str, float]  # by key of `UNITS`
Measure = Callable[[str], Figures]  # of a line


@dataclass(frozen=True)
class Sides:
    """Both lines, and a folder that both see at the same path."""

    root: Path
    folder: Path

    def call(self, line: str, *command: object) -> str:
        """Run a command on a line, in its checkout, and return its output."""
        enter = [] if line == "1.16" else [CHECKOUT / "tests/lines/enter.sh", self.root, self.folder]
        done = subprocess.run(list(map(str, [*enter, *command])), cwd=CHECKOUT, capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"benchmark: {' '.join(map(str, command))} failed on {line}: {done.stderr.strip()[-800:]}")
        return done.stdout

    def side(self, line: str, module: str, *arguments: object) -> Figures:
        """Run `python -m MODULE ARGUMENTS`, and return the JSON that it prints."""
        return json.loads(self.call(line, ".venv/bin/python", "-W", "ignore", "-m", module, *arguments).splitlines()[-1])

    def set_up(self, line: str) -> Figures:
        """Set a new copy of the checkout up with an empty cache."""
        with tempfile.TemporaryDirectory(dir=self.folder) as scratch:
            archive = subprocess.run(["git", "archive", "HEAD"], cwd=CHECKOUT, check=True, capture_output=True).stdout
            subprocess.run(["tar", "-x", "-C", scratch], input=archive, check=True)
            begin, cpu = time.perf_counter(), cpu_of_children()
            self.call(line, "sh", "-c", f"cd {scratch} && UV_CACHE_DIR=$PWD/cache PIP_NO_CACHE_DIR=1 make .venv/.ready")
            return {"seconds": time.perf_counter() - begin, "cpu": cpu_of_children() - cpu}

    def run(self, line: str) -> Figures:
        """Run the pipeline on the digits in a new work folder."""
        work = self.folder / f"work-{line}"
        shutil.rmtree(work, ignore_errors=True)
        return self.side(line, "benchmarks.lines.side", "run", work)

    def ingest(self, line: str) -> Figures:
        """Ingest the PNG files in `pictures`, which are written first."""
        images = self.folder / "pictures"
        if not images.exists():
            pictures.write_pngs(images, PICTURES)
        with tempfile.TemporaryDirectory(dir=self.folder) as out:
            return self.side(line, "benchmarks.ingestion.side", "ours", images, out)


def cpu_of_children() -> float:
    """Return the CPU seconds of all processes that this one has started and that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def by_turns(rounds: int, measure: Measure) -> list[tuple[Figures, Figures]]:
    """Return both lines' figures of each round. The first line changes, so that other load affects both equally."""
    pairs = []
    for turn in range(rounds):
        figures = {line: measure(line) for line in (LINES if turn % 2 == 0 else LINES[::-1])}
        pairs.append((figures[LINES[0]], figures[LINES[1]]))
    return pairs


def table_lines(name: str, pairs: list[tuple[Figures, Figures]]) -> Iterator[str]:
    """Yield a line of the table for each figure: the medians, and the median ratio of the newer line to the older one."""
    for key in pairs[0][0]:
        older, newer = ([pair[side][key] for pair in pairs] for side in (0, 1))
        ratios = [n / o for o, n in zip(older, newer)]
        each = ", ".join(f"{ratio:.2f}" for ratio in ratios)
        medians = " | ".join(f"{statistics.median(values):,.1f}" for values in (older, newer))
        yield f"| {name}, {UNITS[key]} | {medians} | {statistics.median(ratios):.2f} ({each}) |"


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

        def train(preset: str) -> Measure:
            return lambda line: sides.side(line, "benchmarks.lines.side", "training", preset, arguments.seconds)

        measures: dict[str, dict[str, Measure]] = {
            "set-up": {"set-up from nothing": sides.set_up},
            "run": {"`make run`": sides.run},
            "ingestion": {f"ingestion of {PICTURES:,} PNGs": sides.ingest},
            "training": {f"training `{preset}`, a million images": train(preset) for preset in arguments.presets},
        }
        sys.stdout.write("| what | TFX 1.16 | TFX 1.21 | 1.21 / 1.16, median (each round) |\n|---|---|---|---|\n")
        for row in arguments.rows:
            for name, measure in measures[row].items():
                sys.stdout.writelines(line + "\n" for line in table_lines(name, by_turns(arguments.rounds, measure)))
                sys.stdout.flush()


if __name__ == "__main__":
    main()
