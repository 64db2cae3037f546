"""A bad model got into service, or a byte of it changed: what a person does about it, and what the runs after that do."""

from __future__ import annotations

import json

import pytest

from tests.faults.conftest import PUSHED, TRAINED, Watch
from tests.faults.test_kill import orphans
from tests.project import start_darkroom


@pytest.mark.slow
def test_rolled_back_and_not_pushed_again_by_itself(lab, trial):
    trial("a bad model in service, rolled back")
    lab.restore(PUSHED)
    with Watch(lab.work / "serving") as watch:
        done = start_darkroom("rollback", "--work", lab.work, "--why", "grey stripes").wait()
        assert done.status == 0 and done.out.splitlines()[-1].startswith("rolled back: version 1 is in service as version 3"), (
            done.err
        )
        assert lab.versions() == [1, 2, 3]
        assert 'served_version{work="work"} 3.0' in (lab.work / "metrics.prom").read_text()

        unchanged = lab.run()
        assert unchanged.status == 3 and ": grey stripes" in unchanged.err and "refused by the model gate" in unchanged.err
        assert lab.versions() == [1, 2, 3]

        anew = lab.run(**{"training.seed": 1})  # another model: judged against the one that was put back
        assert anew.status == 0, anew.err
        assert lab.versions() == [1, 2, 3, 4]
        first = json.loads((lab.work / "serving/1/model.json").read_text())
        lineage = start_darkroom("lineage", 4, "--work", lab.work).wait()
        assert lineage.status == 0 and first["image_shape"]
        of_three = start_darkroom("lineage", 3, "--work", lab.work).wait()
        judged = next(line for line in lineage.out.splitlines() if line.startswith("judged against: "))
        assert judged.split(": ")[1] in next(line for line in of_three.out.splitlines() if line.startswith("model: "))

        back = start_darkroom("rollback", 2, "--work", lab.work).wait()  # it was good after all
        assert back.status == 0, back.err
        assert lab.run().status == 0 and lab.versions() == [1, 2, 3, 4, 5]
    assert not watch.faults and not orphans(lab.work)
    listed = start_darkroom("runs", "--work", lab.work).wait()
    assert "version 3 is version 1, put back in place of 2" in listed.out and "version 5 is version 2" in listed.out

    cleared = start_darkroom("gc", "--keep", 2, "--work", lab.work, "--yes").wait()
    assert cleared.status == 0 and lab.versions() == [4, 5], cleared.err
    assert set(lab.run().states().values()) == {"cached"} and not orphans(lab.work)


@pytest.mark.slow
def test_a_rollback_that_is_undone_withdraws_nothing_but_what_came_later(lab):
    lab.restore(PUSHED)
    assert lab.versions() == [1, 2]

    def rollback(*arguments) -> str:
        ended = start_darkroom("rollback", *arguments, "--work", lab.work).wait()
        return ended.out + ended.err

    assert "withdrawn: version 2;" in rollback("--why", "grey\nstripes")
    assert "withdrawn: " not in rollback(2), "version 3 is the model that was there before"
    assert "rolled back: version 3 is in service as version 5" in rollback()
    assert "takes one that was withdrawn before: 2, 4" in rollback()
    listed = start_darkroom("runs", "--work", lab.work).wait().out.splitlines()
    assert listed[-3].endswith(": grey stripes")


@pytest.mark.slow
def test_what_cannot_be_rolled_back_to_is_said(lab):
    lab.restore()

    def rollback(*arguments) -> str:
        ended = start_darkroom("rollback", *arguments, "--work", lab.work).wait()
        assert ended.status == 2 and len(ended.err.splitlines()) == 1, ended.err
        return ended.err

    assert rollback() == "invalid: there is no earlier model to put back\n"
    assert "version 1 is in service already" in rollback(1)
    assert "there is no version 7: there are 1" in rollback(7)
    assert lab.versions() == [1]


@pytest.mark.slow
def test_a_changed_byte_of_a_pushed_model(lab, trial):
    trial("a changed byte of a pushed model")
    lab.restore(TRAINED)
    data = next((lab.work / "serving/1/variables").glob("variables.data*"))
    content = bytearray(data.read_bytes())
    content[len(content) // 2] ^= 1
    data.write_bytes(content)
    ended = start_darkroom("generate", "--work", lab.work, "--out", lab.root / "new.png").wait()
    assert ended.status == 2 and len(ended.err.splitlines()) == 1 and "has been changed since it was exported" in ended.err
    assert lab.run().status == 0 and lab.versions() == [1, 2]
    assert start_darkroom("generate", "--work", lab.work, "--out", lab.root / "new.png").wait().status == 0
    refused = start_darkroom("rollback", 1, "--work", lab.work).wait()
    assert refused.status == 2 and "has been changed since it was exported" in refused.err and lab.versions() == [1, 2]
