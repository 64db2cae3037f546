"""What is found where a run would work, and where it would not."""

import dataclasses
import shutil
from collections import namedtuple

import pytest

from pipeline.config.loading import build_config
from pipeline.maintenance import doctor
from pipeline.maintenance.doctor import configured, disk, machine, packages, pictures, work_folder
from pipeline.metadata.store import open_store
from pipeline.workspace.layout import Workspace
from tests.project import write_discs

Usage = namedtuple("Usage", "total used free")


def states(checks):
    return {check.name: check.state for check in checks}


def test_this_environment_is_sound():
    assert states(packages()) == {"packages": "ok"}
    assert "problem" not in states(machine()).values()


def test_a_missing_or_wrong_package_is_named(monkeypatch):
    monkeypatch.setattr(doctor.metadata, "requires", lambda name: ["rich>=900", "no-such-package>=1", 'also-none; extra == "x"'])
    (check,) = packages()
    assert check.state == "problem" and "rich" in check.found and "no-such-package is missing" in check.found
    assert "also-none" not in check.found and "make" in check.advice


def test_extras_that_are_absent_are_named(monkeypatch):
    monkeypatch.setattr(doctor, "EXTRAS", {"aws": ("s3://", "rich"), "heic": ("HEIC", "no-such-package")})
    check = doctor.extras()
    assert (check.state, check.found, check.advice) == ("ok", "with s3://; without HEIC", "pip install 'darkroom-tfx[heic]'")


@pytest.mark.parametrize(("free", "state"), [(10e9, "ok"), (1e9, "warning"), (1e6, "problem")])
def test_a_full_disk(tmp_path, monkeypatch, free, state):
    monkeypatch.setattr(shutil, "disk_usage", lambda place: Usage(1e12, 0, free))
    check = disk("disk", tmp_path)
    assert check.state == state and str(tmp_path) in check.found and bool(check.advice) == (state != "ok")


def test_a_folder_that_cannot_be_written():
    assert disk("disk", doctor.Path("/proc")).state == "problem"


def test_the_memory_of_a_container_is_that_of_its_limit(tmp_path, monkeypatch):
    free, total = doctor.memory()
    assert 0 < free <= total
    monkeypatch.setattr(doctor, "_number", {"memory.max": 1e9, "memory.current": 4e8}.get)
    monkeypatch.setattr(doctor, "_number", lambda path: {"memory.max": 1e9, "memory.current": 4e8}[path.name])
    assert doctor.memory() == (6e8, 1e9)
    assert states(machine())["memory"] == "warning"


def test_a_work_folder_that_does_not_exist_yet(tmp_path):
    (check,) = work_folder(Workspace(tmp_path / "new"))
    assert check.state == "ok"


def test_a_sound_work_folder(tmp_path):
    workspace = Workspace(tmp_path)
    open_store(workspace).get_artifact_types()
    assert states(work_folder(workspace)) == {"metadata": "ok", "runs": "ok"}


def test_a_damaged_database_and_a_killed_run(tmp_path):
    workspace = Workspace(tmp_path)
    workspace.metadata.write_bytes(b"no database" * 1000)
    workspace.run("20260101-000000").mkdir(parents=True)
    found = {check.name: check for check in work_folder(workspace)}
    assert found["metadata"].state == "problem" and "darkroom restore" in found["metadata"].advice
    assert found["runs"].state == "warning" and "killed" in found["runs"].found


def test_a_folder_in_use_and_one_that_tfx_cannot_take(tmp_path):
    workspace = Workspace(tmp_path)
    with workspace.lock():
        assert states(work_folder(workspace))["work folder"] == "problem"
    assert states(work_folder(Workspace(tmp_path / "a[b]"))) == {"work folder": "problem"}


def test_an_error_of_the_system_is_a_problem(tmp_path, monkeypatch):
    monkeypatch.setattr(doctor.sys, "executable", str(tmp_path / "no-python"))
    monkeypatch.setattr(Workspace, "runs", lambda self: (_ for _ in ()).throw(PermissionError(13, "Permission denied", "/secret")))
    found = {check.name: check for check in doctor.examine(tmp_path) if check.state == "problem"}
    assert found["libraries"].found.endswith("No such file or directory")
    assert found["work folder"].found == "/secret: Permission denied"


def test_what_a_configuration_needs(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.delenv("HOOK", raising=False)
    config = build_config(
        {
            "notify": {"webhook": "${HOOK}", "command": "no-such-program"},
            "serving_check": {"kind": "infra_validator"},
            "metadata": {"host": "127.0.0.1", "port": 1},
        }
    )
    monkeypatch.setenv("DARKROOM_METADATA_PASSWORD", "x")
    assert states(configured(config)) == {"variables": "problem", "notify": "warning", "docker": "problem", "MySQL": "problem"}
    assert list(configured(build_config({}))) == []


def test_pictures_are_listed(tmp_path):
    write_discs(tmp_path / "discs", 4)
    assert pictures(str(tmp_path / "discs"), build_config({})).found.startswith("4 pictures")
    check = pictures(str(tmp_path / "nowhere"), build_config({}))
    assert check.state == "problem" and "nowhere" in check.found
    assert dataclasses.asdict(check)["advice"]
