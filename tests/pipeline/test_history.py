"""What became of earlier runs."""

import pytest

from pipeline.history import last_run, lost_version, tell
from pipeline.status import Status
from pipeline.verdict import Verdict
from trainer.errors import InputError


def write(work, run, status, **values):
    verdict = Verdict(run=run, title="cats", images="i", started="s", **values)
    verdict.end(status, None, ["it was full of dogs"] if status else [])
    (work / "runs" / run).mkdir(parents=True)
    verdict.write(work / "runs" / run / "verdict.json")


def test_the_last_run_is_told(tmp_path):
    write(tmp_path, "20260101-000000", Status.PUSHED, figures={"elbo": -3.0}, model={"version": 4, "path": "serving/4"})
    write(tmp_path, "20260102-000000", Status.REFUSED)
    assert last_run(tmp_path) == "20260102-000000"
    assert tell(last_run(tmp_path), tmp_path)[:2] == ["cats, run 20260102-000000: refused after 0 s", "it was full of dogs"]
    (tmp_path / "runs" / "20260101-000000" / "report").mkdir()
    (tmp_path / "runs" / "20260101-000000" / "report" / "index.html").write_text("")
    lines = tell("20260101-000000", tmp_path)
    assert "held-out ELBO -3.00 nats per picture" in lines
    assert "model: version 4, serving/4" in lines
    assert lines[-1].endswith("report/index.html")


def test_no_run(tmp_path):
    with pytest.raises(InputError, match="darkroom run"):
        last_run(tmp_path)
    with pytest.raises(InputError, match="no run x"):
        tell("x", tmp_path)


def test_a_version_that_was_deleted_is_noticed(tmp_path):
    assert lost_version(tmp_path) is None
    served = tmp_path / "serving" / "2"
    served.mkdir(parents=True)
    write(tmp_path, "20260101-000000", Status.PUSHED, model={"version": 1, "path": str(tmp_path / "gone")})
    write(tmp_path, "20260102-000000", Status.PUSHED, model={"version": 2, "path": str(served)})
    write(tmp_path, "20260103-000000", Status.REFUSED)
    assert lost_version(tmp_path) is None
    served.rmdir()
    assert lost_version(tmp_path) == 2
