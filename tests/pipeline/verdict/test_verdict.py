"""The verdict: how an exception ends a run, and what is read back from `verdict.json`."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from common.errors import GateRefused, InputError
from pipeline.verdict.status import Status
from pipeline.verdict.verdict import DamagedVerdict, Verdict, ending_of, read_verdict, read_verdicts
from pipeline.workspace.layout import DiskFull

VERDICT = Verdict(run="1", title="cats", images="/cats", started="2026-01-01T00:00:00+00:00")


def test_each_exception_has_an_ending():
    assert ending_of(GateRefused("data", ["it drifted", "it is dark"])) == (Status.REFUSED, "data", ["it drifted", "it is dark"])
    assert ending_of(InputError("no pictures")) == (Status.MISTAKE, None, ["no pictures"])
    assert ending_of(DiskFull("1 MB is left")) == (Status.FAULT, None, ["1 MB is left"])


def test_a_fault_is_one_line():
    assert ending_of(OSError("a\n  b")) == (Status.FAULT, None, ["OSError: a b"])
    assert ending_of(KeyError()).reasons == ["KeyError"]
    assert len(ending_of(ValueError("x" * 5000)).reasons[0]) < 400


def test_a_verdict_comes_back(tmp_path):
    verdict = replace(VERDICT, figures={"elbo": -24.5}, model={"version": 3}, blessed_by={"who": "a", "why": "b", "when": "c"})
    verdict.end(Status.REFUSED, "model", ["a reason"])
    assert read_verdict(tmp_path) is None
    verdict.write(tmp_path / "verdict.json")
    assert read_verdict(tmp_path) == verdict
    assert [path.name for path in tmp_path.iterdir()] == ["verdict.json"]


def test_a_verdict_of_an_earlier_or_a_later_version(tmp_path):
    values = json.loads(VERDICT.to_json())
    del values["quality"], values["unjudged"]
    (tmp_path / "verdict.json").write_text(json.dumps({**values, "new": 1}))
    assert read_verdict(tmp_path) == VERDICT


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b"{}", b'{"status": 0}', b'{"status": 77}', b"\xff"])
def test_a_damaged_verdict(tmp_path, content):
    folders = [tmp_path / name for name in ("1", "2", "3")]
    for folder in folders:
        folder.mkdir()
    VERDICT.write(folders[0] / "verdict.json")
    (folders[1] / "verdict.json").write_bytes(content)
    with pytest.raises(DamagedVerdict, match="the verdict of run 2 is damaged: .*/2/verdict.json"):
        read_verdict(folders[1])
    assert read_verdicts(folders) == [VERDICT]
