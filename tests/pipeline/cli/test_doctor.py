"""`darkroom doctor`: whether a run can work here, and its exit status."""

import json

from tests.pipeline.cli.runner import invoke
from tests.project import write_discs


def test_a_sound_machine_and_what_is_named(tmp_path):
    write_discs(tmp_path / "discs", 4)
    ended = invoke("doctor", "--json", "--work", tmp_path / "work", "--images", tmp_path / "discs", "--config", "digits")
    result = json.loads(ended.out)
    found = {check["name"]: check for check in result["checks"]}
    assert found["libraries"]["state"] == "ok" and "TensorFlow" in found["libraries"]["found"]
    assert (ended.status == 0) == result["sound"] and found["pictures"]["state"] == "ok"
    assert not (tmp_path / "work").exists()


def test_a_problem_is_told_with_what_to_do_and_status_1(tmp_path, monkeypatch):
    from pipeline.maintenance import doctor

    monkeypatch.setattr(doctor, "libraries", lambda: doctor.Check("libraries", "ok", "not loaded here"))
    monkeypatch.setenv("COLUMNS", "40")
    ended = invoke("doctor", "--images", tmp_path / "nowhere")
    assert ended.status == 1 and "✗ pictures: " in ended.out and "→ `darkroom inspect`" in ended.out
    assert "a problem: a run would not work here" in ended.out
    long = [line for line in ended.out.splitlines() if len(line) > 40]
    assert all(str(tmp_path) in line or len(max(line.split(), key=len)) > 20 for line in long), long
    assert "\x1b" not in ended.out


def test_mistakes():
    for arguments in (["--config", "nowhere.yaml"], ["--set", "training.epochs=0"]):
        ended = invoke("doctor", *arguments)
        assert ended.status == 2 and ended.out == ""
