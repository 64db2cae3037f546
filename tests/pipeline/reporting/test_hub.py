"""Publishing: the files and the card of a folder, and uploads to a stand-in of the Hugging Face Hub."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Iterator
from pathlib import Path

import click
import numpy as np
import pytest
import yaml
from click.testing import CliRunner, Result

from pipeline.cli.publish import COMMANDS
from pipeline.reporting.card import model_card
from pipeline.reporting.facts import collect_facts
from pipeline.verdict.verdict import Verdict
from serving.manifest import verify, write_manifest
from tests.emulators.model_hub import TOKEN, ModelHub, model_hub_server
from tests.serving import tiny_model
from tests.serving.explorer import tiny_program

pytest.importorskip("safetensors", reason="safetensors is not installed: it is in the extra `huggingface`")
huggingface_hub = pytest.importorskip("huggingface_hub")

CLI = click.Group("darkroom", commands={command.name: command for command in COMMANDS})
FILES = {"README.md", "explorer.html", "samples.png", "config.yaml", "weights.safetensors"}
HOSTILE = "<b>a|b</b>"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a model with all files that a card is made from."""
    folder = tiny_model.save(tiny_model.TinyModel(), tmp_path_factory.mktemp("pushed") / "3")
    about = json.loads((folder / "model.json").read_text())
    about |= {"title": "shapes", "network": "dense", "likelihood": "bernoulli", "prior": "standard_normal", "density": "prior"}
    about |= {
        "labels": ["boot", HOSTILE],
        "seed": 5,
        "parameters": {"encoder": 1234, "decoder": 567},
        "pictures": {"train": 90, "eval": 10},
    }
    (folder / "model.json").write_text(json.dumps(about), encoding="utf-8")
    figures = {"elbo": -24.5, "reconstruction": 20.0, "kl": 4.5, "importance_weighted": -23.9}
    (folder / "metrics.json").write_text(json.dumps({"eval": figures, "epochs": 9, "best_epoch": 7}), encoding="utf-8")
    (folder / "config.yaml").write_text("title: shapes\n", encoding="utf-8")
    np.savez(folder / "weights.npz", **{"decoder/kernel": np.arange(6.0, dtype=np.float32).reshape(2, 3)})
    tiny_program.save(folder)
    write_manifest(folder)
    return folder


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModelHub]:
    """A Hub, and a user who is logged in by the environment."""
    with model_hub_server() as (held, address):
        monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", address)
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        yield held


def run(*arguments: object, status: int = 0) -> Result:
    result = CliRunner().invoke(CLI, ["publish", *map(str, arguments)])
    assert result.exit_code == status or (status == 1 and result.exception), result.output
    return result


def front_matter(card: str) -> dict:
    assert card.startswith("---\n")
    return yaml.safe_load(card.split("---\n")[1])


def test_a_folder_has_the_card_and_a_model_that_works(model: Path, tmp_path: Path) -> None:
    from safetensors.numpy import load_file

    out = tmp_path / "published"
    assert run("--model", model, "--to", out, "--license", "apache-2.0").stdout == f"published version 3 to {out}\n"
    assert {path.name for path in out.iterdir()} == {*FILES, "model"}
    verify(out / "model")
    assert load_file(out / "weights.safetensors")["decoder/kernel"].tolist() == [[0, 1, 2], [3, 4, 5]]
    card = (out / "README.md").read_text(encoding="utf-8")
    data = front_matter(card)
    assert data["license"] == "apache-2.0" and data["pipeline_tag"] == "unconditional-image-generation"
    (index,) = data["model-index"]
    assert {metric["type"]: metric["value"] for metric in index["results"][0]["metrics"]}["elbo"] == -24.5
    for words in (
        "1,234 + 567 parameters",
        "9 epochs, best 7, seed 5",
        "| train | 90 | not recorded |",
        "-23.90",
        "`serving_default`",
    ):
        assert words in card
    assert HOSTILE not in card and r"&lt;b&gt;a\|b&lt;/b&gt;" in card


def test_the_card_has_what_the_work_folder_knows(model: Path) -> None:
    verdict = Verdict(run="20260101-000000", title="shapes", images="/secret/place", started="")
    verdict.figures = {"elbo": -25.5, "kl": 4.0}
    verdict.data = {"pictures": {"train": 90, "eval": 10}, "rejected": 2, "duplicates": 1}
    verdict.quality = {
        "generated": {"frechet_distance": 14.4},
        "floor": {"frechet_distance": 2.9},
        "copies": {"pictures": 100, "count": 3, "floor": 0.02},
    }
    verdict.blessed_by, verdict.overruled = {"who": "ada", "when": "now", "why": "a demo"}, ["ELBO is worse"]
    by_label = {"boot": {"elbo": -20.0, "pictures": 4.0}, HOSTILE: {"elbo": -30.0, "kl": 3.0, "pictures": 6.0}}
    facts = dataclasses.replace(
        collect_facts(model, None),
        verdict=verdict,
        by_label=by_label,
        fingerprint="f" * 8,
        code="c" * 8,
        examples={"train": "e" * 64},
    )
    card = model_card(facts, "ada/shapes")
    for words in ("f" * 8, "c" * 8, f"| train | 90 | `{'e' * 64}` |", "(2 and 1)", "14.4", "2.9", "3 were near-copies", "2.0 %"):
        assert words in card
    assert "The model gate refused this model" in card and "a demo" in card and "ELBO is worse" in card
    assert card.index("&lt;b&gt;") < card.index("| boot | -20.00 |"), "hardest first"
    assert "/secret/place" not in card and "hf download ada/shapes" in card
    for table in (block.splitlines() for block in card.split("\n\n") if block.startswith("|")):
        assert len({row.replace(r"\|", "").count("|") for row in table}) == 1, table


def test_an_upload_is_one_commit_that_replaces_the_model(model: Path, hub: ModelHub, tmp_path: Path) -> None:
    hub.repositories["ada/shapes"] = {"model/old.pb": b"x", "notes.md": b"mine"}
    result = run("--model", model, "--to", "hf://ada/shapes")
    assert "/ada/shapes/commit/" in result.stdout
    files = hub.repositories["ada/shapes"]
    assert set(files) >= FILES and "model/saved_model.pb" in files
    assert "model/old.pb" not in files and files["notes.md"] == b"mine"
    assert hub.messages == ["Version 3 of shapes"]
    assert files["README.md"].decode() in hub.cards, "the Hub validated the card"
    assert not any(TOKEN.encode() in content for content in files.values()) and TOKEN not in result.output


def test_a_new_repository_is_private_unless_asked(model: Path, hub: ModelHub) -> None:
    found = json.loads(run("--model", model, "--to", "hf://ada/one", "--json").stdout)
    assert found["version"] == "3" and "/ada/one/commit/" in found["to"]
    run("--model", model, "--to", "hf://ada/two", "--public")
    assert hub.visibility == {"ada/one": "private", "ada/two": "public"}


def test_refusals_are_one_line_without_the_token(
    model: Path, hub: ModelHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full/file").touch()
    for target, words in (
        ("hf://eve/shapes", "refuses to write to eve/shapes (status 403): log in with `hf auth login`, or set HF_TOKEN"),
        ("hf://shapes", "name a folder, or a repository of the Hugging Face Hub: hf://owner/name"),
        ("s3://bucket/shapes", "name a folder, or a repository of the Hugging Face Hub"),
        (tmp_path / "full", "exists already: name a new or empty folder"),
    ):
        (line,) = run("--model", model, "--to", target, status=2).stderr.splitlines()
        assert words in line and TOKEN not in line
    hub.down = True
    assert "failed (status 500)" in str(run("--model", model, "--to", "hf://ada/shapes", status=1).exception)
    monkeypatch.delenv("HF_TOKEN")
    monkeypatch.setattr(huggingface_hub, "get_token", lambda: None)
    (line,) = run("--model", model, "--to", "hf://ada/shapes", status=2).stderr.splitlines()
    assert "there is no token" in line and "permission to write to ada/shapes" in line
    assert sorted(os.listdir(tmp_path)) == ["full"]
