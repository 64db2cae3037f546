"""Run a pipeline on this machine, and report the outcome of each component."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from apache_beam.options.pipeline_options import StandardOptions
from ml_metadata.proto import metadata_store_pb2
from tfx.dsl.compiler import compiler, constants
from tfx.orchestration import metadata
from tfx.orchestration.beam.beam_dag_runner import BeamDagRunner
from tfx.orchestration.local import runner_utils
from tfx.orchestration.local.local_dag_runner import LocalDagRunner
from tfx.orchestration.pipeline import Pipeline
from tfx.orchestration.portable import launcher, outputs_utils, runtime_parameter_utils
from tfx.proto.orchestration import pipeline_pb2

from pipeline.running.signals import Interrupted
from pipeline.verdict.outcomes import NodeOutcome, Observer, Output, State

OUTPUT_EVENTS = (metadata_store_pb2.Event.OUTPUT, metadata_store_pb2.Event.DECLARED_OUTPUT)


def run_pipeline(
    pipeline: Pipeline, run_id: str, orchestrator: str, observer: Observer, only: str | None = None
) -> dict[str, NodeOutcome]:
    """Run a pipeline to its end, and return the outcome of each component. An exception of a component is raised unchanged.

    Args:
        pipeline: The pipeline.
        run_id: The run's name in ML Metadata.
        orchestrator: `local` or `beam`.
        observer: Notified of the start and the end of each component.
        only: The id of the only node to run, after the nodes before it were run under the same `run_id`; None runs all.
    """
    outcomes: dict[str, NodeOutcome] = {}

    def finish(outcome: NodeOutcome) -> None:
        outcomes[outcome.name] = outcome
        observer.finished(outcome)

    ir = compiler.Compiler().compile(pipeline)
    runtime_parameter_utils.substitute_runtime_parameter(ir, {constants.PIPELINE_RUN_ID_PARAMETER_NAME: run_id})
    runner = {"local": LocalDagRunner, "beam": BeamDagRunner}[orchestrator]()
    with _observed(observer.started, finish):
        try:
            runner.run_with_ir(ir) if only is None else _launch(ir, only)
        except Exception:
            # Beam replaces a component's exception by one with a long text. Raise the component's own.
            failed = [outcome.error for outcome in outcomes.values() if outcome.error is not None]
            if failed:
                raise failed[0] from None
            raise
    return outcomes


def _launch(ir: pipeline_pb2.Pipeline, name: str) -> None:
    """Launch one node in the same way as LocalDagRunner."""
    node = next(each.pipeline_node for each in ir.nodes if each.pipeline_node.node_info.id == name)
    deployment = runner_utils.extract_local_deployment_config(ir)
    connection = deployment.metadata_connection_config
    launcher.Launcher(
        pipeline_node=node,
        mlmd_connection=metadata.Metadata(getattr(connection, connection.WhichOneof("connection_config"))),
        pipeline_info=ir.pipeline_info,
        pipeline_runtime_spec=ir.runtime_spec,
        executor_spec=runner_utils.extract_executor_spec(deployment, name),
        custom_driver_spec=runner_utils.extract_custom_driver_spec(deployment, name),
    ).launch()


@contextmanager
def _observed(started: Callable[[str], None], finished: Callable[[NodeOutcome], None]) -> Iterator[None]:
    """Within the context, replace `launcher.Launcher`, which both runners create for each node, by one that notifies.

    BeamDagRunner names no runner. Beam's default would fetch Prism and launch the nodes elsewhere: they run in this process.
    """

    class ObservedLauncher(launcher.Launcher):
        executed = False

        def launch(self):
            if self._system_node_handler:  # resolvers and importers are not reported as steps
                return super().launch()
            name, begin = self._pipeline_node.node_info.id, time.perf_counter()
            started(name)
            try:
                info = super().launch()
            except BaseException as error:
                finished(NodeOutcome(name, "failed", time.perf_counter() - begin, error=error))
                raise
            state: State = "done" if self.executed else "cached"
            outputs = _read_outputs(self._mlmd_connection, info.execution_id)
            finished(NodeOutcome(name, state, time.perf_counter() - begin, outputs))
            return info

        def _run_executor(self, execution_info):
            self.executed = True
            try:
                return super()._run_executor(execution_info)
            except KeyboardInterrupt:
                outputs_utils.remove_output_dirs(execution_info.output_dict)
                raise Interrupted("interrupted") from None

    original = launcher.Launcher, StandardOptions.DEFAULT_RUNNER
    launcher.Launcher, StandardOptions.DEFAULT_RUNNER = ObservedLauncher, "FnApiRunner"
    try:
        yield
    finally:
        launcher.Launcher, StandardOptions.DEFAULT_RUNNER = original


def _read_outputs(connection: metadata.Metadata, execution_id: int) -> dict[str, Output]:
    """Return the artifacts of an execution from ML Metadata, which includes cached ones."""
    with connection as handle:
        events = handle.store.get_events_by_execution_ids([execution_id])
        keys = {e.artifact_id: e.path.steps[0].key for e in events if e.type in OUTPUT_EVENTS}
        artifacts = handle.store.get_artifacts_by_id(list(keys))
    return {
        keys[artifact.id]: Output(
            artifact.uri,
            {
                name: getattr(value, value.WhichOneof("value"))
                for values in (artifact.properties, artifact.custom_properties)
                for name, value in values.items()
                if value.WhichOneof("value")
            },
        )
        for artifact in artifacts
    }
