"""`darkroom run`: from a folder of pictures to a verdict."""

from __future__ import annotations

import datetime
import getpass
import hashlib
import json
import logging
import os
import platform
import re
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from common.errors import GateRefused, InputError
from common.quiet import quiet
from components.pusher.versions import in_service
from pipeline.config.schema import Config
from pipeline.maintenance import backup, orphans
from pipeline.maintenance.disk_space import check_record, check_room, disk_full
from pipeline.maintenance.recovery import UNFINISHED_REPORT, clear
from pipeline.metadata.history import blessed_by
from pipeline.metadata.store import StoreDamaged, connection, settle
from pipeline.reporting.mlflow import check
from pipeline.running.console import Display, progress_shown
from pipeline.running.post_run import after_run
from pipeline.running.request import Request
from pipeline.running.signals import interruptible
from pipeline.verdict.outcomes import NodeOutcome
from pipeline.verdict.status import Status, in_one_line
from pipeline.verdict.steps import describe, notes_of
from pipeline.verdict.verdict import Verdict, judge
from pipeline.workspace.layout import DiskFull, Workspace, command
from pipeline.workspace.scratch import remove_own, scratch

LOGGER = logging.getLogger("darkroom.run")
# Beam in this process. Its default runner would look for a binary on the network first; and without the last argument TFX
# packs itself up for each component, for workers that there are none of.
LOCAL_BEAM = ("--runner=apache_beam.runners.portability.fn_api_runner.FnApiRunner", "--sdk_container_image=none")
INTERRUPTED = "the next run goes on from the last finished component"


def run(request: Request) -> Status:
    """Runs the pipeline; every end that it can come to is a status, a verdict file and a last line.

    Args:
        request: What is asked for.

    Returns:
        The exit status.

    Raises:
        DiskFull: There is not even room to say how a run ended.
        InputError: The work folder, its metadata's database or the schema cannot be used, or MLflow is asked for and not there.
        WorkFolderBusy: Another run holds the work folder, or another program its database.
    """
    check(request.config)
    workspace = Workspace.create(request.work)
    with workspace.lock():
        settle(workspace, request.config.metadata)
        check_record(workspace, request.images, request.config)
        schema = place_schema(request.config.schema, workspace)
        run_id = new_record(workspace, request.config)
        folder = workspace.run(run_id)
        with quiet(folder / "log.txt") as (out, err):
            return Run(request, workspace, run_id, schema, out, err).to_the_end()


def new_record(workspace: Workspace, config: Config) -> str:
    """Gives a new run its folder, with its configuration; its id.

    Raises:
        DiskFull: There is no room for it; no folder is left.
    """
    run_id = ""
    try:
        run_id = workspace.new_run()
        (workspace.run(run_id) / "config.yaml").write_text(config.to_yaml(), encoding="utf-8")
    except OSError as error:
        if run_id:
            shutil.rmtree(workspace.run(run_id))
        full = disk_full(error, workspace.root)
        raise DiskFull(full) if full else error from None
    return run_id


def make_ready(request: Request, workspace: Workspace) -> int:
    """Puts a work folder in order before a run: nothing that an earlier one left unfinished is taken for a result.

    Returns:
        Of how many executions there were files that ML Metadata does not know; they were moved aside.

    Raises:
        StoreDamaged: ML Metadata's database is damaged.
        DiskFull: There is no room for the run.
    """
    backup.check(workspace)
    moved = orphans.put_away(workspace)
    clear(workspace)
    check_room(workspace, request.images, request.config)
    return len(moved)


def place_schema(path: str | None, workspace: Workspace) -> Path:
    """Lays the curated schema where the pipeline imports it from, in a folder named by its content.

    The importer knows a schema by where it is, so an edited one has to be somewhere else.

    Raises:
        InputError: There is no such schema, or it is none.
    """
    from pipeline.data.schemas import default_schema, read_schema

    source = Path(path) if path else default_schema()
    read_schema(source)
    text = source.read_text(encoding="utf-8")
    folder = workspace.artifacts / "schemas" / hashlib.sha256(text.encode()).hexdigest()[:16]
    folder.mkdir(parents=True, exist_ok=True)
    copy = folder / "schema.pbtxt"
    if not copy.is_file() or copy.read_text(encoding="utf-8") != text:
        copy.write_text(text, encoding="utf-8")
    return folder


def beam_args(given: Sequence[str]) -> list[str]:
    """What Beam is told: what is given, and to run in this process unless that names a runner."""
    elsewhere = any(argument.startswith("--runner") for argument in given)
    return [*given] if elsewhere else [*LOCAL_BEAM, *given]


class Run:
    """One run, from its first line to its last; it observes the components."""

    only: str | None = None  # the one node that is run, where others run the others; see `pipeline.running.stepwise`

    def __init__(self, request: Request, workspace: Workspace, run_id: str, schema: Path, out: IO[str], err: IO[str]):
        self.request, self.workspace, self.run_id, self.schema = request, workspace, run_id, schema
        self.display, self.complaints = Display(out), Display(err)
        self.begin = time.perf_counter()
        started = datetime.datetime.now().astimezone().isoformat(timespec="seconds")
        self.verdict = Verdict(run=run_id, title=request.config.title, images=request.images, started=started)
        self.rejects: list[dict[str, str]] = []
        self.duplicates: list[dict[str, str]] = []
        self.examples = ""

    def to_the_end(self) -> Status:
        """Runs, and ends in order whatever happens."""
        self.display.line(f"darkroom: {self.request.config.title} from {place(self.request.images)}", style="bold")
        with scratch():
            return self.guarded()

    def guarded(self) -> Status:
        """The run, whose temporary files are in a folder of their own."""
        with interruptible(self.last_words) as signalled:
            ended = Status.INTERRUPTED, None, [INTERRUPTED]
            try:
                with progress_shown(self.display):
                    ended = self.execute()
            except GateRefused as refusal:
                self.rejects = refusal.rejects or self.rejects
                self.verdict.drift = refusal.drift or self.verdict.drift
                if refusal.gate == "data":
                    self.show(refusal)
                ended = Status.REFUSED, refusal.gate, refusal.reasons
            except InputError as error:
                self.rejects = error.rejects
                ended = Status.MISTAKE, None, [str(error)]
            except KeyboardInterrupt:
                LOGGER.warning("interrupted")
            except DiskFull as full:
                ended = Status.FAULT, None, [str(full)]
            except StoreDamaged as error:
                LOGGER.exception("there is no metadata to go on from")
                ended = Status.FAULT, None, [str(error)]
            except Exception as error:
                LOGGER.exception("the run failed")
                ended = Status.FAULT, None, [disk_full(error, self.workspace.root) or one_line(error)]
            if signalled.is_set():  # whatever a library has made of it
                ended = Status.INTERRUPTED, None, [INTERRUPTED]
        self.end(*ended)
        return ended[0]

    def last_words(self) -> None:
        """Ends the run where its main thread does not come back from C++ code."""
        try:
            self.end(Status.INTERRUPTED, None, [INTERRUPTED])
        finally:
            remove_own()

    def execute(self) -> tuple[Status, str | None, list[str]]:
        """Runs the graph; gives the verdict on a run that came to its end."""
        self.make_ready()
        ended = self.run_graph()
        if ended[0] is Status.PUSHED and not self.serves():
            # The cache knows that this model was pushed once; it has been deleted since, or another took its place.
            ended = self.run_graph(push_anew=f"{self.run_id}-push")
            self.serves()
        if ended[0] is Status.PUSHED:
            try:
                backup.keep_copy(self.workspace)
            except Exception:
                LOGGER.exception("there is no new copy of metadata.db")
        return ended

    def make_ready(self) -> None:
        """Puts in order what an earlier run may have left."""
        moved = make_ready(self.request, self.workspace)
        if moved:
            aside = shown(self.workspace.root / orphans.ASIDE)
            self.display.line(f"files of {moved:,} executions that ML Metadata does not know were moved to {aside}")

    def serves(self) -> bool:
        """Whether the model is the one in service; if so, the verdict names its version."""
        current = in_service(Path(self.verdict.model["artifact"]), self.workspace.serving)
        if current:
            self.verdict.model |= {"version": int(current.name), "path": str(current)}
        return current is not None

    def run_graph(self, push_anew: str = "") -> tuple[Status, str | None, list[str]]:
        """Runs the graph once; see `create_pipeline` for the argument."""
        # Imported here: it takes seconds, and what it prints belongs into the log.
        from pipeline.graph.environments import Local
        from pipeline.graph.pipeline import create_pipeline
        from pipeline.running.runner import run_pipeline

        logging.getLogger().setLevel(logging.INFO)
        pipeline = create_pipeline(
            name="darkroom",
            root=str(self.workspace.artifacts),
            images=self.request.images,
            environment=Local(str(self.schema), str(self.workspace.checkpoints)),
            push_to=str(self.workspace.serving),
            config=self.request.config,
            metadata=connection(self.workspace),
            beam_args=beam_args(self.request.beam_args),
            enable_cache=self.request.enable_cache,
            accept_drift=self.request.accept_drift,
            push_anew=push_anew,
            bless_who=whoami() if self.request.bless else "",
            bless_why=self.request.bless,
        )
        return judge(run_pipeline(pipeline, push_anew or self.run_id, self.request.orchestrator, self, self.only))

    def started(self, name: str) -> None:
        """See `pipeline.verdict.outcomes.Observer`."""
        self.display.started(name)

    def finished(self, outcome: NodeOutcome) -> None:
        """See `pipeline.verdict.outcomes.Observer`."""
        again = any(c["name"] == outcome.name for c in self.verdict.components)
        if again and outcome.state == "cached":  # the graph runs a second time, for the push alone
            return
        self.verdict.add(outcome)
        self.display.ended(outcome.name, outcome.state, outcome.seconds, describe(outcome))
        if outcome.name == "ImageExampleGen" and outcome.outputs:
            examples = Path(outcome.outputs["examples"].uri)
            self.examples = str(examples)
            self.rejects, self.duplicates = (read_lines(examples / f"{name}.jsonl") for name in ("rejects", "duplicates"))
            for note in notes_of(outcome.outputs):
                self.display.line(f"    {note}", style="dim")
        elif outcome.name == "Trainer" and outcome.outputs:
            shutil.rmtree(self.workspace.checkpoints, ignore_errors=True)  # it is at its end, and its output is known
        elif outcome.name == "Report" and outcome.outputs:
            place_report(Path(outcome.outputs["report"].uri), self.workspace, self.run_id)
            self.verdict.report = str(self.workspace.run(self.run_id) / "report" / "index.html")

    def show(self, refusal: GateRefused) -> None:
        """Writes a report on pictures that were refused; whatever goes wrong with it, the refusal stands."""
        from components.report.refusal import Refusal, write_refusal
        from pipeline.metadata.lineage import examples_of

        try:
            before = examples_of(self.workspace, refusal.compared_with) if refusal.compared_with else ""
            page = Refusal(
                title=self.request.config.title,
                run_id=self.run_id,
                reasons=refusal.reasons,
                evidence=refusal.evidence,
                examples=self.examples,
                before=before,
                rejects=self.rejects,
            )
            folder = self.workspace.run(self.run_id) / "report"
            write_refusal(page, self.request.config.preprocessing, folder)
            place_report(folder, self.workspace, self.run_id)
            self.verdict.report = str(folder / "index.html")
        except Exception:
            LOGGER.exception("there is no report on the refusal")

    def end(self, status: Status, gate: str | None, reasons: list[str]) -> None:
        """Writes down how the run ended, and says so."""
        self.display.close()
        self.verdict.end(status, gate, reasons)
        self.verdict.seconds = round(time.perf_counter() - self.begin, 3)
        try:
            self.write_down()
        except OSError as error:  # said, for nobody will find it written
            self.complaints.line(f"warning: the run's record is not complete: {error.strerror}, {error.filename}", style="yellow")
        for warning in after_run(self.request, self.workspace, self.verdict):
            self.complaints.line(f"warning: {warning}", style="yellow")
        if status is Status.PUSHED:
            self.say_pushed()
        else:
            self.say_why(status, gate, reasons)

    def write_down(self) -> None:
        """Writes the verdict, and lists what of the pictures was not taken.

        Raises:
            OSError: It cannot be written.
        """
        self.verdict.write(self.workspace.run(self.run_id) / "verdict.json")
        rejects = self.workspace.rejects(self.run_id)
        if self.rejects:
            write_lines(rejects, self.rejects)
            self.display.line(f"{len(self.rejects):,} pictures were refused, listed in {shown(rejects)}")
        if self.duplicates:
            path = rejects.with_name(f"{self.run_id}-duplicates.jsonl")
            write_lines(path, self.duplicates)
            self.display.line(f"{len(self.duplicates):,} exact duplicates were left out, listed in {shown(path)}")

    def say_report(self) -> None:
        """Says where the report is, and whether a person has overruled the model gate."""
        if self.verdict.report:
            self.display.line(f"report: {shown(self.workspace.report / 'index.html')}")
        forced = self.verdict.blessed_by
        if forced:
            for reason in self.verdict.overruled:
                self.display.line(f"  {reason}", style="yellow")
            self.display.line(blessed_by(forced), style="bold yellow")

    def say_pushed(self) -> None:
        """The last lines of a run that pushed a model."""
        self.say_report()
        if self.request.bless and not self.verdict.blessed_by:
            self.display.line("--bless was not needed and is not recorded: the model gate blessed the model")
        self.display.line(f"try: {command('generate', shown(self.workspace.root))} --out new.png")
        where = f"version {self.verdict.model['version']}, {shown(Path(self.verdict.model['path']))}"
        self.display.line(in_one_line(f"pushed: {where} ({self.verdict.seconds:.0f} s)"), style="bold green")

    def say_why(self, status: Status, gate: str | None, reasons: list[str]) -> None:
        """The last lines of a run that did not."""
        self.say_report()
        folder = self.workspace.run(self.run_id)
        what = f"refused by the {gate} gate" if gate else status.word
        for reason in reasons[1:]:
            self.complaints.line(f"  {in_one_line(reason)}")
        if any("drifted" in reason for reason in reasons):
            self.complaints.line("  if the pictures are meant to be so from now on: darkroom run --accept-drift ...")
        if gate == "model":
            self.complaints.line('  if it is to be pushed all the same: darkroom run --bless "the reason" ...')
        elif gate and self.request.bless:
            self.complaints.line(f"  --bless overrules the model gate alone, not the {gate} gate")
        more = f"; {len(reasons) - 1} more above" if reasons[1:] else ""
        log = "" if status in (Status.MISTAKE, Status.INTERRUPTED) else f" (see {shown(folder)})"
        self.complaints.line(in_one_line(f"{what}: {reasons[0]}{more}{log}"), style="bold red")


def whoami() -> str:
    """Who runs this, as user@host."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        user = str(os.getuid())
    return f"{user}@{platform.node() or 'localhost'}"


def place_report(source: Path, workspace: Workspace, run_id: str) -> None:
    """Copies a report into the run's folder, and to where the last one is looked for."""
    own = workspace.run(run_id) / "report"
    if source != own:
        shutil.copytree(source, own, dirs_exist_ok=True)
    fresh = workspace.root / f"{UNFINISHED_REPORT}{run_id}"
    shutil.copytree(source, fresh, dirs_exist_ok=True)
    shutil.rmtree(workspace.report, ignore_errors=True)
    fresh.rename(workspace.report)


def read_lines(path: Path) -> list[dict[str, str]]:
    """A file of JSON lines; empty where there is none."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.is_file() else []


def write_lines(path: Path, lines: Sequence[dict[str, str]]) -> None:
    """Writes a file of JSON lines."""
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), encoding="utf-8")


def one_line(error: BaseException) -> str:
    """An exception in one line, short enough to read."""
    text = re.sub(r"\s+", " ", str(error)).strip()
    return f"{type(error).__name__}: {text[:300]}" if text else type(error).__name__


def place(images: str) -> str:
    """Where pictures are, as a person would type it."""
    return images if "://" in images else shown(Path(images))


def shown(path: Path) -> str:
    """A path as a person would type it: relative to the current folder where it lies below."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)
