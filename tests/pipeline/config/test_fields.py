"""What is known about each field: its meaning, its values and its default."""

import dataclasses

import pytest
import yaml

from common.errors import InputError
from pipeline.config.fields import Section, as_yaml, fields, find, sections, values_of
from pipeline.config.inference import CHOSEN, CHOSEN_FOR_SOME, complete
from pipeline.config.schema import Config
from tests.project import write_discs


def test_every_field_is_there_with_a_meaning_of_its_own():
    meanings = [field.meaning for field in fields().values()]
    assert all(len(meaning) > 8 for meaning in meanings) and len(set(meanings)) == len(meanings)
    plain = Config().to_values()
    names = {f"{name}.{field}" for name, value in plain.items() if name in {s.name for s in sections()} for field in value}
    assert names | {"title", "schema"} == set(fields())


def test_a_default_reads_back_to_that_of_the_class():
    plain = Config().to_values()
    for name, field in fields().items():
        section, _, last = name.rpartition(".")
        assert yaml.safe_load(as_yaml(field.default)) == (plain[section][last] if section else plain[last]), name


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("training.epochs", "a whole number above 0"),
        ("data.eval_share", "a number above 0 and below 0.5"),
        ("model.dropout", "a number of 0 or more and below 1"),
        ("evaluation.max_two_sample", "a number from 0.5 to 1, or null"),
        ("preprocessing.background", "a list of 3 whole numbers from 0 to 255"),
        ("model.hidden", "a list of whole numbers above 0, at least one"),
        ("model.network", "dense, convolutional, hierarchical or spatial"),
        ("notify.command", "text or a list of text, or null"),
        ("training.jit_compile", "true or false"),
        ("cluster.secrets", "a list of mappings of name, env"),
        ("cluster.root", "text"),
    ],
)
def test_values_are_told_in_words(name, values):
    assert fields()[name].values == values


def test_a_type_of_values_that_has_no_words_is_text():
    assert values_of(bytes) == "text"


def test_a_field_is_found_by_any_part_of_its_name():
    assert [field.name for field in find("training.epochs")] == ["training.epochs"]
    assert [field.name for field in find("epochs")] == ["training.epochs", "tuning.epochs"]
    assert [field.name for field in find("training.epochs=3")] == ["training.epochs"]
    section = find("beam")
    assert isinstance(section, Section) and "beam.engine" in {field.name for field in section.fields}


@pytest.mark.parametrize(
    ("name", "words"), [("training.epoch", "training.epochs"), ("batchsize", "training.batch_size"), ("", "no")]
)
def test_an_unknown_field_is_told_with_the_closest_one(name, words):
    with pytest.raises(InputError, match=words) as caught:
        find(name)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(("count", "size", "channels"), [(12, 12, 1), (12, 20, 3), (12, 70, 3)])
def test_a_look_chooses_no_field_that_is_not_listed(tmp_path, count, size, channels):
    write_discs(tmp_path, count, size=size, channels=channels)
    completed = complete({}, str(tmp_path))
    chosen = {f"{section}.{field}" for section, values in completed.items() for field in values}
    assert chosen <= {*CHOSEN, *CHOSEN_FOR_SOME} <= set(fields())
    assert set(CHOSEN) <= chosen


def test_descriptions_name_no_modules():
    for field in fields().values():
        assert not any(f"`{package}." in field.meaning for package in ("trainer", "pipeline", "components")), field.name
    assert dataclasses.is_dataclass(next(iter(fields().values())))
