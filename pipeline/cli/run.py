"""The commands `darkroom run` and `darkroom retrain`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from pipeline.cli.completion import complete_dataset, complete_folder, complete_path
from pipeline.cli.group import with_options
from pipeline.cli.options import config_option, set_option
from pipeline.cli.results import print_json
from pipeline.verdict.status import leave

asks_for_a_run = with_options(
    click.option(
        "--images",
        metavar="DIR|FILE|URI",
        shell_complete=complete_path,
        help="The pictures: a folder, archive, arrays, TFRecords or a manifest.",
    ),
    click.option(
        "--dataset",
        metavar="NAME",
        shell_complete=complete_dataset,
        help="A data set: digits (default), mnist, fashion-mnist or cifar10.",
    ),
    click.option(
        "--data-root",
        metavar="DIR",
        shell_complete=complete_folder,
        help="Folder of data sets. Default: $DARKROOM_DATASETS, else they are downloaded.",
    ),
    config_option,
    set_option,
    click.option(
        "--work",
        metavar="DIR",
        shell_complete=complete_folder,
        help="The work folder. Default: work/ and the name of the data set or folder.",
    ),
    click.option(
        "--orchestrator", type=click.Choice(["local", "beam"]), default="local", show_default=True, help="What runs the graph."
    ),
    click.option(
        "--engine",
        type=click.Choice(["direct", "direct-mp", "portable"]),
        help="What processes the pictures: the field beam.engine of the configuration.",
    ),
    click.option(
        "--beam-arg", "beam_args", metavar="ARG", multiple=True, help="An argument for Beam: --runner=FlinkRunner. Repeatable."
    ),
)

verdict_option = click.option(
    "--json", "as_json", is_flag=True, help="Print the verdict as JSON at the end, and all lines on standard error."
)


@click.command()
@asks_for_a_run
@click.option("--no-cache", is_flag=True, help="Ignore cached results of earlier runs.")
@click.option("--accept-drift", is_flag=True, help="Accept pictures that drifted; they become the new baseline.")
@click.option("--bless", metavar="WHY", help="Push the model even if the model gate refuses it; WHY is recorded.")
@verdict_option
def run(no_cache: bool, as_json: bool, **asked: Any) -> None:
    """Train a VAE on pictures, evaluate it, and push its decoder.

    \b
    The digits that are included:
        darkroom run
    A folder of pictures; folders inside it are labels, or splits if they are called train, eval and test:
        darkroom run --images ~/Pictures/cats
    Larger pictures, a longer training:
        darkroom run --images ~/Pictures/cats --set preprocessing.height=64 --set preprocessing.width=64
            --set training.epochs=100
    Fashion-MNIST, with two latent dimensions, so that the whole latent space can be drawn:
        darkroom run --dataset fashion-mnist --set model.latent_dim=2
    Your own configuration, and a work folder of its own:
        darkroom run --images ~/Pictures/cats --config cats.yaml --work ~/cats-model

    \b
    The command ends with one of these statuses:
        0  a model was pushed
        1  a fault of the program or the machine: see the log
        2  the arguments, the configuration or the pictures are not valid
        3  a gate refused the data, the model or its export: nothing was pushed
        4  another run holds the work folder
    """
    from common.quiet import hushed
    from pipeline.running.request import make_request
    from pipeline.running.run import run as run_request

    with hushed():
        request = make_request(enable_cache=not no_cache, **asked)
    leave(run_request(request, as_json))


@click.command()
@asks_for_a_run
@click.option(
    "--install", "cron", metavar="CRON", help="Schedule this command, by a cron expression such as '0 3 * * *' or @daily."
)
@click.option(
    "--with",
    "keeper",
    type=click.Choice(["systemd", "cron"]),
    help="The scheduler. Default: systemd if it is available, otherwise cron.",
)
@click.option("--yes", is_flag=True, help="Install without asking.")
@click.option("--uninstall", is_flag=True, help="Remove the schedule of --work.")
@verdict_option
@click.pass_context
def retrain(
    context: click.Context, cron: str | None, keeper: str | None, yes: bool, uninstall: bool, as_json: bool, **asked: Any
) -> None:
    """Run the pipeline if something is new.

    Otherwise print one line. The command is made for cron and timers.

    \b
    New means: pictures of the last spans were added, removed or edited, the configuration changed, or the last run did not
    finish. The new model is compared with the last blessed model, and is pushed only if it is blessed:
        darkroom retrain --images '/data/span-{SPAN}' --config cats.yaml --work ~/cats
    The last seven days together, from the weights of the last blessed model:
        darkroom retrain --images '/data/{YYYY}-{MM}-{DD}' --set data.span_window=7 --set training.warm_start=true
    Every night at three, by systemd or cron; it shows the files before it writes them:
        darkroom retrain --images '/data/span-{SPAN}' --work ~/cats --install '0 3 * * *'
        darkroom retrain --uninstall --work ~/cats

    The exit statuses are those of `darkroom run`; 0 if nothing was new, 4 if another run is active. The section `notify` of
    the configuration names who is notified of the outcome.
    """
    from common.quiet import hushed
    from pipeline.running.early_failure import notifying_of_failure
    from pipeline.running.new_data import retrain as retrain_request
    from pipeline.running.request import make_request

    if uninstall or cron is not None:
        if as_json:
            raise click.UsageError("--json belongs to a run, not to --install or --uninstall", context)
        keep(context, cron, keeper, yes, asked)
        return
    if keeper or yes:
        raise click.UsageError("--with and --yes belong to --install", context)
    with notifying_of_failure(asked, lambda warning: click.secho(f"warning: {warning}", err=True, fg="yellow")):
        with hushed():
            request = make_request(**asked)
        status = retrain_request(request, _tell_json if as_json else click.echo, as_json)
    leave(status)


def _tell_json(line: str) -> None:
    """Print that nothing is new as JSON; warnings go to standard error."""
    from pipeline.running.new_data import NOTHING_NEW

    if line.startswith(NOTHING_NEW):
        print_json({"outcome": "unchanged", "reasons": [line]})
    else:
        click.echo(line, err=True)


def keep(context: click.Context, cron: str | None, keeper: str | None, yes: bool, asked: dict[str, Any]) -> None:
    """Install a scheduled job, or remove it with --uninstall."""
    from common.quiet import hushed
    from pipeline.running import new_data as retraining
    from pipeline.running.request import make_request
    from pipeline.scheduling import installation
    from pipeline.scheduling.cron import parse_cron
    from pipeline.scheduling.job import make_job
    from pipeline.workspace.layout import Workspace

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
    """Return True if the user at the terminal agrees; raise InputError if there is no terminal."""
    from common.errors import InputError

    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise InputError("nothing was written: there is no terminal to ask for consent; give --yes to write without asking")
    return click.confirm(question)


COMMANDS = (run, retrain)
