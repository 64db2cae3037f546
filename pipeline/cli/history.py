"""The commands `darkroom report`, `darkroom runs` and `darkroom lineage`."""

from __future__ import annotations

import dataclasses
import os
import shutil
import sys
from pathlib import Path

import click

from pipeline.cli.completion import complete_run
from pipeline.cli.options import json_option, work_option
from pipeline.cli.results import print_json


@click.command()
@work_option(required=True)
@click.option("--run", "run_id", metavar="ID", shell_complete=complete_run, help="The id of a run. Default: the last run.")
@click.option("--compare", nargs=2, metavar="ID ID", help="Compare two runs, or two versions: the earlier one first.")
@click.option("--out", metavar="FILE.html", help="The page of the comparison. Default: DIR/comparisons/ID-ID.html.")
@json_option
def report(work: str, run_id: str | None, compare: tuple[str, str] | None, out: str | None, as_json: bool) -> None:
    """Show how a run ended, and where its report is.

    \b
    The last run:
        darkroom report --work work/digits
    An earlier one:
        darkroom report --work work/digits --run 20261120-093015
    Two versions side by side: figures with the noise of training, what changed, and a page with their pictures:
        darkroom report --work work/digits --compare 2 3
    """
    if compare is not None:
        _compare(work, compare, run_id, out, as_json)
        return
    if out is not None:
        raise click.UsageError("--out needs --compare")
    from pipeline.metadata.history import describe_run, last_run, values_of_run

    run_id = last_run(work) if run_id is None else run_id
    if as_json:
        print_json(values_of_run(run_id, work))
        return
    for line in describe_run(run_id, work):
        click.echo(line)


def _compare(work: str, ids: tuple[str, str], run_id: str | None, out: str | None, as_json: bool) -> None:
    from common.lines import escaped
    from common.writing import shown, write_text
    from components.report.comparison import render_comparison
    from pipeline.metadata.compare import compare_runs, lines, values

    if run_id is not None:
        raise click.UsageError("--compare names its two runs: leave --run out")
    comparison = compare_runs(work, *ids)
    page = Path(out) if out else Path(work, "comparisons", f"{ids[0]}-{ids[1]}.html")
    write_text(render_comparison(comparison), page)
    if as_json:
        print_json({**values(comparison), "page": str(page)})
        return
    for line in lines(comparison):
        click.echo(line)
    click.echo(f"page: {escaped(shown(page))}")


@click.group(invoke_without_command=True)
@work_option()
@json_option
@click.pass_context
def runs(context: click.Context, work: str | None, as_json: bool) -> None:
    """List the runs of a work folder.

    Each line shows the outcome, the number of pictures, and the ELBO beside that of the baseline. A run that is at work is shown
    with its component and progress.

    \b
        darkroom runs --work work/digits
        darkroom runs show 20261120-093015 --work work/digits
    """
    if context.invoked_subcommand is not None:
        return
    if work is None:
        raise click.UsageError("--work is missing", context)
    from pipeline.maintenance.rollback import rollbacks
    from pipeline.metadata.runs import list_runs, table

    if as_json:
        print_json(
            {
                "runs": list(map(dataclasses.asdict, list_runs(work))),
                "rollbacks": list(map(dataclasses.asdict, rollbacks(Path(work)))),
            }
        )
        return
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    for line in [*table(list_runs(work), width), *map(str, rollbacks(Path(work)))]:
        click.echo(line)


@runs.command(name="show")
@click.argument("run_id", metavar="ID", shell_complete=complete_run)
@work_option(required=True)
@json_option
def show_run(run_id: str, work: str, as_json: bool) -> None:
    """Show a run in full."""
    from pipeline.metadata.history import show, values_of_run

    if as_json:
        print_json(values_of_run(run_id, work))
        return
    for line in show(run_id, work):
        click.echo(line)


@click.command()
@click.argument("model", metavar="MODEL")
@work_option(required=True)
@json_option
def lineage(model: str, work: str, as_json: bool) -> None:
    """Show the pictures, configuration and code behind a version.

    The parent model and the baseline are shown too. MODEL is the version, or the folder from which it is served.

    \b
        darkroom lineage 3 --work work/digits
    """
    from common.errors import InputError

    name = Path(model).name
    if not name.isdecimal():
        raise InputError(f"MODEL must be a version or its folder, such as 3 or serving/3, not {model}")
    version = int(name)
    from common.quiet import quiet

    with quiet(Path(os.devnull)):
        from pipeline.maintenance.rollback import rollbacks
        from pipeline.metadata.lineage import lineage as lineage_of
        from pipeline.workspace.layout import Workspace

        workspace = Workspace.open(work)
        found = lineage_of(workspace, version)
        lines = found.lines()
        rolled_back = [done for done in rollbacks(workspace.root) if done.became == version]
        lines += map(str, rolled_back)
    if as_json:
        print_json({**dataclasses.asdict(found), "rollbacks": list(map(dataclasses.asdict, rolled_back))})
        return
    for line in lines:
        click.echo(line)


COMMANDS = (report, runs, lineage)
