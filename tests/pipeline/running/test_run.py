"""The parts of a run that need no pipeline."""

import os
import re

import pytest

from common.errors import InputError
from pipeline.running.preparation import place_schema
from pipeline.running.run import place_report, whoami
from pipeline.workspace.layout import Workspace


@pytest.fixture
def workspace(tmp_path):
    return Workspace.create(tmp_path / "work")


def test_an_edited_schema_lies_somewhere_else_and_the_same_one_in_the_same_place(workspace, tmp_path):
    usual = place_schema(None, workspace)
    assert place_schema(None, workspace) == usual
    assert [p.name for p in usual.iterdir()] == ["schema.pbtxt"]
    own = tmp_path / "own.txt"
    own.write_text((usual / "schema.pbtxt").read_text().replace("max: 65535", "max: 65534"))
    placed = place_schema(str(own), workspace)
    assert placed != usual
    assert "max: 65534" in (placed / "schema.pbtxt").read_text()


@pytest.mark.parametrize("text", ["feature {", "not a schema", "feature { nonsense: 1 }"])
def test_a_schema_that_is_none(workspace, tmp_path, text):
    path = tmp_path / "s.pbtxt"
    path.write_text(text)
    with pytest.raises(InputError, match="s.pbtxt"):
        place_schema(str(path), workspace)


def test_a_report_takes_the_place_of_the_one_before(workspace, tmp_path):
    for run_id in ("one", "two"):
        (tmp_path / run_id).mkdir()
        (tmp_path / run_id / "index.html").write_text(run_id)
        workspace.run(run_id).mkdir(parents=True)
        place_report(tmp_path / run_id, workspace, run_id)
    assert (workspace.report / "index.html").read_text() == "two"
    assert (workspace.run("one") / "report" / "index.html").read_text() == "one"
    assert not list(workspace.root.glob(".report*"))


def test_who_is_named_even_where_the_user_has_no_name(monkeypatch):
    assert re.fullmatch(r"\S+@\S+", whoami())
    monkeypatch.setattr("getpass.getuser", lambda: {}["nobody"])
    assert whoami().startswith(f"{os.getuid()}@")
