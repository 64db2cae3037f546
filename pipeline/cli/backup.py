"""`darkroom backup` and `darkroom restore` on the command line."""

from __future__ import annotations

import os
from pathlib import Path

import click

from common.lines import escaped
from common.writing import is_standard_output, shown

_WORK = click.option("--work", type=click.Path(path_type=Path), metavar="DIR", required=True, help="The work folder.")


@click.command()
@click.argument("out", metavar="OUT.db", type=click.Path(path_type=Path))
@_WORK
def backup(out: Path, work: Path) -> None:
    """Copies what ML Metadata knows of a work folder's runs into one file, also while a run is at work.

    The copy is checked before it takes the place of an earlier one. Not in it are artifacts, models, runs and reports: they are
    files that are written once, which any program copies.

    \b
        darkroom backup /backups/cats.db --work ~/cats
    Packed on its way, by way of standard output:
        darkroom backup - --work ~/cats | gzip > /backups/cats.db.gz
    """
    from pipeline.maintenance.backup import backup as copy
    from pipeline.workspace.layout import Workspace

    found = copy(out, Workspace(work.expanduser().absolute()))
    click.echo(f"wrote {escaped(shown(out))}: {found}; artifacts, models and reports are not in it", err=is_standard_output(out))


@click.command()
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
@_WORK
def restore(file: Path, work: Path) -> None:
    """Puts a backup in the place of a work folder's metadata.db, and deletes nothing.

    The database that was there is kept beside it. Files of executions that the backup does not know of are moved to the work
    folder's aside/, so that nothing takes them for results; models that were pushed stay in service.

    \b
        darkroom restore /backups/cats.db --work ~/cats
    The copy that every run keeps that pushed a model:
        darkroom restore ~/cats/metadata.db.backup --work ~/cats
    """
    from common.quiet import quiet

    with quiet(Path(os.devnull)):
        from pipeline.maintenance.backup import restore as put_back
        from pipeline.workspace.layout import Workspace

        lines = put_back(file, Workspace(work.expanduser().absolute()))
    for line in lines:
        click.echo(line)


COMMANDS = (backup, restore)
