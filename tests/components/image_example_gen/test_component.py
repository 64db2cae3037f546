"""The component in a pipeline: with StatisticsGen behind it, its cache, its spans."""

from __future__ import annotations

from pathlib import Path

import pytest
from tfx.components import StatisticsGen
from tfx.components.example_gen.utils import FINGERPRINT_PROPERTY_NAME
from tfx.orchestration.local.local_dag_runner import LocalDagRunner
from tfx.orchestration.metadata import Metadata, sqlite_metadata_connection_config
from tfx.orchestration.pipeline import Pipeline
from tfx.utils import io_utils

from common.errors import InputError
from components.image_example_gen.component import ImageExampleGen
from components.image_example_gen.config import DataConfig
from components.image_example_gen.discovery import survey
from components.image_example_gen.discovery.find import find_sources
from components.image_example_gen.discovery.handover import listed
from components.image_example_gen.discovery.listing import read_part
from components.image_example_gen.driver import ImageExampleGenDriver
from components.image_example_gen.options import unpack_options
from components.image_example_gen.storage.files import list_files
from tests.components.image_example_gen.ingestion import BEAM_ARGS, write_pictures


def run(images: Path, work: Path, *, code: str = "1", statistics: bool = False) -> int:
    """Runs a pipeline and returns how often pictures were read so far."""
    example_gen = ImageExampleGen(images=str(images), config=DataConfig(), code=code)
    rest = [StatisticsGen(examples=example_gen.outputs["examples"])] if statistics else []
    connection = sqlite_metadata_connection_config(str(work / "metadata.db"))
    LocalDagRunner().run(
        Pipeline(
            pipeline_name="pictures",
            pipeline_root=str(work / "artifacts"),
            components=[example_gen, *rest],
            metadata_connection_config=connection,
            enable_cache=True,
            beam_pipeline_args=list(BEAM_ARGS),
        )
    )
    with Metadata(connection) as metadata:
        return len(metadata.store.get_artifacts_by_type("Examples"))


def test_in_a_pipeline_with_statistics_and_cache(tmp_path):
    images = write_pictures(tmp_path / "images", 40)
    (images / "cut.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    assert run(images, tmp_path, statistics=True) == 1
    for split in ("train", "eval", "test"):
        (path,) = tmp_path.glob(f"artifacts/StatisticsGen/statistics/*/Split-{split}/FeatureStats.pb")
        (dataset,) = _statistics(path).datasets
        assert {feature.path.step[0] for feature in dataset.features} >= {"image/encoded", "image/mean", "image/label"}
    assert run(images, tmp_path, statistics=True) == 1

    (images / "0000.png").rename(images / "renamed.png")
    assert run(images, tmp_path) == 2
    assert run(images, tmp_path, code="2") == 3


def test_a_missing_folder_is_reported_before_anything_is_read(tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        run(tmp_path / "nowhere", tmp_path)


def test_a_mistake_found_while_reading_reaches_the_caller_and_leaves_no_artifact(tmp_path):
    (tmp_path / "images").mkdir()
    (tmp_path / "images/empty.png").write_bytes(b"")
    with pytest.raises(InputError, match="all 1 pictures") as caught:
        run(tmp_path / "images", tmp_path)
    assert caught.value.rejects == [{"path": "empty.png", "reason": "the file is empty"}]
    assert not list(tmp_path.glob("artifacts/ImageExampleGen/examples/*"))


def test_options_survive_their_way_through_tfx():
    config = DataConfig(
        0.25,
        0,
        "content",
        ("a", "b"),
        label_pattern="(x)",
        keep_duplicates=True,
        max_rejects=1,
        span_window=3,
        pictures_per_shard=12,
        label_column=2,
        shape=(28, 14, 1),
        levels=4095,
        range=(-1.0, 0.5),
        depth=16,
        pages="all",
    )
    component = ImageExampleGen(images="/pictures", config=config, code="c")
    assert unpack_options(component.exec_properties["custom_config"]) == config


def test_the_latest_span(tmp_path):
    for span in (1, 2, 10):
        write_pictures(tmp_path / f"span-{span}/train", 3, first=span)
    component = ImageExampleGen(images=f"{tmp_path}/span-{{SPAN}}", config=DataConfig(), code="")
    properties = _resolve(component)
    assert properties["span"] == 10
    before = properties[FINGERPRINT_PROPERTY_NAME]
    write_pictures(tmp_path / "span-2/train", 4, first=20)
    assert _resolve(component)[FINGERPRINT_PROPERTY_NAME] == before
    write_pictures(tmp_path / "span-10/train", 4, first=30)
    assert _resolve(component)[FINGERPRINT_PROPERTY_NAME] != before


def test_the_executor_reads_the_files_that_the_driver_has_fingerprinted(tmp_path, monkeypatch):
    images, config = write_pictures(tmp_path / "images", 5), DataConfig()
    passes = []
    monkeypatch.setattr(survey, "list_files", lambda *args: passes.append(args) or list_files(*args))
    properties = _resolve(ImageExampleGen(images=str(images), config=config, code=""))
    write_pictures(images, 1, first=90)  # too late for this run
    for expected in ([5, 1], [6, 2]):  # files and passes; the driver's pass serves one executor
        with listed(str(images), config, properties[FINGERPRINT_PROPERTY_NAME]) as (sources, listing):
            (part,) = listing.divide(1, str(tmp_path), "part")
            assert [len(read_part(part)), len(passes)] == expected
            assert (sources.fingerprint == properties[FINGERPRINT_PROPERTY_NAME]) == (expected == [5, 1])


@pytest.mark.parametrize("other", [{"fingerprint": "another"}, {"fingerprint": None}, {"config": DataConfig(pages="all")}])
def test_a_pass_for_other_files_or_options_is_not_handed_over(tmp_path, other):
    images = write_pictures(tmp_path / "images", 5)
    properties = _resolve(ImageExampleGen(images=str(images), config=DataConfig(), code=""))
    write_pictures(images, 1, first=90)
    given = {"config": DataConfig(), "fingerprint": properties[FINGERPRINT_PROPERTY_NAME], **other}
    with listed(str(images), **given) as (sources, _):
        assert sources.count == 6 and sources.fingerprint == find_sources(str(images)).fingerprint


def test_no_span(tmp_path):
    with pytest.raises(InputError, match="no folder in .* matches"):
        _resolve(ImageExampleGen(images=f"{tmp_path}/span-{{SPAN}}/*", config=DataConfig(), code=""))


def _resolve(component: ImageExampleGen) -> dict:
    return ImageExampleGenDriver(None).resolve_exec_properties(dict(component.exec_properties), None, None)


def _statistics(path: Path):
    from tensorflow_metadata.proto.v0 import statistics_pb2

    return statistics_pb2.DatasetFeatureStatisticsList.FromString(io_utils.read_bytes_file(str(path)))
