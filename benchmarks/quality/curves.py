"""Draw learning curves from the output of `benchmarks.quality --out`: the held-out ELBO over epochs, one panel per preset.

Run: python -m benchmarks.quality.curves quality.json ... --out docs/images/quality-curves.png
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

from benchmarks.quality.rows import ROWS, Row

INK, PAPER, LINES = "#d8cfc6", "#14110f", ("#e2725b", "#d9a441", "#8fb8a8")


def draw(axes: plt.Axes, row: Row, runs: list[dict[str, Any]]) -> None:
    """Draw a panel with one line per seed; training is dotted."""
    for run, colour in zip(runs, LINES):
        epochs = [epoch["epoch"] for epoch in run["history"]]
        for split, style in (("train", ":"), ("eval", "-")):
            axes.plot(epochs, [epoch[split]["elbo"] for epoch in run["history"]], style, color=colour, linewidth=1.4)
    values = [epoch["eval"]["elbo"] for run in runs for epoch in run["history"][len(run["history"]) // 10 :]]
    room = 0.06 * (max(values) - min(values))
    axes.set_ylim(min(values) - room, max(values) + 3 * room)
    axes.set_title(row.preset, color=INK, fontsize=11, loc="left")
    axes.set_xlabel("epochs", color=INK, fontsize=9)
    axes.set_ylabel("ELBO, nats per picture", color=INK, fontsize=9)
    axes.set_facecolor(PAPER)
    axes.tick_params(colors=INK, labelsize=8)
    axes.grid(color=INK, alpha=0.12)
    for spine in axes.spines.values():
        spine.set_visible(False)


def main() -> None:
    """Write the image."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("found", nargs="+", help="Files that benchmarks.quality wrote.")
    parser.add_argument("--out", required=True)
    arguments = parser.parse_args()
    items: dict[str, list[dict[str, Any]]] = {}
    for path in arguments.found:  # the seeds of one preset may be in several files
        for name, runs in json.loads(Path(path).read_text()).items():
            items.setdefault(name, []).extend(runs)
    rows = {row.run: row for row in reversed(ROWS) if row.name in items}  # one panel for rows that share their runs
    columns = min(2, len(rows))
    lines = -(-len(rows) // columns)
    figure, panels = plt.subplots(lines, columns, figsize=(5 * columns, 3.2 * lines), squeeze=False, facecolor=PAPER)
    for axes, row in zip(panels.flat, reversed(list(rows.values()))):
        draw(axes, row, items[row.name])
    for axes in panels.flat[len(rows) :]:
        axes.set_visible(False)
    figure.tight_layout()
    figure.savefig(arguments.out, dpi=110)


if __name__ == "__main__":
    main()
