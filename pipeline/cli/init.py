"""The command `darkroom init`: look at pictures, and write a configuration for them."""

from __future__ import annotations

import dataclasses
import shlex
from pathlib import Path

import click

from common.lines import escaped, in_one_line
from common.writing import is_standard_output, shown, write_text
from pipeline.cli.completion import complete_path
from pipeline.cli.options import json_option, set_option
from pipeline.cli.results import print_json


@click.command()
@click.argument("images", metavar="PATH", shell_complete=complete_path)
@click.option(
    "--out", type=click.Path(path_type=Path), metavar="FILE", help="The file to write; - is standard output. Default: NAME.yaml."
)
@click.option("--force", is_flag=True, help="Replace an existing file.")
@set_option
@json_option
def init(images: str, out: Path | None, force: bool, overrides: tuple[str, ...], as_json: bool) -> None:
    """Write a configuration for the pictures of PATH.

    The command looks at them. It prints the number, sizes, colors and labels of the pictures, problems, and the time and memory that a run is expected to
    take. The configuration has the values that a run would choose, with comments, and others to try. During a run the expectation
    is refined.

    \b
        darkroom init ~/Pictures/cats
        darkroom init ~/Pictures/cats --set training.epochs=20 --out short.yaml
    """
    from common.errors import InputError
    from common.quiet import hushed
    from pipeline.data.inspection import LOOKED_FOR
    from pipeline.running.proposal import propose
    from pipeline.running.request import located, title_of

    if not images:
        raise InputError("PATH must not be empty; is a variable of your shell unset?")
    where = located(images)
    out = out or Path(f"{title_of(where)}.yaml")
    if out.exists() and not force and not is_standard_output(out):
        raise InputError(f"{shown(out)} exists: give another file by --out, or replace it by --force")
    with hushed():
        try:
            proposal = propose(where, overrides)
        except InputError:
            for line in LOOKED_FOR:
                click.echo(f"looked for {line}", err=as_json)
            raise
    to_output = is_standard_output(out)
    if not to_output or not as_json:
        try:
            write_text(proposal.text, out)
        except BrokenPipeError:
            raise
        except OSError as error:
            raise InputError(f"cannot write {shown(out)}: {error.strerror}") from None
    if as_json:
        result = {name: value for name, value in dataclasses.asdict(proposal).items() if name != "expected"}
        seconds = proposal.expected.seconds
        print_json(
            {**result, "file": None if to_output else str(out), "seconds": proposal.expected.total, "seconds_by_component": seconds}
            | {"memory_bytes": proposal.expected.memory}
        )
        return
    for line in proposal.seen:
        click.echo(in_one_line(line), err=to_output)
    for problem in proposal.problems:
        click.secho(in_one_line(f"! {problem}"), fg="yellow", err=to_output)
    click.echo(f"expect {proposal.expected}; less if training stops early", err=to_output)
    if not to_output:
        click.echo(f"wrote {escaped(shown(out))}")
        click.secho(f"next: darkroom run --images {shlex.quote(images)} --config {shlex.quote(str(out))}", bold=True)


COMMANDS = (init,)
