"""The command line: `darkroom`."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from pipeline.group import Group
from pipeline.status import leave
from pipeline.utf8 import use_utf8


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="darkroom-tfx", prog_name="darkroom")
def cli() -> None:
    """Develops a latent image: from a folder of pictures to a served model that makes new ones.

    \b
    Try it on the handwritten digits that come with it:
        darkroom run
        darkroom generate --work work/digits --out new-digits.png
    Train on a folder of your own pictures:
        darkroom run --images ~/Pictures/cats
    """


def asks_for_a_run(command: Callable) -> Callable:
    """The options of a command that may run the pipeline."""
    options = (
        click.option(
            "--images",
            metavar="DIR|FILE|URI",
            help="A folder of pictures, an archive, arrays, TFRecords or a manifest; a path or URI.",
        ),
        click.option("--dataset", metavar="NAME", help="digits (the default), mnist, fashion-mnist or cifar10."),
        click.option("--data-root", metavar="DIR", help="Where data sets lie; else $DARKROOM_DATASETS, else they are downloaded."),
        click.option("--config", metavar="FILE|NAME", help="A configuration file, or the name of one that comes with the project."),
        click.option("--set", "overrides", metavar="KEY=VALUE", multiple=True, help="Overrides a field; may be given repeatedly."),
        click.option("--work", metavar="DIR", help="The work folder; else work/ and the data set's or folder's name."),
        click.option(
            "--orchestrator", type=click.Choice(["local", "beam"]), default="local", show_default=True, help="Who runs the graph."
        ),
        click.option(
            "--beam-arg", "beam_args", metavar="ARG", multiple=True, help="Passed on to Beam, such as --runner=FlinkRunner."
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


@cli.command()
@asks_for_a_run
@click.option("--no-cache", is_flag=True, help="Does everything anew.")
@click.option("--accept-drift", is_flag=True, help="Takes pictures that differ from those before as the new usual ones.")
@click.option("--bless", metavar="WHY", help="Pushes the model even if it is worse than the last; WHY is recorded.")
def run(no_cache: bool, **asked: Any) -> None:
    """Ingests pictures, trains a VAE, judges it, and pushes its decoder.

    \b
    The digits that come with it:
        darkroom run
    A folder of pictures; folders inside it are labels, or splits if they are called train, eval and test:
        darkroom run --images ~/Pictures/cats
    Larger pictures, a longer training:
        darkroom run --images ~/Pictures/cats --set preprocessing.height=64 --set preprocessing.width=64
            --set training.epochs=100
    Fashion-MNIST, with two latent dimensions that can be drawn whole:
        darkroom run --dataset fashion-mnist --set model.latent_dim=2
    Your own configuration, and a work folder of its own:
        darkroom run --images ~/Pictures/cats --config cats.yaml --work ~/cats-model

    \b
    It ends with one of these statuses:
        0  a model was pushed
        1  a fault of the program or the machine: the log says more
        2  something is wrong with the arguments, the configuration or the pictures
        3  a gate said no to the data, the model or its export: nothing was pushed
        4  another run holds the work folder
    """
    from pipeline.console import hushed
    from pipeline.request import make_request
    from pipeline.run import run as run_request

    with hushed():
        request = make_request(enable_cache=not no_cache, **asked)
    leave(run_request(request))


@cli.command()
@asks_for_a_run
@click.option(
    "--install", "cron", metavar="CRON", help="Has systemd or cron run this: minute, hour, day, month, weekday; or @daily."
)
@click.option(
    "--with", "keeper", type=click.Choice(["systemd", "cron"]), help="Who keeps it; else systemd if it answers, else cron."
)
@click.option("--yes", is_flag=True, help="Writes what --install shows without asking.")
@click.option("--uninstall", is_flag=True, help="Takes away what was installed for --work.")
@click.pass_context
def retrain(context: click.Context, cron: str | None, keeper: str | None, yes: bool, uninstall: bool, **asked: Any) -> None:
    """Runs the pipeline if there is something new, and says so in one line if there is not: for cron and timers.

    \b
    New is what was added, removed or edited among the pictures of the last spans, another configuration, or a last run that
    did not come to its end. It is judged against the last good model, and what is not blessed is not pushed:
        darkroom retrain --images '/data/span-{SPAN}' --config cats.yaml --work ~/cats
    The last seven days together, from the weights of the last good model:
        darkroom retrain --images '/data/{YYYY}-{MM}-{DD}' --set data.span_window=7 --set training.warm_start=true
    Every night at three, by systemd or cron; it shows first what it writes:
        darkroom retrain --images '/data/span-{SPAN}' --work ~/cats --install '0 3 * * *'
        darkroom retrain --uninstall --work ~/cats

    It ends with the statuses of `darkroom run`; 0 where nothing was new, 4 where another run is at work. Whom to tell how it
    ended is for the configuration's section `notify`.
    """
    from pipeline.console import hushed
    from pipeline.request import make_request
    from pipeline.retrain import retrain as retrain_request
    from pipeline.told import failure_told

    if uninstall or cron is not None:
        keep(context, cron, keeper, yes, asked)
        return
    if keeper or yes:
        raise click.UsageError("--with and --yes belong to --install", context)
    with failure_told(asked, lambda warning: click.secho(f"warning: {warning}", err=True, fg="yellow")):
        with hushed():
            request = make_request(**asked)
        status = retrain_request(request, click.echo)
    leave(status)


def keep(context: click.Context, cron: str | None, keeper: str | None, yes: bool, asked: dict[str, Any]) -> None:
    """Installs a job, or takes it away where there is no cron."""
    from pipeline import installation
    from pipeline import retrain as retraining
    from pipeline.console import hushed
    from pipeline.cron import parse_cron
    from pipeline.job import make_job
    from pipeline.request import make_request
    from pipeline.workspace import Workspace

    if context.params["uninstall"]:
        if asked["work"] is None or cron is not None:
            raise click.UsageError("--uninstall takes --work DIR, and no --install", context)
        installation.uninstall(Path(asked["work"]), click.echo)
        return
    fields = parse_cron(cron, "--install")
    with hushed():
        request = make_request(**asked)
        retraining.look(request)
    Workspace.create(request.work)
    job = make_job(fields, request, context.command.params, asked)
    installation.install(job, keeper, lambda: yes or agreed("write this?"), click.echo)


def agreed(question: str) -> bool:
    """Whether the person at the terminal agrees.

    Raises:
        InputError: There is nobody to ask.
    """
    from trainer.errors import InputError

    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise InputError("nothing was written: this is no terminal to ask at; with --yes it is written")
    return click.confirm(question)


@cli.command()
@click.option("--work", metavar="DIR", required=True, help="The work folder.")
@click.option("--run", "run_id", metavar="ID", help="An earlier run, by its id; else the last one.")
def report(work: str, run_id: str | None) -> None:
    """Says how a run ended, and where its report is.

    \b
    The last run:
        darkroom report --work work/digits
    An earlier one:
        darkroom report --work work/digits --run 20261120-093015
    """
    from pipeline.history import last_run, tell

    for line in tell(last_run(work) if run_id is None else run_id, work):
        click.echo(line)


@cli.group(invoke_without_command=True)
@click.option("--work", metavar="DIR", help="The work folder.")
@click.pass_context
def runs(context: click.Context, work: str | None) -> None:
    """Lists the runs of a work folder: how they ended, on how many pictures, and their figures beside the one before.

    \b
        darkroom runs --work work/digits
        darkroom runs show 20261120-093015 --work work/digits
    """
    if context.invoked_subcommand is not None:
        return
    if work is None:
        raise click.UsageError("--work is missing", context)
    from pipeline.rollback import rollbacks
    from pipeline.runs import list_runs, table

    for line in [*table(list_runs(work)), *map(str, rollbacks(Path(work)))]:
        click.echo(line)


@runs.command(name="show")
@click.argument("run_id", metavar="ID")
@click.option("--work", metavar="DIR", required=True, help="The work folder.")
def show_run(run_id: str, work: str) -> None:
    """Shows a run in full."""
    from pipeline.runs import show

    for line in show(run_id, work):
        click.echo(line)


@cli.command()
@click.argument("model", metavar="MODEL")
@click.option("--work", metavar="DIR", required=True, help="The work folder.")
def lineage(model: str, work: str) -> None:
    """Says which pictures, configuration, code and earlier model made a pushed one, by ML Metadata.

    MODEL is its version, or the folder in which it is served.

    \b
        darkroom lineage 3 --work work/digits
    """
    from trainer.errors import InputError

    name = Path(model).name
    if not name.isdecimal():
        raise InputError(f"a pushed model is told by its version, such as 3 or serving/3, not {model}")
    version = int(name)
    from pipeline.console import quiet

    with quiet(Path(os.devnull)):
        from pipeline.lineage import lineage as lineage_of
        from pipeline.rollback import rollbacks
        from pipeline.workspace import Workspace

        workspace = Workspace.open(work)
        lines = lineage_of(workspace, version).lines()
        lines += [str(done) for done in rollbacks(workspace.root) if done.became == version]
    for line in lines:
        click.echo(line)


@cli.command()
@click.argument("version", metavar="[VERSION]", type=int, required=False)
@click.option("--work", metavar="DIR", required=True, help="The work folder.")
@click.option("--why", metavar="TEXT", default="", help="The reason, which is recorded.")
def rollback(version: int | None, work: str, why: str) -> None:
    """Puts an earlier pushed model back into service, and has new ones judged against it.

    It is pushed under a new number, for servers take the highest. The models that were pushed after it are withdrawn: a run
    that comes to one of them again ends as refused. To take it back, roll back to the withdrawn version.

    
    The model before the one in service:
        darkroom rollback --work work/digits --why "grey stripes"
    A certain one:
        darkroom rollback 3 --work work/digits
    """
    from pipeline.console import quiet
    from pipeline.run import shown, whoami

    with quiet(Path(os.devnull)):
        from components.model_gate.decisions import RolledBack
        from pipeline.afterwards import renew_metrics
        from pipeline.rollback import rollback as roll_back
        from pipeline.workspace import Workspace

        workspace = Workspace.open(work)
        done = roll_back(workspace, version, RolledBack.now(whoami(), why))
        warnings = renew_metrics(workspace)
    for warning in warnings:
        click.echo(f"warning: {warning}", err=True)
    if done.withdrawn:
        numbers = ", ".join(map(str, done.withdrawn))
        click.echo(
            f"withdrawn: version{'s' if done.withdrawn[1:] else ''} {numbers}; such a model is not pushed again unless you say so"
        )
    if done.taken_back:
        click.echo(f"no longer withdrawn, as that was undone: {', '.join(map(str, done.taken_back))}")
    folder = shown(workspace.serving / str(done.became))
    click.secho(f"rolled back: version {done.version} is in service as version {done.became}, {folder}", fg="green", bold=True)


@cli.command()
@click.option("--work", metavar="DIR", required=True, help="The work folder.")
@click.option(
    "--keep", metavar="N", type=int, default=5, show_default=True, help="How many ended runs and how many pushed versions stay."
)
@click.option("--dry-run", is_flag=True, help="Shows what would go, and removes nothing.")
@click.option("--yes", is_flag=True, help="Removes it without asking.")
def gc(work: str, keep: int, dry_run: bool, yes: bool) -> None:
    """Removes artifacts, versions and reports that no kept model or run needs; shows them first.

    The model in service, what the next run is compared with, and every run's verdict always stay.

    \b
    What would go:
        darkroom gc --keep 5 --work work/digits --dry-run
    From a timer, without asking:
        darkroom gc --keep 5 --work work/digits --yes
    """
    from pipeline.console import quiet
    from pipeline.workspace import Workspace

    workspace = Workspace.open(work)
    with workspace.lock():
        with quiet(Path(os.devnull)):
            from pipeline.gc import carry_out, megabytes, plan

            found = plan(workspace, keep)
        for line in found.lines():
            click.echo(f"  {line}")
        if not found.sizes:
            click.echo("nothing to remove")
        elif dry_run or not (yes or (sys.stdin.isatty() and click.confirm(f"remove these {megabytes(found.bytes)}?"))):
            click.echo(f"{megabytes(found.bytes)} could be freed; nothing was removed" + ("" if dry_run else " (--yes removes it)"))
        else:
            with quiet(Path(os.devnull)):
                carry_out(workspace, found)
            click.echo(f"removed: {megabytes(found.bytes)}")


def main(arguments: Sequence[str] | None = None, more: Sequence[click.Command] = ()) -> None:
    """Runs a command: those above, those for pushed models, which live beside the models' own reader, and `more`.

    Args:
        arguments: Without the program's name; None takes this process's own.
        more: The commands of packages above this one.
    """
    use_utf8(arguments)
    from pipeline.backup_commands import COMMANDS as BACKUP_COMMANDS
    from pipeline.inspect_command import inspect
    from pipeline.schema_commands import schema
    from serving.commands import COMMANDS

    for command in (inspect, *COMMANDS, schema, *BACKUP_COMMANDS, *more):
        cli.add_command(command)
    cli(args=arguments, prog_name="darkroom")
