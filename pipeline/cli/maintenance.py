"""The commands `darkroom rollback` and `darkroom gc`."""

from __future__ import annotations

import dataclasses
import os
import sys
from pathlib import Path

import click

from pipeline.cli.options import json_option, work_option
from pipeline.cli.results import print_json


@click.command()
@click.argument("version", metavar="[VERSION]", type=int, required=False)
@work_option(required=True)
@click.option("--why", metavar="TEXT", default="", help="The reason, which is recorded.")
@json_option
def rollback(version: int | None, work: str, why: str, as_json: bool) -> None:
    """Put an earlier pushed model back into service.

    It becomes the baseline of new models. It is pushed under a new number, because servers take the highest one. The models that
    were pushed after it are withdrawn: a run that produces one of them again is refused. To undo a rollback, roll back to the
    withdrawn version.

    \b
    To the model before the one in service:
        darkroom rollback --work work/digits --why "gray stripes"
    To a given version:
        darkroom rollback 3 --work work/digits
    """
    from common.quiet import quiet
    from pipeline.running.run import shown, whoami

    with quiet(Path(os.devnull)):
        from components.decisions import RolledBack
        from pipeline.maintenance.rollback import rollback as roll_back
        from pipeline.running.post_run import renew_metrics
        from pipeline.workspace.layout import Workspace

        workspace = Workspace.open(work)
        done = roll_back(workspace, version, RolledBack.now(whoami(), why))
        warnings = renew_metrics(workspace)
    for warning in warnings:
        click.echo(f"warning: {warning}", err=True)
    if as_json:
        print_json({**dataclasses.asdict(done), "folder": str(workspace.serving / str(done.became))})
        return
    if done.withdrawn:
        numbers = ", ".join(map(str, done.withdrawn))
        click.echo(
            f"withdrawn: version{'s' if done.withdrawn[1:] else ''} {numbers}; such a model is pushed again only with --bless"
        )
    if done.taken_back:
        click.echo(f"no longer withdrawn: {', '.join(map(str, done.taken_back))}")
    folder = shown(workspace.serving / str(done.became))
    click.secho(f"rolled back: version {done.version} is in service as version {done.became}, {folder}", fg="green", bold=True)


@click.command()
@work_option(required=True)
@click.option(
    "--keep",
    metavar="N",
    type=int,
    default=5,
    show_default=True,
    help="How many ended runs, and how many pushed versions, to keep.",
)
@click.option("--dry-run", is_flag=True, help="Show what would be removed, and remove nothing.")
@click.option("--yes", is_flag=True, help="Remove without asking.")
@json_option
def gc(work: str, keep: int, dry_run: bool, yes: bool, as_json: bool) -> None:
    """Remove artifacts, versions and reports that are not needed.

    The command removes what no kept model or run needs, after showing it. The model in service, the baselines of the next run,
    and the verdict of every run always stay.

    \b
    Show what would be removed:
        darkroom gc --keep 5 --work work/digits --dry-run
    From a timer, without asking:
        darkroom gc --keep 5 --work work/digits --yes
    """
    from common.quiet import quiet
    from pipeline.workspace.layout import Workspace

    workspace = Workspace.open(work)
    with workspace.lock():
        with quiet(Path(os.devnull)):
            from pipeline.maintenance.gc import carry_out, megabytes, plan

            result = plan(workspace, keep)
            if as_json and yes and not dry_run:
                carry_out(workspace, result)
        if as_json:
            removed = yes and not dry_run
            print_json(
                {"removed": removed, "bytes": result.bytes, "paths": {str(path): size for path, size in result.sizes.items()}}
            )
            return
        for line in result.lines():
            click.echo(f"  {line}")
        if not result.sizes:
            click.echo("nothing to remove")
        elif dry_run or not (yes or (sys.stdin.isatty() and click.confirm(f"remove these {megabytes(result.bytes)}?"))):
            click.echo(
                f"{megabytes(result.bytes)} could be freed; nothing was removed" + ("" if dry_run else " (--yes removes it)")
            )
        else:
            with quiet(Path(os.devnull)):
                carry_out(workspace, result)
            click.echo(f"removed: {megabytes(result.bytes)}")


COMMANDS = (rollback, gc)
