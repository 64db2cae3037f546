"""The commands `darkroom backup` and `darkroom restore`."""

from __future__ import annotations

import os
from pathlib import Path

import click

from common.lines import escaped
from common.writing import is_standard_output, shown
from pipeline.cli.options import json_option
from pipeline.cli.results import print_json

_WORK = click.option("--work", type=click.Path(path_type=Path), metavar="DIR", required=True, help="The work folder.")


@click.command()
@click.argument("out", metavar="OUT.db", type=click.Path(path_type=Path))
@_WORK
@json_option
def backup(out: Path, work: Path, as_json: bool) -> None:
    """Copy a work folder's ML Metadata database into one file.

    This is possible during a run. The copy is checked before it replaces an earlier one. Artifacts, models, runs and reports are
    not in it: these files are written once, and any program can copy them.

    \b
        darkroom backup /backups/cats.db --work ~/cats
    Compressed, through standard output:
        darkroom backup - --work ~/cats | gzip > /backups/cats.db.gz
    """
    from pipeline.maintenance.backup import backup as copy
    from pipeline.workspace.layout import Workspace

    result = copy(out, Workspace(work.expanduser().absolute()))
    if as_json:
        counts = {"executions": len(result.executions), "runs": result.runs, "pushed": sorted(result.pushed)}
        print_json({"file": str(out), **counts}, err=is_standard_output(out))
        return
    click.echo(f"wrote {escaped(shown(out))}: {result}; artifacts, models and reports are not in it", err=is_standard_output(out))


@click.command()
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
@_WORK
@json_option
def restore(file: Path, work: Path, as_json: bool) -> None:
    """Replace the metadata.db of a work folder by a backup. Nothing is deleted.

    The replaced database is kept beside it. Files of executions that the backup does not contain are moved to aside/ in the
    work folder, so that no run takes them for results. Pushed models stay in service.

    \b
        darkroom restore /backups/cats.db --work ~/cats
    From the copy that every run that pushes a model keeps:
        darkroom restore ~/cats/metadata.db.backup --work ~/cats
    """
    from common.quiet import quiet

    with quiet(Path(os.devnull)):
        from pipeline.maintenance.backup import restore as put_back
        from pipeline.workspace.layout import Workspace

        lines = put_back(file, Workspace(work.expanduser().absolute()))
    if as_json:
        print_json({"done": lines})
        return
    for line in lines:
        click.echo(line)


COMMANDS = (backup, restore)
