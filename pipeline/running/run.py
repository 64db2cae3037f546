"""Run the pipeline from a folder of pictures to a verdict (`darkroom run`)."""

from __future__ import annotations

import datetime
import getpass
import json
import logging
import os
import platform
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from common.errors import GateRefused, InputError, MachineFault
from common.lean_imports import lean_imports
from common.lines import duration, in_one_line
from common.progress import Progress
from common.quiet import quiet
from components.pusher.versions import in_service
from pipeline.engines.arguments import beam_args
from pipeline.maintenance import backup, orphans
from pipeline.maintenance.disk_space import check_record, disk_full
from pipeline.maintenance.recovery import UNFINISHED_REPORT
from pipeline.metadata.history import blessed_by
from pipeline.metadata.progress import remove
from pipeline.metadata.store import StoreDamaged, connection, settle
from pipeline.reporting.mlflow import check
from pipeline.running.console import Display, progress_shown
from pipeline.running.expectation import expect
from pipeline.running.outlook import Outlook, refined
from pipeline.running.post_run import after_run
from pipeline.running.preparation import make_ready, new_record, place_schema
from pipeline.running.request import Request
from pipeline.running.signals import interruptible
from pipeline.verdict.nodes import NODES, summarize
from pipeline.verdict.outcomes import NodeOutcome
from pipeline.verdict.status import Status
from pipeline.verdict.verdict import FILE, Ending, Verdict, ending_of
from pipeline.workspace.layout import DiskFull, Workspace, command, this_process
from pipeline.workspace.scratch import remove_own, scratch

LOGGER = logging.getLogger("darkroom.run")
INTERRUPTED = Ending(Status.INTERRUPTED, None, ["the next run goes on from the last finished component"])


def run(request: Request, as_json: bool = False) -> Status:
    """Run the pipeline. Every outcome has an exit status, a verdict file and a last line.

    Args:
        request: The request of the run.
        as_json: Print the verdict as JSON at the end, and all lines on standard error.

    Raises:
        DiskFull: There is not enough space for the record of the run.
        InputError: The work folder, its metadata database or the schema cannot be used, or MLflow is configured and not
            available.
        WorkFolderBusy: Another run holds the work folder, or another program its database.
    """
    check(request.config)
    workspace = Workspace.create(request.work)
    with workspace.lock():
        settle(workspace, request.config.metadata)
        check_record(workspace, request.images, request.config, request.find)
        schema = place_schema(request.config.schema, workspace)
        run_id = new_record(workspace, request.config)
        folder = workspace.run(run_id)
        with quiet(folder / "log.txt") as (out, err):
            made = Run(request, workspace, run_id, schema, err if as_json else out, err)
            status = made.to_the_end()
            if as_json:
                out.write(made.verdict.to_json())
            return status


class Run:
    """One run, from its first to its last line. It observes the components."""

    only: str | None = None  # the only node to run in this process; see `pipeline.running.stepwise`

    def __init__(self, request: Request, workspace: Workspace, run_id: str, schema: Path, out: IO[str], err: IO[str]):
        self.request, self.workspace, self.run_id, self.schema = request, workspace, run_id, schema
        self.display, self.complaints = Display(out), Display(err)
        self.begin = time.perf_counter()
        started = datetime.datetime.now().astimezone().isoformat(timespec="seconds")
        self.verdict = Verdict(run=run_id, title=request.config.title, images=request.images, started=started)
        self.rejects: list[dict[str, str]] = []
        self.duplicates: list[dict[str, str]] = []
        self.examples = ""
        self.refusals: dict[str, GateRefused] = {}
        self.outlook: Outlook | None = None

    def to_the_end(self) -> Status:
        """Run, and end in order whatever happens."""
        self.display.line(f"darkroom: {self.request.config.title} from {place(self.request.images)}", style="bold")
        with scratch():
            with interruptible(self.last_words) as signalled:
                ending = INTERRUPTED
                try:
                    with progress_shown(self.progress):
                        self.execute()
                    ending = Ending(Status.PUSHED)
                except KeyboardInterrupt:
                    LOGGER.warning("interrupted")
                except (GateRefused, InputError, MachineFault) as error:
                    ending = self.explained(error)
                except Exception as error:
                    LOGGER.exception("the run failed")
                    full = disk_full(error, self.workspace.root)
                    ending = ending_of(DiskFull(full) if full else error)
                if signalled.is_set():  # a library may have turned the interrupt into another exception
                    ending = INTERRUPTED
            self.end(ending)
        return ending.status

    def explained(self, error: GateRefused | InputError | MachineFault) -> Ending:
        """Record what an expected error says about the pictures, and return how the run ends."""
        self.rejects = getattr(error, "rejects", []) or self.rejects
        if isinstance(error, GateRefused):
            self.verdict.drift = error.drift or self.verdict.drift
            if error.gate == "data":
                self.show(error)
        elif isinstance(error, StoreDamaged):
            LOGGER.error("the metadata cannot be used", exc_info=error)
        return ending_of(error)

    def last_words(self) -> None:
        """End the run if its main thread does not return from C++ code."""
        try:
            self.end(INTERRUPTED)
        finally:
            remove_own()

    def execute(self) -> None:
        """Run the graph, and check that the model is in service; raise GateRefused if a gate refused."""
        self.make_ready()
        self.check_engine()
        self.run_graph()
        self.check_gates()
        if not self.serves():
            # The cache holds an earlier push of this model, but the version was deleted, or another one replaced it.
            self.run_graph(push_anew=f"{self.run_id}-push")
            self.check_gates()
            self.serves()
        try:
            backup.keep_copy(self.workspace)
        except Exception:
            LOGGER.exception("there is no new copy of metadata.db")

    def make_ready(self) -> None:
        """Prepare the work folder."""
        moved = make_ready(self.request, self.workspace)
        if moved:
            aside = shown(self.workspace.root / orphans.ASIDE)
            self.display.line(f"files of {moved:,} executions that are not in ML Metadata were moved to {aside}")
        self.look_ahead()

    def look_ahead(self) -> None:
        """Say what the run is expected to take, and follow it from now on."""
        config = self.request.config
        sources = self.request.find(self.request.images, config.data)
        expected = refined(expect(config, sources.count, sources.bytes), self.workspace, config, sources.count)
        folder = self.workspace.run(self.run_id)
        self.outlook = Outlook(expected, folder, this_process(), time.monotonic() - (time.perf_counter() - self.begin))
        self.display.line(f"expect {expected}, less with cached results", style="dim")

    def progress(self, value: Progress) -> None:
        """Show progress of the component at work."""
        left = ""
        if self.outlook:
            self.outlook.progress(value)
            left = duration(self.outlook.left())
        self.display.progress(value, left)

    def check_engine(self) -> None:
        """Check that the engine's workers have what they need; see `pipeline.engines.reach`."""
        if self.request.config.beam.engine == "portable":
            from pipeline.engines.reach import check_engine  # imports Beam

            check_engine(self.request.config.beam, self.request.images, self.workspace.root)

    def serves(self) -> bool:
        """Return True if the model is the one in service; the verdict then gets its version."""
        current = in_service(Path(self.verdict.model["artifact"]), self.workspace.serving)
        if current:
            self.verdict.model |= {"version": int(current.name), "path": str(current)}
        return current is not None

    def check_gates(self) -> None:
        """Raise the refusal of a gate that refused the model: the first one in the order of the registry."""
        for name in NODES:
            if name in self.refusals:
                raise self.refusals[name]

    def run_graph(self, push_anew: str = "") -> None:
        """Run the graph once; see `create_pipeline` for the argument."""
        # Imported here because it takes seconds, and its output belongs in the log.
        with lean_imports():
            import tensorflow  # noqa: F401
            import tfx.components  # noqa: F401

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
            beam_args=beam_args(self.request.config.beam, self.request.beam_args),
            enable_cache=self.request.enable_cache,
            accept_drift=self.request.accept_drift,
            push_anew=push_anew,
            bless_who=whoami() if self.request.bless else "",
            bless_why=self.request.bless,
        )
        if self.outlook:
            self.outlook.log()
        run_pipeline(pipeline, push_anew or self.run_id, self.request.orchestrator, self, self.only)

    def started(self, name: str) -> None:
        self.display.started(name)
        if self.outlook:
            self.outlook.started(name)

    def finished(self, outcome: NodeOutcome) -> None:
        again = any(step["name"] == outcome.name for step in self.verdict.components)
        if again and outcome.state == "cached":  # a second run of the graph, only for the push
            return
        if self.outlook:
            self.outlook.finished(outcome.name, outcome.seconds if outcome.state == "done" else None)
        summary = summarize(outcome)
        self.verdict.add(outcome.name, outcome.state, outcome.seconds, summary.parts)
        self.display.ended(outcome.name, outcome.state, outcome.seconds, summary.text)
        for note in summary.notes:
            self.display.line(f"    {note}", style="dim")
        if summary.gate:
            self.refusals[outcome.name] = GateRefused(summary.gate, summary.reasons)
        if outcome.name == "ImageExampleGen" and outcome.outputs:
            examples = Path(outcome.outputs["examples"].uri)
            self.examples = str(examples)
            self.rejects, self.duplicates = (read_lines(examples / f"{name}.jsonl") for name in ("rejects", "duplicates"))
        elif outcome.name == "Trainer" and outcome.outputs:
            shutil.rmtree(self.workspace.checkpoints, ignore_errors=True)  # training is finished and its output recorded
        elif outcome.name == "Report" and outcome.outputs:
            place_report(Path(outcome.outputs["report"].uri), self.workspace, self.run_id)
            self.verdict.report = str(self.workspace.run(self.run_id) / "report" / "index.html")

    def show(self, refusal: GateRefused) -> None:
        """Write a report on refused pictures. An error in it does not change the refusal."""
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

    def end(self, ending: Ending) -> None:
        """Record and print how the run ended."""
        self.display.close()
        self.verdict.end(*ending)
        self.verdict.seconds = round(time.perf_counter() - self.begin, 3)
        try:
            self.write_down()
        except OSError as error:  # printed, because the file is missing
            self.complaints.line(f"warning: the run's record is not complete: {error.strerror}, {error.filename}", style="yellow")
        if self.outlook:
            self.outlook.close()
        remove(self.workspace.run(self.run_id))
        for warning in after_run(self.request, self.workspace, self.verdict):
            self.complaints.line(f"warning: {warning}", style="yellow")
        if ending.status is Status.PUSHED:
            self.say_pushed()
        else:
            self.say_why(*ending)

    def write_down(self) -> None:
        """Write the verdict, and the lists of rejected and duplicate pictures, or raise OSError."""
        self.verdict.write(self.workspace.run(self.run_id) / FILE)
        rejects = self.workspace.rejects(self.run_id)
        if self.rejects:
            write_lines(rejects, self.rejects)
            self.display.line(f"{len(self.rejects):,} pictures were rejected, listed in {shown(rejects)}")
        if self.duplicates:
            path = rejects.with_name(f"{self.run_id}-duplicates.jsonl")
            write_lines(path, self.duplicates)
            self.display.line(f"{len(self.duplicates):,} exact duplicates were left out, listed in {shown(path)}")

    def say_report(self) -> None:
        """Print where the report is, and a decision of a person that overruled the model gate."""
        if self.verdict.report:
            self.display.line(f"report: {shown(self.workspace.report / 'index.html')}")
        forced = self.verdict.blessed_by
        if forced:
            for reason in self.verdict.overruled:
                self.display.line(f"  {reason}", style="yellow")
            self.display.line(blessed_by(forced), style="bold yellow")

    def say_pushed(self) -> None:
        """Print the last lines of a run that pushed a model."""
        self.say_report()
        if self.request.bless and not self.verdict.blessed_by:
            self.display.line("--bless was not needed and is not recorded: the model gate blessed the model")
        self.display.line(f"try: {command('generate', shown(self.workspace.root))} --out new.png")
        where = f"version {self.verdict.model['version']}, {shown(Path(self.verdict.model['path']))}"
        self.display.line(in_one_line(f"pushed: {where} ({self.verdict.seconds:.0f} s)"), style="bold green")

    def say_why(self, status: Status, gate: str | None, reasons: Sequence[str]) -> None:
        """Print the last lines of a run that pushed no model."""
        self.say_report()
        folder = self.workspace.run(self.run_id)
        outcome = f"refused by the {gate} gate" if gate else status.word
        for reason in reasons[1:]:
            self.complaints.line(f"  {in_one_line(reason)}")
        if any("drifted" in reason for reason in reasons):
            self.complaints.line("  if this change is intended: darkroom run --accept-drift ...")
        if gate == "model":
            self.complaints.line('  to push it anyway: darkroom run --bless "the reason" ...')
        elif gate and self.request.bless:
            self.complaints.line(f"  --bless overrules only the model gate, not the {gate} gate")
        more = f"; {len(reasons) - 1} more above" if reasons[1:] else ""
        log = "" if status in (Status.MISTAKE, Status.INTERRUPTED) else f" (see {shown(folder)})"
        self.complaints.line(in_one_line(f"{outcome}: {reasons[0]}{more}{log}"), style="bold red")


def whoami() -> str:
    """Return the current user as user@host."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a user without a name, as in containers
        user = str(os.getuid())
    return f"{user}@{platform.node() or 'localhost'}"


def place_report(source: Path, workspace: Workspace, run_id: str) -> None:
    """Copy a report to the folder of the run, and to the location of the last report."""
    own = workspace.run(run_id) / "report"
    if source != own:
        shutil.copytree(source, own, dirs_exist_ok=True)
    fresh = workspace.root / f"{UNFINISHED_REPORT}{run_id}"
    shutil.copytree(source, fresh, dirs_exist_ok=True)
    shutil.rmtree(workspace.report, ignore_errors=True)
    fresh.rename(workspace.report)


def read_lines(path: Path) -> list[dict[str, str]]:
    """Return the content of a JSON lines file; empty if there is none."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.is_file() else []


def write_lines(path: Path, lines: Sequence[dict[str, str]]) -> None:
    """Write a JSON lines file."""
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), encoding="utf-8")


def place(images: str) -> str:
    """Return the location of pictures as a user would type it."""
    return images if "://" in images else shown(Path(images))


def shown(path: Path) -> str:
    """Return a path as a user would type it: relative to the current folder if it is below it."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)
