"""The command `darkroom export`: write a model's networks for other programs."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path

import click

from pipeline.cli.options import json_option
from pipeline.cli.results import print_json
from serving.options import PATH, model_command


@model_command
@click.option("--format", "form", type=click.Choice(["onnx", "litert", "savedmodel", "weights"]), required=True, help="See below.")
@click.option("--out", type=PATH, required=True, metavar="DIR", help="A new or empty folder.")
@json_option
def export(work: Path, model: Path, version: int, form: str, out: Path, as_json: bool) -> None:
    """Write decoder and encoder in the format of another program.

    \b
    For ONNX Runtime (decoder.onnx, encoder.onnx):
        darkroom export --work work/digits --format onnx --out digits-onnx
    For LiteRT, formerly TensorFlow Lite (decoder.tflite, encoder.tflite):
        darkroom export --work work/digits --format litert --out digits-litert
    For TensorFlow, each network alone, with pixels in place of picture files:
        darkroom export --work work/digits --format savedmodel --out digits-networks
    All weights by name (weights.safetensors):
        darkroom export --model models/3 --format weights --out digits-weights

    Each network is compared with the SavedModel on 100 inputs before it is written; a difference above 0.0001 is an error, and
    nothing is written. The table shows size and speed beside the SavedModel's. OUT/export.json describes inputs and outputs.
    """
    from common.errors import InputError
    from common.lines import escaped
    from common.quiet import hushed
    from serving.pushed import find_model

    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"--out {out} exists already: name a new or empty folder")
    folder = find_model(work, model, version)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with hushed():
        from trainer.formats import export_model
        from trainer.formats.export import saved_model_megabytes
    results = export_model(folder, form, out)
    if as_json:
        print_json({"out": str(out), "networks": [asdict(result) for result in results]})
        return
    rows = [
        *(
            (
                result.file if len({each.file for each in results}) > 1 else f"{result.file}, {result.network}",
                f"{result.megabytes:.2f} MB",
                f"{result.milliseconds:.3f} ms",
                f"differs by {result.difference:.0e}" if result.difference else "is the same",
            )
            for result in results
        ),
        *(
            (
                f"SavedModel, {result.network}",
                f"{saved_model_megabytes(folder):.2f} MB",
                f"{result.saved_model_milliseconds:.3f} ms",
                "",
            )
            for result in results
        ),
    ]
    for line in _table([("", "size", "a picture", "from the SavedModel"), *rows]):
        click.echo(line)
    click.echo(f"wrote {results[0].network} and {results[1].network} to {escaped(str(out))}/")


COMMANDS = (export,)


def _table(rows: list[tuple[str, str, str, str]]) -> list[str]:
    """Return rows as lines: the first and the last column to the left, the others to the right."""
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    return [f"{row[0]:<{widths[0]}}  {row[1]:>{widths[1]}}  {row[2]:>{widths[2]}}  {row[3]}".rstrip() for row in rows]
