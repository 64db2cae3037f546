"""The command `darkroom schema`: infer a schema of the pictures, compare it, accept it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import click

from common.lines import escaped
from common.writing import is_standard_output, shown, write_text
from pipeline.cli.options import json_option
from pipeline.cli.results import print_json

_WORK = click.option(
    "--work", type=click.Path(path_type=Path), required=True, help="A work folder in which a run has read pictures."
)


def _config(required: bool) -> Callable:
    return click.option(
        "--config", type=click.Path(path_type=Path), required=required, help="The configuration file that names the schema."
    )


@click.group(invoke_without_command=True)
@click.pass_context
def schema(context: click.Context) -> None:
    """Infer a schema from pictures, compare it, or accept it.

    The schema is inferred from the pictures that a run has read, and compared with the current schema.

    \b
    Infer the schema of these pictures:
        darkroom schema infer --work work/cats --out cats.schema.pbtxt
    Show how it differs from the current schema:
        darkroom schema diff --work work/cats --config cats.yaml
    Require it of all pictures from now on:
        darkroom schema accept --work work/cats --config cats.yaml
    """
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


@schema.command()
@_WORK
@_config(False)
@click.option("--out", type=click.Path(path_type=Path), help="The file to write. Default: standard output, as with -.")
def infer(work: Path, config: Path | None, out: Path | None) -> None:
    """Propose a schema from the last pictures.

    It has their labels, sizes and channels. Everything else is taken from the current schema.

    \b
        darkroom schema infer --work work/cats
        darkroom schema infer --work work/cats --out cats.schema.pbtxt
    """
    from google.protobuf import text_format

    from common.errors import InputError

    _, proposed = _schemas(work, config)
    text = text_format.MessageToString(proposed, as_utf8=True)
    if out is None:
        click.echo(text, nl=False)
        return
    try:
        write_text(text, out)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise InputError(f"cannot write {shown(out)}: {error.strerror}") from None
    click.echo(f"wrote {escaped(shown(out))}", err=is_standard_output(out))


@schema.command()
@_WORK
@_config(False)
@json_option
def diff(work: Path, config: Path | None, as_json: bool) -> None:
    """Compare a schema of the last pictures with the current one.

    \b
        darkroom schema diff --work work/cats
        darkroom schema diff --work work/cats --config cats.yaml
    """
    from pipeline.data.schemas import differences

    found = differences(*_schemas(work, config))
    if as_json:
        print_json({"differences": found})
        return
    for line in found or ["no difference: the pictures match the current schema"]:
        click.echo(line)


@schema.command()
@_WORK
@_config(True)
@json_option
def accept(work: Path, config: Path, as_json: bool) -> None:
    """Make a schema of the last pictures the current one.

    The schema is written beside the configuration file, which then names it.

    \b
        darkroom schema accept --work work/cats --config cats.yaml
    """
    from pipeline.data.schemas import accept as accept_schema
    from pipeline.data.schemas import differences

    old, proposed = _schemas(work, config if config.exists() else None)
    written = accept_schema(proposed, config)
    if as_json:
        print_json({"file": str(written), "differences": differences(old, proposed)})
        return
    for line in differences(old, proposed):
        click.echo(line)
    click.echo(f"wrote {written}, which {config} names from now on")


def _schemas(work: Path, config: Path | None) -> tuple[object, object]:
    """Return the schema in force and the schema proposed from the last pictures."""
    from common.quiet import quiet
    from pipeline.data.schemas import last_statistics, propose, read_schema, schema_of

    statistics = last_statistics(work)
    old = read_schema(schema_of(config))
    with quiet(Path(os.devnull)):
        return old, propose(old, statistics)


COMMANDS = (schema,)
