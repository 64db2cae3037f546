"""What a run is expected to take, and how that is refined while it runs."""

import json

import pytest

from common.progress import Progress
from pipeline.config.loading import build_config, load_values, preset_path
from pipeline.metadata.progress import FILE
from pipeline.running import outlook as outlooks
from pipeline.running.expectation import Expectation, expect, products
from pipeline.running.outlook import Outlook, refined
from pipeline.verdict.status import Status
from pipeline.verdict.verdict import Verdict
from pipeline.workspace.layout import Workspace


def preset(name, **sections):
    values = load_values(preset_path(name))
    return build_config({**values, **{key: {**values.get(key, {}), **value} for key, value in sections.items()}})


@pytest.mark.parametrize(
    ("name", "pictures", "minutes"),
    [("digits", 1797, 0.9), ("fashion-mnist", 70_000, 13), ("fashion-mnist-2d", 70_000, 9), ("fashion-mnist-8bit", 70_000, 33)],
)
def test_presets_take_about_as_long_as_the_readme_says_on_two_cores(name, pictures, minutes):
    assert expect(preset(name), pictures, cores=2).total / 60 == pytest.approx(minutes, rel=0.5)


def test_more_work_takes_longer_and_more_memory():
    few, many = (expect(preset("fashion-mnist"), count, cores=2) for count in (7_000, 70_000))
    assert many.total > 2 * few.total and many.memory > few.memory
    assert expect(preset("fashion-mnist"), 70_000, cores=4).total < many.total
    assert expect(preset("fashion-mnist", tuning={"trials": 3}), 70_000, cores=2).seconds["Tuner"] > 10


def test_products_are_those_of_the_layers():
    config = preset("digits")  # 8x8 pictures, two layers of 256, 2 dimensions
    encoder, decoder, outputs = products(config)
    assert (encoder, decoder, outputs) == (64 * 256 + 256 * 256 + 2 * 256 * 2, 2 * 256 + 256 * 256 + 256 * 64, 64)


@pytest.fixture
def clock(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(outlooks.time, "monotonic", lambda: now[0])
    return now


EXPECTED = Expectation({"ImageExampleGen": 10.0, "Trainer": 100.0, "Report": 10.0}, 1e9, 20.0)


def test_a_slower_machine_is_noticed(tmp_path, clock):
    outlook = Outlook(EXPECTED, tmp_path, "process 1", 0.0)
    outlook.started("ImageExampleGen")
    assert outlook.left() == 120.0
    clock[0] = 100.0
    outlook.finished("ImageExampleGen", 100.0)
    assert outlook.left() == pytest.approx(110 * (100 + outlooks.DOUBT) / (10 + outlooks.DOUBT))


def test_what_comes_from_the_cache_says_nothing_about_the_machine(tmp_path, clock):
    outlook = Outlook(EXPECTED, tmp_path, "process 1", 0.0)
    outlook.finished("ImageExampleGen", None)
    assert outlook.left() == 110.0


def test_in_the_middle_of_a_training_its_own_rate_counts(tmp_path, clock):
    outlook = Outlook(EXPECTED, tmp_path, "process 1", 0.0)
    outlook.started("Trainer")
    outlook.finished("ImageExampleGen", None)
    outlook.started("Trainer")
    for step in range(51):
        clock[0] = 5.0 + 4 * step
        outlook.progress(Progress("training", step, 100, "steps", {"epoch": 1}))
    assert outlook.left() == pytest.approx(50 * 4 + 20 + 10)  # other steps, what follows them, and the report
    state = json.loads((tmp_path / FILE).read_text())
    assert (state["component"], state["done"], state["left"]) == ("Trainer", 50, pytest.approx(230))
    assert state["expected_memory"] == state["memory"] > 1e6
    outlook.close()
    assert not (tmp_path / FILE).exists()


def test_an_earlier_run_of_this_configuration_says_more(tmp_path):
    workspace, config = Workspace(tmp_path), preset("digits")
    folder = workspace.run("20260101-000000")
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text(config.to_yaml())
    verdict = Verdict("20260101-000000", "digits", "/digits", "2026-01-01T00:00:00+00:00")
    verdict.data = {"pictures": {"train": 1500, "test": 300}}
    for name, state, seconds in (("Trainer", "done", 77.0), ("Report", "cached", 0.1)):
        verdict.add(name, state, seconds, {})
    verdict.end(Status.PUSHED)
    verdict.write(folder / "verdict.json")
    before = expect(config, 1797, cores=2)
    after = refined(before, workspace, config, 1797)
    assert after.seconds["Trainer"] == 77.0 and after.seconds["Report"] == before.seconds["Report"]
    assert refined(before, workspace, config, 17_970) == before
    assert refined(before, workspace, preset("digits", training={"epochs": 3}), 1797) == before
