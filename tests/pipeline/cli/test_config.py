"""`darkroom config`: show, check and explain, as a person uses them."""

import json

import pytest
import yaml

from pipeline.config.fields import fields
from pipeline.config.loading import build_config
from tests.pipeline.cli.runner import invoke
from tests.project import write_discs


def test_a_field_is_explained():
    ended = invoke("config", "explain", "training.patience")
    assert ended.status == 0
    for words in ("Number of epochs without", "a whole number above 0", "10", "--set training.patience=10"):
        assert words in ended.out


@pytest.mark.parametrize("columns", [40, 80])
@pytest.mark.parametrize("name", [None, "model", "epochs"])
def test_explanations_fit_the_terminal(monkeypatch, columns, name):
    monkeypatch.setenv("COLUMNS", str(columns))
    ended = invoke("config", "explain", *([name] if name else []))
    long = [line for line in ended.out.splitlines() if len(line) > columns]
    assert all(len(word) + 12 > columns for line in long for word in [max(line.split(), key=len)]), long


def test_every_field_can_be_explained_as_json():
    sections = json.loads(invoke("config", "explain", "--json").out)
    listed = {field["name"]: field for section in sections for field in section["fields"]}
    assert set(listed) == set(fields()) and listed["training.epochs"]["default_text"] == "chosen"


def test_an_unknown_field_is_a_mistake():
    ended = invoke("config", "explain", "training.epoch")
    assert (ended.status, ended.out) == (2, "") and "did you mean training.epochs" in ended.err


def test_what_is_shown_is_a_configuration(tmp_path):
    write_discs(tmp_path / "discs", 10)
    ended = invoke("config", "show", "--images", tmp_path / "discs", "--set", "training.epochs=3")
    config = build_config(yaml.safe_load(ended.out))
    assert config.training.epochs == 3 and config.preprocessing.height == 12 and config.title == "discs"
    assert "epochs: 3  # --set" in ended.out and "height: 12  # chosen from the pictures" in ended.out


def test_a_preset_without_pictures():
    values = {each["name"]: each for each in json.loads(invoke("config", "show", "--config", "digits", "--changed", "--json").out)}
    assert values["training.epochs"] == {"name": "training.epochs", "value": 60, "origin": "digits"}
    assert values["evaluation.max_drop"]["origin"] == "open" and "training.patience" not in values


def test_the_configuration_of_a_run(tmp_path):
    run = tmp_path / "runs" / "20260101-000000"
    run.mkdir(parents=True)
    (run / "config.yaml").write_text(build_config({"training": {"epochs": 7}}).to_yaml())
    assert "epochs: 7  # run 20260101-000000" in invoke("config", "show", "--work", tmp_path, "--changed").out
    ended = invoke("config", "show", "--work", tmp_path, "--run", "other")
    assert ended.status == 2 and "no run other" in ended.err


def test_a_check_names_all_problems_and_their_lines(tmp_path):
    path = tmp_path / "my.yaml"
    path.write_text("training:\n  epoch: 3\n  batch_size: 0\n")
    ended = invoke("config", "check", path)
    assert ended.status == 2 and [line.split(":")[1] for line in ended.out.splitlines()] == [" line 2", " line 3"]
    assert ended.err == f"invalid: {path} has 2 problems, above\n"
    result = json.loads(invoke("config", "check", path, "--json").out)
    assert not result["valid"] and [each["line"] for each in result["problems"]] == [2, 3]


def test_a_valid_file_has_no_problems(tmp_path):
    path = tmp_path / "my.yaml"
    path.write_text("training:\n  epochs: 3\n")
    ended = invoke("config", "check", path)
    assert ended.status == 0 and "no problems found" in ended.out
    assert json.loads(invoke("config", "check", path, "--json").out) == {"file": str(path), "valid": True, "problems": []}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["check"], "name a file"),
        (["check", "nowhere.yaml"], "nowhere.yaml"),
        (["check", "digits", "--images", "nowhere"], "nowhere"),
        (["check", "--set", "schema=nowhere.pbtxt"], "nowhere.pbtxt"),
        (["check", "--set", "training.epochs=0"], "training.epochs"),
        (["show", "--config", "nowhere.yaml"], "nowhere.yaml"),
        (["show", "--work", "nowhere"], "nowhere"),
        (["show", "--run", "1"], "--run needs --work"),
        (["show", "--images", "nowhere"], "nowhere"),
        (["show", "--work", "w", "--config", "digits"], "leave out"),
        (["nonsense"], "nonsense"),
    ],
)
def test_mistakes(tmp_path, monkeypatch, arguments, words):
    monkeypatch.chdir(tmp_path)
    ended = invoke("config", *arguments)
    assert ended.status == 2 and words in ended.out + ended.err
    assert all(len(line) < 200 for line in (ended.out + ended.err).splitlines())
