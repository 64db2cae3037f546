"""Where each value of a configuration comes from."""

import pytest
import yaml

from pipeline.config.inference import complete
from pipeline.config.loading import build_config
from pipeline.config.origins import CHOICE, DEFAULT, OPEN, as_lines, values_of
from tests.project import write_discs

GIVEN = {"title": "discs", "training": {"epochs": 3, "patience": 4}}


@pytest.fixture(scope="module")
def discs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("discs")
    write_discs(folder, 10, channels=3)
    return str(folder)


def test_every_value_has_its_origin(discs):
    given = {**GIVEN, "model": {"hidden": [8]}}
    values = values_of(complete(given, discs), given, "my.yaml", ["training.patience=4"])
    origins = {each.name: each.origin for each in values}
    assert origins["title"] == origins["training.epochs"] == origins["model.hidden"] == "my.yaml"
    assert origins["training.patience"] == "--set"
    assert origins["preprocessing.height"] == origins["training.augmentation"] == CHOICE
    assert origins["model.width"] == origins["notify.on"] == DEFAULT
    assert {each.value for each in values if each.name == "training.epochs"} == {3}


@pytest.mark.parametrize("changed", [True, False])
def test_what_is_shown_reads_back_to_the_same(discs, changed):
    final = complete(GIVEN, discs)
    text = "\n".join(as_lines(values_of(final, GIVEN, "my.yaml"), changed))
    assert build_config(yaml.safe_load(text)) == build_config(final)
    assert ("width: 128" in text) is not changed


def test_without_pictures_what_depends_on_them_stays_open():
    values = values_of(GIVEN, GIVEN, "my.yaml", looked=False)
    open_fields = [each.name for each in values if each.origin == OPEN]
    assert "preprocessing.height" in open_fields and "training.epochs" not in open_fields
    text = "\n".join(as_lines(values, changed=True))
    assert "  # height: chosen from the pictures" in text
    assert build_config(yaml.safe_load(text)) == build_config(GIVEN)


def test_a_webhook_is_not_shown():
    given = {"notify": {"webhook": "https://hooks.example.com/secret"}}
    text = "\n".join(as_lines(values_of(given, given, "my.yaml", looked=False)))
    assert "hooks.example.com" in text and "example.com/secret" not in text
