"""Build a DAG for Airflow: the same graph, one task per component, through TFX's AirflowDagRunner.

TFX's runner creates the tasks and their order. Its launcher does not know the compiled form of the graph, confuses two blessings of
one run, and does not find the records of `darkroom run`; so each task runs one node as `darkroom run` does, on its work folder.
"""

from __future__ import annotations

import datetime
import functools
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.verdict.status import Status

if TYPE_CHECKING:
    from airflow.models import DAG
    from tfx.dsl.components.base.base_node import BaseNode
    from tfx.orchestration.pipeline import Pipeline

LOGGER = logging.getLogger("airflow.task")
BEGIN, VERDICT = "Begin", "Verdict"


def darkroom_dag(
    *,
    work: str,
    images: str | None = None,
    dataset: str | None = None,
    data_root: str | None = None,
    config: str | None = None,
    overrides: Sequence[str] = (),
    name: str = "darkroom",
    schedule: str | None = None,
    start: datetime.datetime = datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc),
    **more: Any,
) -> DAG:
    """Return a DAG that does the same as `darkroom retrain`.

    A file in Airflow's folder of DAGs contains only

        from pipeline.airflow_dag import darkroom_dag
        dag = darkroom_dag(images="/data/span-{SPAN}", work="/srv/cats", schedule="0 3 * * *")

    If nothing is new, the task Begin marks all others as skipped. The task Verdict fails, with the reasons, if nothing was pushed.

    Args:
        work: The work folder as an absolute path, which every worker must be able to access.
        images, dataset, data_root, config: The options of `darkroom retrain`. Give `images` or `dataset`.
        overrides: The values of --set, such as "training.epochs=20".
        name: The DAG's id.
        schedule: A cron expression, @daily ..., or None for manual runs only.
        start: The start date; its time zone is that of the schedule.
        more: Arguments of Airflow's DAG, such as `default_args` or `tags`.

    Raises:
        InputError: The configuration is not valid; Airflow shows this as an import error.
    """
    from airflow.operators.python import PythonOperator
    from tfx.orchestration.airflow.airflow_dag_runner import AirflowDagRunner, AirflowPipelineConfig

    asked = {
        "images": images,
        "dataset": dataset,
        "data_root": data_root,
        "config": config,
        "overrides": tuple(overrides),
        "work": work,
    }
    settings = {
        "schedule": schedule,
        "start_date": start,
        "catchup": False,  # past dates cannot be repeated: training uses the current pictures
        "max_active_runs": 1,
        "max_active_tasks": 1,  # one task at a time holds the work folder
        **more,
    }
    folder = Path(work).expanduser().absolute()
    how = AirflowPipelineConfig(airflow_dag_config=settings, supported_launcher_classes=[_launcher(folder)])
    dag = AirflowDagRunner(how).run(_shape(asked, name, folder))
    nodes = list(dag.tasks)
    for node in nodes:
        node.op_kwargs = {"exec_properties": {}}  # keeps the configuration out of Airflow's templates and database
    begin = PythonOperator(task_id=BEGIN, python_callable=functools.partial(_begin, asked), dag=dag)
    verdict = PythonOperator(
        task_id=VERDICT, python_callable=functools.partial(_conclude, folder), trigger_rule="none_skipped", dag=dag
    )
    for node in nodes:
        if not node.upstream_list:
            begin >> node
        node >> verdict
    return dag


def _shape(asked: dict[str, Any], name: str, folder: Path) -> Pipeline:
    """Return the nodes of the graph and their connections, which is all that Airflow needs.

    The function reads no pictures and writes no files, because Airflow parses a DAG file repeatedly.
    """
    from tfx.orchestration import metadata

    from pipeline.config.loading import apply_overrides, build_config, preset_path
    from pipeline.graph.environments import Local
    from pipeline.graph.pipeline import create_pipeline
    from pipeline.running.request import DEFAULT_DATASET, read_values
    from pipeline.workspace.layout import Workspace

    workspace = Workspace(folder)
    data = asked["dataset"] or DEFAULT_DATASET
    chosen = asked["config"] or (data if not asked["images"] and preset_path(data) else None)
    return create_pipeline(
        name=name,
        root=str(workspace.artifacts),
        images=asked["images"] or data,
        environment=Local(str(workspace.artifacts / "schemas")),
        push_to=str(workspace.serving),
        config=build_config(apply_overrides(read_values(chosen), asked["overrides"])),
        metadata=metadata.sqlite_metadata_connection_config(str(workspace.metadata)),
    )


def _launcher(folder: Path) -> type:
    """Return the class that TFX's runner creates for each node instead of its own launcher."""

    class Launcher:
        def __init__(self, node: str):
            self.node = node

        @classmethod
        def can_launch(cls, executor_spec: Any, config: Any) -> bool:
            return True

        @classmethod
        def create(cls, component: BaseNode, **_: Any) -> Launcher:
            return cls(component.id)

        def launch(self) -> None:
            from pipeline.running.stepwise import run_node

            run_node(folder, _run_id(), self.node)

    return Launcher


def _begin(asked: dict[str, Any]) -> str:
    """Begin a run, and return its id for the other tasks."""
    from airflow.exceptions import AirflowSkipException

    from pipeline.running.request import make_request
    from pipeline.running.stepwise import begin

    run_id = begin(make_request(**asked), LOGGER.info)
    if run_id is None:
        raise AirflowSkipException("nothing is new")
    return run_id


def _conclude(folder: Path) -> None:
    from airflow.exceptions import AirflowFailException

    from pipeline.running.stepwise import conclude

    status, reasons = conclude(folder, _run_id())
    if status is not Status.PUSHED:
        raise AirflowFailException(f"{status.word}: {'; '.join(reasons)}")


def _run_id() -> str:
    """Return the id of the run that the task Begin of this DAG run has begun."""
    from airflow.exceptions import AirflowFailException
    from airflow.operators.python import get_current_context

    run_id = get_current_context()["ti"].xcom_pull(task_ids=BEGIN)
    if run_id is None:
        raise AirflowFailException(f"no run was begun: the log of the task {BEGIN} says why")
    return run_id
