"""The command `darkroom doctor`."""

from __future__ import annotations

import dataclasses
import textwrap
from collections.abc import Sequence
from pathlib import Path

import click

from common.lines import escaped
from pipeline.cli.completion import complete_path
from pipeline.cli.options import config_option, json_option, set_option, work_option
from pipeline.cli.results import columns, print_json
from pipeline.verdict.status import Status

MARKS = {"ok": ("✓", "green"), "warning": ("!", "yellow"), "problem": ("✗", "red")}


@click.command()
@work_option(text="A work folder to examine as well.")
@click.option("--images", metavar="PATH", shell_complete=complete_path, help="Pictures to list as well, also in a cloud store.")
@config_option
@set_option
@json_option
def doctor(work: str | None, images: str | None, config: str | None, overrides: Sequence[str], as_json: bool) -> None:
    """Examine whether a run can work here, and say what to do.

    It examines packages, compiled libraries, processors, memory and disks. It also examines a work folder with its database, what
    a configuration needs, and a place of pictures, if they are named. The exit status is 1 if something would stop a run.

    \b
        darkroom doctor
        darkroom doctor --work work/digits --config my.yaml --images s3://bucket/cats
    """
    from common.quiet import hushed
    from pipeline.config.loading import apply_overrides, build_config
    from pipeline.maintenance.doctor import examine
    from pipeline.running.request import located, read_values

    built = None
    if config is not None or overrides:
        built = build_config(apply_overrides(read_values(config), overrides), config or "--set")
    found = []
    with hushed():
        for check in examine(Path(work) if work else None, built, located(images) if images else None):
            found.append(check)
            if not as_json:
                _show(*MARKS[check.state], check.name, check.found, check.advice)
    problems = [check for check in found if check.state == "problem"]
    if as_json:
        print_json({"sound": not problems, "checks": [dataclasses.asdict(check) for check in found]})
    elif problems:
        several = "a problem" if len(problems) == 1 else f"{len(problems)} problems"
        click.secho(f"{several}: a run would not work here", fg="red", bold=True)
    else:
        click.secho("no problems found", fg="green", bold=True)
    if problems:
        raise click.exceptions.Exit(int(Status.FAULT))


def _show(mark: str, color: str, name: str, found: str, advice: str) -> None:
    wide = 18 if columns() >= 60 else 0
    first = f"{name:<{wide}} {escaped(found)}" if wide else f"{name}: {escaped(found)}"
    lines = textwrap.wrap(first, columns() - 2, subsequent_indent=" " * (wide + 1), break_on_hyphens=False)
    if advice:
        indent = " " * (wide + 1)
        lines += textwrap.wrap(
            f"→ {advice}", columns() - 2, initial_indent=indent, subsequent_indent=f"{indent}  ", break_on_hyphens=False
        )
    for number, line in enumerate(lines):
        click.echo((click.style(mark, fg=color) if not number else " ") + f" {line}")


COMMANDS = (doctor,)
