"""The `darkroom` command."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import click

from pipeline.cli.group import Group
from pipeline.cli.utf8 import use_utf8

MODULES = {
    "pipeline.cli.run": ("run", "retrain"),
    "pipeline.cli.init": ("init",),
    "pipeline.cli.inspect": ("inspect",),
    "pipeline.cli.doctor": ("doctor",),
    "pipeline.cli.config": ("config",),
    "pipeline.cli.history": ("report", "runs", "lineage"),
    "pipeline.cli.maintenance": ("rollback", "gc"),
    "serving.commands": ("generate", "reconstruct", "interpolate", "explore", "manifold", "encode", "score"),
    "pipeline.cli.export": ("export",),
    "pipeline.cli.publish": ("publish",),
    "pipeline.cli.schema": ("schema",),
    "pipeline.cli.backup": ("backup", "restore"),
    "pipeline.cli.engines": ("worker-pool",),
    "pipeline.cli.completion": ("completion",),
}


@click.group(cls=Group, modules=MODULES, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
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


def main(arguments: Sequence[str] | None = None, more: Mapping[str, Sequence[str]] | None = None) -> None:
    """Run a command of this package, a command of `serving` for pushed models, or one of `more`: those of the packages above.

    `arguments` come without the program name; None takes those of this process.
    """
    use_utf8(arguments)
    cli.modules.update(more or {})
    cli(args=arguments, prog_name="darkroom")
