"""Ingestion on an engine with several workers: it spreads, a unit that is read again changes nothing, and the counts are Beam's."""

import shutil
from pathlib import Path

import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from tfx.dsl.io import fileio

from components.image_example_gen import executor
from components.image_example_gen.config import DataConfig
from components.image_example_gen.writing.by_engine import counted
from components.image_example_gen.writing.ingest import IngestUnit
from tests.components.image_example_gen.ingestion import BEAM_ARGS, encode, ingest, picture, write_pictures

SMALL_SHARDS = DataConfig(pictures_per_shard=8)
HERE = f"--runner={__name__}.RecordingRunner"


class RecordingRunner(FnApiRunner):
    """Beam's runner, which keeps the steps that it fuses, and its results."""

    fused: list[list[str]] = []
    results: list[object] = []

    def run_stages(self, context, stages):
        self.fused[:] = [[transform.unique_name for transform in stage.transforms] for stage in stages]
        return super().run_stages(context, stages)

    def run_pipeline(self, pipeline, options: PipelineOptions):
        self.results.append(super().run_pipeline(pipeline, options))
        return self.results[-1]


@pytest.fixture
def pictures(tmp_path) -> Path:
    """Forty pictures, of which five are there twice, and a broken one."""
    folder = write_pictures(tmp_path / "in/a", 40).parent
    for seed in range(5):
        (folder / f"b{seed}.png").write_bytes(encode(picture(seed)))
    (folder / "cut.png").write_bytes(encode(picture(99))[:-20])
    return folder


def test_the_units_are_not_read_by_the_worker_that_lists_them(pictures, tmp_path):
    ingest(pictures, tmp_path / "out", SMALL_SHARDS, (HERE, *BEAM_ARGS[1:]))
    lists, reads = (
        [number for number, names in enumerate(RecordingRunner.fused) if any(name.startswith(step) for name in names)]
        for step in ("Units", "Ingest")
    )
    assert lists and reads and not set(lists) & set(reads), RecordingRunner.fused


def test_beam_counts_the_pictures(pictures, tmp_path):
    summary = ingest(pictures, tmp_path / "out", SMALL_SHARDS, (HERE, *BEAM_ARGS[1:])).summary
    counts = counted(RecordingRunner.results[-1])
    assert counts == {"accepted": sum(summary["pictures"].values()) + summary["duplicates"], "rejected": summary["rejected"]}
    assert counts == {"accepted": 45, "rejected": 1}


def test_a_worker_that_reads_a_unit_again_too_late(pictures, tmp_path, monkeypatch):
    """As one does that its engine takes for dead: it writes the unit with its duplicates, when they have been removed elsewhere."""
    usual = ingest(pictures, tmp_path / "usual", SMALL_SHARDS)
    units, publish = [], executor._publish
    ingest_unit = IngestUnit.process

    def process(worker, unit):
        units.append((worker, unit))
        return ingest_unit(worker, unit)

    def late(*arguments):
        for worker, unit in units:
            ingest_unit(worker, unit)
        publish(*arguments)

    monkeypatch.setattr(IngestUnit, "process", process)
    monkeypatch.setattr(executor, "_publish", late)
    again = ingest(pictures, tmp_path / "again", SMALL_SHARDS)
    assert len(units) > 4 and usual.summary["duplicates"] == 5
    assert again.files() == usual.files()
    assert {**again.summary, "seconds": 0} == {**usual.summary, "seconds": 0}


def test_a_worker_that_died_leaves_nothing_among_the_examples(pictures, tmp_path, monkeypatch):
    usual = ingest(pictures, tmp_path / "usual", SMALL_SHARDS)
    publish = executor._publish

    def with_leftovers(examples, tallies, folder, distinct):
        for path in fileio.glob(f"{folder}/*-train"):
            shutil.copy(path, f"{path}.0123456789abcdef")  # a temporary file, as RecordWriters names it
        publish(examples, tallies, folder, distinct)

    monkeypatch.setattr(executor, "_publish", with_leftovers)
    again = ingest(pictures, tmp_path / "again", SMALL_SHARDS)
    assert again.files() == usual.files()
    assert not (again.uri / "ingesting").exists()


@pytest.mark.slow
def test_the_same_bytes_by_several_processes(pictures, tmp_path):
    several = (*BEAM_ARGS, "--direct_num_workers=2", "--direct_running_mode=multi_processing")
    one, two = (ingest(pictures, tmp_path / str(len(args)), SMALL_SHARDS, args) for args in (BEAM_ARGS, several))
    assert one.files() == two.files() and one.rejects == two.rejects
    assert {**one.summary, "seconds": 0} == {**two.summary, "seconds": 0}
