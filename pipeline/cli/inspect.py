"""The command `darkroom inspect`: show what a run would read from a path."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from pipeline.cli.completion import complete_path
from pipeline.cli.options import config_option, json_option, set_option
from pipeline.cli.results import print_json


@click.command()
@click.argument("images", metavar="PATH", shell_complete=complete_path)
@config_option
@set_option
@json_option
def inspect(images: str, config: str | None, overrides: Sequence[str], as_json: bool) -> None:
    """Show what a run would read from PATH.

    The output lists the number of pictures, sizes, color, labels, splits, and what the run would leave out. The last line shows
    the settings that a run would derive from the pictures, as --set takes them.

    \b
    A folder, an archive, arrays, a manifest: everything that `darkroom run --images` takes:
        darkroom inspect ~/Pictures/cats
        darkroom inspect train.csv
    With the settings of a run:
        darkroom inspect ~/Pictures/cats --config cats.yaml --set data.frames=all

    The command lists all files, and reads the headers of a sample of the pictures.
    """
    from common.errors import InputError
    from common.lines import in_one_line
    from common.quiet import hushed
    from components.image_example_gen.storage.plain import local_path
    from pipeline.config.inference import data_config
    from pipeline.config.loading import apply_overrides, build_config
    from pipeline.data.inspection import LOOKED_FOR, inspected
    from pipeline.data.inspection import inspect as look
    from pipeline.running.request import read_values

    if not images:
        raise InputError("PATH must not be empty; is a variable of your shell unset?")
    with hushed():
        values = apply_overrides(read_values(config), overrides)
        build_config({"title": "pictures", **values}, config or "the configuration")
        where = local_path(images)
        where = where if "://" in where else str(Path(where).expanduser().absolute())
        try:
            if as_json:
                found = inspected(where, data_config(values), values)
            else:
                lines = look(where, data_config(values), values)
        except InputError:
            for line in LOOKED_FOR:
                click.echo(f"looked for {line}", err=as_json)
            raise
    if as_json:
        print_json(found)
        return
    for line in lines:
        click.echo(in_one_line(line))


COMMANDS = (inspect,)
