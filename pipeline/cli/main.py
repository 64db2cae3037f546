"""The `darkroom` command."""

from __future__ import annotations

from collections.abc import Sequence

import click

from pipeline.cli import history, maintenance, run
from pipeline.cli.group import Group
from pipeline.cli.inspect import inspect
from pipeline.cli.utf8 import use_utf8


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="darkroom-tfx", prog_name="darkroom")
def cli() -> None:
    """Train a variational autoencoder on a folder of pictures, and serve a model that generates new ones.

    \b
    Try it on the handwritten digits that are included:
        darkroom run
        darkroom generate --work work/digits --out new-digits.png
    Train on a folder of your own pictures:
        darkroom run --images ~/Pictures/cats
    """


for command in (*run.COMMANDS, *history.COMMANDS, *maintenance.COMMANDS, inspect):
    cli.add_command(command)


def main(arguments: Sequence[str] | None = None, more: Sequence[click.Command] = ()) -> None:
    """Run a command of this package, a command of `serving` for pushed models, or one of `more`: those of the packages above.

    `arguments` come without the program name; None takes those of this process.
    """
    use_utf8(arguments)
    from pipeline.cli import backup
    from pipeline.cli.schema import schema
    from serving import commands as serving

    for command in (*serving.COMMANDS, schema, *backup.COMMANDS, *more):
        cli.add_command(command)
    cli(args=arguments, prog_name="darkroom")
