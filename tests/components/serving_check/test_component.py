"""The component in a pipeline, with the Pusher that heeds its blessing."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from tfx.components import Pusher
from tfx.dsl.components.common.importer import Importer
from tfx.orchestration import metadata, pipeline
from tfx.orchestration.local.local_dag_runner import LocalDagRunner
from tfx.proto import pusher_pb2
from tfx.types import standard_artifacts

from components.serving_check.component import ServingCheck


def run(model: Path, model_run: Path, folder: Path) -> tuple[dict, list[Path]]:
    """Runs a pipeline that checks and pushes `model`; returns the check's report and the pushed versions."""
    imported = [
        Importer(source_uri=str(uri), artifact_type=kind).with_id(kind.__name__)
        for uri, kind in ((model, standard_artifacts.Model), (model_run, standard_artifacts.ModelRun))
    ]
    model_channel, run_channel = (importer.outputs["result"] for importer in imported)
    check = ServingCheck(model=model_channel, model_run=run_channel, code="1", timeout_seconds=60)
    filesystem = pusher_pb2.PushDestination.Filesystem(base_directory=str(folder / "serving"))
    pusher = Pusher(
        model=model_channel,
        infra_blessing=check.outputs["blessing"],
        push_destination=pusher_pb2.PushDestination(filesystem=filesystem),
    )
    LocalDagRunner().run(
        pipeline.Pipeline(
            pipeline_name="check",
            pipeline_root=str(folder / "artifacts"),
            components=[*imported, check, pusher],
            metadata_connection_config=metadata.sqlite_metadata_connection_config(str(folder / "metadata.db")),
        )
    )
    (report,) = (folder / "artifacts" / "ServingCheck" / "blessing").glob("*/serving_check.json")
    return json.loads(report.read_text(encoding="utf-8")), list(folder.glob("serving/*/saved_model.pb"))


def test_a_good_model_is_pushed(model: Path, model_run: Path, tmp_path: Path) -> None:
    report, pushed = run(model, model_run, tmp_path)
    assert report["blessed"] and report["schema"] == 1
    assert len(pushed) == 1


@pytest.mark.parametrize("spoil", ["saved_model.pb", "variables/variables.index"])
def test_a_bad_model_is_not_pushed_and_the_run_ends_in_order(model: Path, model_run: Path, tmp_path: Path, spoil: str) -> None:
    bad = Path(shutil.copytree(model, tmp_path / "bad"))
    (bad / "Format-Serving" / spoil).write_bytes(b"\x12\xff")
    report, pushed = run(bad, model_run, tmp_path)
    assert not report["blessed"] and report["reasons"]
    assert not pushed
