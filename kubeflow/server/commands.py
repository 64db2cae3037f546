"""The commands `darkroom submit` and `darkroom schedule`, for Kubeflow Pipelines and Vertex AI."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import click

from common.errors import InputError
from pipeline.cli.completion import complete_path
from pipeline.cli.group import fail, with_options
from pipeline.cli.options import json_option
from pipeline.cli.results import print_json
from pipeline.verdict.status import Status

_KFP_ONLY = ("host", "namespace", "experiment")
_VERTEX_ONLY = ("project", "region")

_shared = with_options(
    click.option("--target", type=click.Choice(["kfp", "vertex"]), default="kfp", show_default=True, help="The kind of server."),
    click.option("--host", metavar="URL", help="kfp: the server; else $KFP_HOST, else in a pod the cluster's own."),
    click.option("--namespace", metavar="NS", help="kfp: the user's namespace; else $KFP_NAMESPACE, else in a pod its own."),
    click.option("--experiment", metavar="NAME", help="kfp: where runs are listed; else the pipeline's name."),
    click.option("--project", metavar="ID", help="vertex: the project; else $GOOGLE_CLOUD_PROJECT."),
    click.option("--region", metavar="NAME", help="vertex: the region; else $GOOGLE_CLOUD_REGION."),
    click.option("--parameter", "parameters", metavar="K=V", multiple=True, help="A parameter's value; may be repeated."),
    click.option("--pipeline-root", metavar="URI", help="Where outputs go; else what the file says, or the server."),
    click.option("--service-account", metavar="NAME", help="The tasks' service account; else the server's default."),
)


@click.command()
@click.argument("file", metavar="FILE.yaml", shell_complete=complete_path)
@_shared
@click.option("--run-name", metavar="NAME", help="The run's name; else the pipeline's name and the time.")
@click.option("--wait", is_flag=True, help="Wait for the run's end, and exit with its verdict's status.")
@json_option
def submit(file: str, run_name: str | None, wait: bool, as_json: bool, **options: Any) -> None:
    """Run a compiled pipeline on a server. It is uploaded if the server does not have it.

    \b
    On a server of Kubeflow Pipelines:
        darkroom submit pipeline.yaml --host https://kubeflow.example.com
    Behind a sign-in, with a token from a file that another program renews:
        KFP_TOKEN_FILE=~/token darkroom submit pipeline.yaml --host https://kubeflow.example.com --namespace team-a
    With other values than the file's, waiting for the end:
        darkroom submit pipeline.yaml --parameter epochs=100 --parameter 'labels=["cat", "dog"]' --wait
    On Vertex AI, with the default credentials of gcloud:
        darkroom submit pipeline.yaml --target vertex --project my-project --region europe-west4
            --pipeline-root gs://my-bucket/darkroom

    \b
    --wait ends with status 3 if a gate refused, 2 if a step could not use its input, 1 after any other fault. The reasons are
    those of the run's verdict.json, if this machine's own credentials can read the registry.

    \b
    A token is taken from $KFP_TOKEN or the file $KFP_TOKEN_FILE; $KFP_IAP_CLIENT_ID signs in with Google's Identity-Aware
    Proxy; in a pod the pod's own token is used. Tokens are never written to files.
    """
    _check_target(options)
    _check_file(file, options)
    if options["target"] == "vertex":
        from kubeflow.server import vertex

        place = vertex.find_place(options["project"], options["region"])
        run = vertex.submit(file, place, run_name=run_name, **_run_options(options, ()))
        waiter = lambda: vertex.wait_for(run.run_id, place, tell=_tell_state(as_json))  # noqa: E731
    else:
        from kubeflow.server import connection, submission

        server = connection.connect(options["host"], options["namespace"])
        run = submission.submit(file, server, run_name=run_name, **_run_options(options, ("experiment",)))
        waiter = lambda: submission.wait_for(server, run.run_id, tell=_tell_state(as_json))  # noqa: E731
    if as_json:
        print_json(dataclasses.asdict(run))
    else:
        _tell_submitted(run, options["target"])
    if wait:
        _wait(waiter, file, run, as_json)


@click.command()
@click.argument("file", metavar="[FILE.yaml]", required=False, shell_complete=complete_path)
@_shared
@click.option("--cron", metavar="CRON", help="When: minute, hour, day of month, month, day of week; or @daily and the like.")
@click.option("--every", metavar="INTERVAL", help="Or how often: 30m, 6h, 1d, 1d12h.")
@click.option("--timezone", metavar="ZONE", help="vertex: the cron's time zone, such as Europe/Berlin; else UTC.")
@click.option("--name", metavar="NAME", help="The schedule's name; else the pipeline's. The one that has it is replaced.")
@click.option("--list", "list_them", is_flag=True, help="List the schedules.")
@click.option("--pause", metavar="NAME", help="Pause a schedule.")
@click.option("--resume", metavar="NAME", help="Resume a schedule, without a run for each missed time.")
@click.option("--remove", metavar="NAME", help="Delete a schedule; its past runs stay.")
@json_option
def schedule(
    file: str | None,
    list_them: bool,
    pause: str | None,
    resume: str | None,
    remove: str | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Run a compiled pipeline on a schedule, one run at a time.

    \b
    Every night at three, and every six hours:
        darkroom schedule pipeline.yaml --cron '0 3 * * *'
        darkroom schedule pipeline.yaml --every 6h
    A new version, or another time, replaces the old schedule once it is in force:
        darkroom schedule new-pipeline.yaml --cron '0 4 * * MON-FRI'
    Two schedules of one pipeline need names:
        darkroom schedule pipeline.yaml --name weekly-cats --cron @weekly --parameter images=s3://bucket/cats
    List, stop and delete schedules:
        darkroom schedule --list
        darkroom schedule --pause weekly-cats
        darkroom schedule --resume weekly-cats
        darkroom schedule --remove weekly-cats
    On Vertex AI, in the time zone of Berlin:
        darkroom schedule pipeline.yaml --target vertex --project my-project --region europe-west4
            --pipeline-root gs://my-bucket/darkroom --cron '0 3 * * *' --timezone Europe/Berlin

    \b
    Kubeflow Pipelines uses the time zone of its own configuration, which is UTC by default.
    """
    action, name = _one_action(file, list_them, {"pause": pause, "resume": resume, "remove": remove})
    _check_target(options)
    _check_action(action, options)
    if action == "schedule":
        _check_file(file, options)
    module, where = _backend(options)
    if action == "list":
        found = module.list_schedules(where)
        if as_json:
            print_json({"schedules": list(map(dataclasses.asdict, found))})
        else:
            _tell_schedules(found)
    elif action != "schedule":
        done = getattr(module, action)(name, where)
        if action == "remove":
            _end_if_left(done[1])
        if as_json:
            print_json({f"{action}d": name})
        else:
            click.echo(f"{action}d: {name}")
    else:
        when = {key: options[key] for key in ("cron", "every", "timezone", "name")}
        only = ("experiment",) if options["target"] == "kfp" else ()
        done = module.schedule(file, where, **when, **_run_options(options, only))
        if as_json:
            print_json(dataclasses.asdict(done))
            _end_if_left(done.left)
        else:
            _tell_scheduled(done)


COMMANDS = (submit, schedule)


def _one_action(file: str | None, list_them: bool, named: dict[str, str | None]) -> tuple[str, str]:
    """Return the action of `schedule`, and the name of the schedule."""
    actions = [("list", "")] if list_them else []
    actions += [(action, name) for action, name in named.items() if name is not None]
    if file is not None:
        actions.append(("schedule", ""))
    if len(actions) > 1:
        options = ["FILE.yaml" if action == "schedule" else f"--{action}" for action, _ in actions]
        raise InputError(f"{' and '.join(options)} do not go together: one thing at a time")
    if not actions:
        raise InputError("say what: FILE.yaml with --cron or --every, or --list, --pause NAME, --resume NAME, --remove NAME")
    if actions[0][0] in named and not actions[0][1].strip():
        raise InputError(f"--{actions[0][0]} needs a schedule's name; --list says them")
    return actions[0]


def _check_target(options: dict[str, Any]) -> None:
    wrong = _VERTEX_ONLY if options["target"] == "kfp" else _KFP_ONLY
    given = [f"--{key}" for key in wrong if options[key] is not None]
    if given:
        raise InputError(f"{', '.join(given)} has no meaning with --target {options['target']}")


def _check_action(action: str, options: dict[str, Any]) -> None:
    """Refuse options that apply only to a new schedule."""
    if action == "schedule":
        if (options["cron"] is None) == (options["every"] is None):
            raise InputError("say either --cron '0 3 * * *' or --every 6h")
        _check_when(options)
        return
    keys = ("cron", "every", "timezone", "name", "experiment", "parameters", "pipeline_root", "service_account")
    given = [f"--{key.removesuffix('s') if key == 'parameters' else key.replace('_', '-')}" for key in keys if options[key]]
    if given:
        raise InputError(f"{', '.join(given)} belongs to FILE.yaml, not to --{action}")


def _check_when(options: dict[str, Any]) -> None:
    """Refuse an invalid time before any request is sent."""
    from kubeflow.server import cron

    text, timezone = options["cron"], options["timezone"]
    if options["target"] == "vertex":
        cron.to_vertex(cron.every_as_cron(options["every"]) if text is None else text, timezone)
    elif text is not None:
        cron.to_kfp(text, timezone)
    else:
        cron.refuse_timezone(timezone)
        cron.parse_every(options["every"])


def _check_file(file: str, options: dict[str, Any]) -> None:
    """Refuse an invalid file or invalid parameters before any request is sent."""
    from kubeflow.compile.lint import lint
    from kubeflow.compile.packages import fill_parameters, read_package

    package, target = read_package(file), options["target"]
    # The rule on lost defaults does not apply here: each run is given a value for every parameter.
    result = next((each for each in lint(package.path.read_text("utf-8"), target) if each.rule != "parameter"), None)
    if result is not None:
        more = f"darkroom lint {file}" + (" --target vertex" if target == "vertex" else "")
        raise InputError(f"{file} cannot run there: {result}; `{more}` lists all problems")
    fill_parameters(package, options["parameters"])


def _run_options(options: dict[str, Any], also: Sequence[str]) -> dict[str, Any]:
    return {key: options[key] for key in ("parameters", "pipeline_root", "service_account", *also)}


def _backend(options: dict[str, Any]) -> tuple[Any, Any]:
    """Return the module for the target's schedules, and its connection or place."""
    if options["target"] == "vertex":
        from kubeflow.server import vertex

        return vertex, vertex.find_place(options["project"], options["region"])
    from kubeflow.server import connection, schedules

    return schedules, connection.connect(options["host"], options["namespace"])


def _wait(waiter: Callable[[], Any], file: str, run: Any, as_json: bool) -> None:
    """Wait for a run, and end with the status of its verdict. With `as_json`, lines go to standard error."""
    from kubeflow.compile.packages import read_package
    from kubeflow.server.connection import ServerFault
    from kubeflow.server.outcome import outcome_of

    package = read_package(file)
    try:
        ending = waiter()
    except KeyboardInterrupt:
        fail(f"no longer waiting; the run goes on: {run.url}", Status.INTERRUPTED)
    except ServerFault as error:
        fail(f"{error}; no longer waiting, the run goes on: {run.url}", Status.FAULT)
    outcome = outcome_of(ending, package, run.run_id)
    if outcome.note:
        click.echo(f"verdict: {outcome.note}", err=as_json)
    if outcome.place:
        click.echo(f"verdict: {outcome.status.word}, {outcome.place}", err=as_json)
    if outcome.status is not Status.PUSHED:
        fail(outcome.why if outcome.place else f"{outcome.why}: {run.url}", outcome.status)


def _tell_state(err: bool) -> Callable[[str], None]:
    """Return a function that prints a state, on standard error if asked."""
    return lambda state: click.echo(f"state: {state.lower()}", err=err)


def _tell_submitted(run: Any, target: str) -> None:
    if target == "kfp":  # Vertex AI keeps no versions
        click.echo(f"version: {run.version.name} ({'uploaded' if run.version.uploaded else 'was there'})")
    click.echo(f"run: {run.run_id}")
    click.echo(f"url: {run.url}")
    click.echo(f"root: {run.root or 'the default of the server'}")


def _tell_scheduled(done: Any) -> None:
    click.echo(f"version: {done.version.name}{' (uploaded)' if done.version.uploaded else ''}")
    click.echo(f"root: {done.root or 'the default of the server'}")
    if done.made:
        click.echo(f"scheduled: {done.name}, {done.when} ({done.id})")
    else:
        click.echo(f"nothing to do: {done.name} is there already, {done.when} ({done.id})")
    if done.woken:
        click.echo(f"resumed: {done.name} had been paused, and fires again")
    for id in done.removed:
        click.echo(f"removed: the older {id}")
    _end_if_left(done.left)


def _end_if_left(left: Sequence[Any]) -> None:
    if left:
        remaining = "; ".join(f"{item.id}{' STILL FIRES' if item.fires else ' is disabled'}: {item.why}" for item in left)
        fail(f"could not delete all that was to go, repeat --remove or delete it in the user interface: {remaining}", Status.FAULT)


def _tell_schedules(schedules: Sequence[Any]) -> None:
    if not schedules:
        click.echo("there are no schedules")
    for each in schedules:
        when = each.written or each.cron or "never"
        click.echo(f"{each.name}: {when}, {'enabled' if each.enabled else 'paused'}, version {each.version or 'unknown'}")
        details = {"cron": each.cron if each.cron != when else None, "last": each.last, "next": each.next, "id": each.id}
        click.echo("    " + ", ".join(f"{key} {value}" for key, value in details.items() if value))
