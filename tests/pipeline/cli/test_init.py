"""`darkroom init`: a look at pictures, and a configuration for them."""

import json
import os

import pytest
import yaml
from PIL import Image

from pipeline.config.inference import complete
from pipeline.config.loading import build_config
from tests.pipeline.cli.runner import invoke
from tests.project import write_discs


@pytest.fixture
def discs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_discs(tmp_path / "discs", 12, channels=3)
    return tmp_path / "discs"


def test_what_is_written_is_what_a_run_would_choose(discs):
    ended = invoke("init", "discs")
    assert ended.status == 0 and "next: darkroom run --images discs --config discs.yaml" in ended.out
    values = yaml.safe_load((discs.parent / "discs.yaml").read_text())
    assert build_config(complete(values, str(discs))) == build_config(complete({"title": "discs"}, str(discs)))
    assert values["preprocessing"] == {"height": 12, "width": 12, "channels": 3}
    for words in ("12 pictures", "sizes: 12x12", "labels: 2", "expect about", "GB of memory", "! 12 pictures are few"):
        assert words in ended.out
    assert all(len(line) < 200 for line in ended.out.splitlines())


def test_each_field_has_its_meaning_as_a_comment(discs):
    invoke("init", "discs", "--out", "my.yaml")
    lines = (discs.parent / "my.yaml").read_text().splitlines()
    fields = [number for number, line in enumerate(lines) if line.startswith("  ") and not line.startswith("  #")]
    assert len(fields) > 6 and all(lines[number - 1].startswith("  # ") for number in fields)
    assert all(len(line) <= 100 for line in lines if line.startswith(" "))


def test_overrides_are_kept(discs):
    invoke("init", "discs", "--set", "preprocessing.height=24", "--set", "training.patience=3", "--out", "my.yaml")
    values = yaml.safe_load((discs.parent / "my.yaml").read_text())
    assert (values["preprocessing"]["height"], values["training"]["patience"]) == (24, 3)


def test_to_standard_output_goes_only_the_configuration(discs):
    ended = invoke("init", "discs", "--out", "-")
    assert yaml.safe_load(ended.out)["title"] == "discs" and "12 pictures" in ended.err
    assert os.listdir(discs.parent) == ["discs"]


def test_as_json(discs):
    result = json.loads(invoke("init", "discs", "--json").out)
    assert result["pictures"] == 12 and result["seconds"] > 10 and result["memory_bytes"] > 1e9
    assert result["file"] == "discs.yaml" and yaml.safe_load(result["text"])["title"] == "discs"


def test_problems_of_pictures_are_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "mixed"
    folder.mkdir()
    for i in range(4):
        Image.new("L" if i % 2 else "RGB", (40, 10), i * 20).save(folder / f"{i}.png")
    (folder / "broken.png").write_bytes(b"no picture")
    out = invoke("init", "mixed").out
    for words in (
        "1 of 5 pictures that were looked at cannot be read",
        "some pictures are long",
        "gray and color pictures are mixed",
    ):
        assert words in out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["empty"], "no pictures"),
        (["nowhere"], "nowhere"),
        (["words.txt"], "words.txt"),
        ([""], "PATH must not be empty"),
        (["discs", "--out", "words.txt"], "--force"),
        (["discs", "--out", "words.txt/x.yaml"], "words.txt"),
        (["discs", "--set", "training.epoch=3"], "did you mean training.epochs"),
        ([], "PATH"),
    ],
)
def test_mistakes(discs, arguments, words):
    (discs.parent / "empty").mkdir()
    (discs.parent / "words.txt").write_text("words")
    ended = invoke("init", *arguments)
    assert ended.status == 2 and words in ended.err and len(ended.err.splitlines()) == 1
    assert (discs.parent / "words.txt").read_text() == "words"
