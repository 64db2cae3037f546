"""`--out` of the commands, as they are typed: pipes, links, devices and standard output, with names in any locale."""

from __future__ import annotations

import io
import os
import shutil
import stat
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.project import ROOT

pytestmark = pytest.mark.skipif(os.name != "posix", reason="links, FIFOs and devices as POSIX has them")

SCRIPT = "import sys; del sys.path[0]; from local_runner import main; main(sys.argv[1:])"
C_LOCALE = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
NAME = "größe-日本"


def start(*arguments: object, shell: str = "", environment: dict[str, str] | None = None, **options: object) -> subprocess.Popen:
    """Start `darkroom ARGUMENTS`; with `shell`, a line of sh in which `"$@"` is that command."""
    command = [sys.executable, "-c", SCRIPT, *map(str, arguments)]
    given = {key: value for key, value in os.environ.items() if key not in ("LANG", "LC_ALL", "LC_CTYPE")}
    given |= {"PYTHONPATH": str(ROOT), "LC_ALL": "C.UTF-8", **(environment or {})}
    return subprocess.Popen(
        ["sh", "-c", shell, "sh", *command] if shell else command,
        env=given,
        **{"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options},
    )


def run(*arguments: object, status: int = 0, **options: object) -> tuple[bytes, str]:
    """Run `darkroom ARGUMENTS` to its end."""
    process = start(*arguments, **options)
    out, err = process.communicate(timeout=120)
    assert process.returncode == status, (out, err)
    return out, (err or b"").decode()


def sheet(content: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(content)) as image:
        assert image.format == "PNG"
        return np.asarray(image)


@pytest.fixture
def expected(work: Path, tmp_path: Path) -> bytes:
    run("generate", "--work", work, "--count", 4, "--out", tmp_path / "expected.png")
    return (tmp_path / "expected.png").read_bytes()


@pytest.mark.parametrize("out", ["-", "/dev/stdout", "/proc/self/fd/1"])
def test_a_sheet_on_standard_output_is_all_that_is_there(work: Path, expected: bytes, out: str) -> None:
    png, err = run("generate", "--work", work, "--count", 4, "--out", out)
    assert png == expected and sheet(png).size
    assert err == f"wrote 4 pictures to {'standard output' if out == '-' else out}\n"


@pytest.mark.parametrize("command", [("reconstruct",), ("interpolate", "--steps", "3"), ("manifold", "--steps", "3")])
def test_every_command_of_pictures_writes_to_standard_output(work: Path, pictures: Path, command: tuple[str, ...]) -> None:
    named = [pictures / "0.png"] if command[0] == "reconstruct" else []
    png, err = run(*command, "--work", work, *named, "--out", "-")
    assert sheet(png).size and err.startswith("wrote ")


@pytest.mark.parametrize("command", ["encode", "score"])
def test_a_table_on_standard_output_does_not_replace_it(work: Path, pictures: Path, tmp_path: Path, command: str) -> None:
    plain, _ = run(command, "--work", work, pictures, "--out", "-")
    with (tmp_path / "table.csv").open("wb") as file:
        run(command, "--work", work, pictures, "--out", "/dev/stdout", stdout=file)
    assert (tmp_path / "table.csv").read_bytes() == plain and plain.count(b"\n") == 6


@pytest.mark.parametrize("command", ["generate", "encode"])
def test_a_fifo_and_a_device_stay_what_they_are(work: Path, pictures: Path, tmp_path: Path, command: str) -> None:
    arguments = [command, "--work", work, *([pictures] if command == "encode" else ["--count", 4])]
    fifo, found = tmp_path / "fifo", []
    os.mkfifo(fifo)
    thread = threading.Thread(target=lambda: found.append(fifo.read_bytes()), daemon=True)
    thread.start()
    out, _ = run(*arguments, "--out", fifo)
    thread.join(20)
    assert found[0].startswith(b"path," if command == "encode" else b"\x89PNG") and out.startswith(b"wrote ")
    run(*arguments, "--out", "/dev/null")
    assert stat.S_ISFIFO(fifo.stat().st_mode) and stat.S_ISCHR(os.stat("/dev/null").st_mode)


def test_links_to_a_sheet_a_table_and_a_folder_are_followed(work: Path, pictures: Path, tmp_path: Path, expected: bytes) -> None:
    for target, link in (("new.png", "latest"), ("table", "latest.csv"), ("folder", "latest folder")):
        (tmp_path / link).symlink_to(target)
    run("generate", "--work", work, "--count", 4, "--out", tmp_path / "latest")
    run("score", "--work", work, pictures, "--out", tmp_path / "latest.csv")
    run("generate", "--work", work, "--count", 4, "--out", tmp_path / "latest folder")
    assert (tmp_path / "new.png").read_bytes() == expected
    assert (tmp_path / "table").read_text(encoding="utf-8").startswith("path,elbo")
    assert len(list((tmp_path / "folder").iterdir())) == 4
    assert all((tmp_path / link).is_symlink() for link in ("latest", "latest.csv", "latest folder"))


@pytest.mark.parametrize("out", ["-", "/dev/stdout"])
@pytest.mark.parametrize("command", ["generate", "encode"])
def test_a_pipe_that_is_closed_ends_the_command_quietly(work: Path, pictures: Path, command: str, out: str) -> None:
    named = [pictures] if command == "encode" else []
    # The other end is closed before a byte is written, whatever the machine's load.
    said, err = run(command, "--work", work, *named, "--out", out, shell='{ "$@"; echo status $? >&2; } | :')
    assert (said, err) == (b"", "status 141\n")


@pytest.mark.parametrize("out", ["-", "/dev/full"])
def test_a_full_device_is_told_in_one_line(work: Path, out: str) -> None:
    if not os.path.exists("/dev/full"):
        pytest.skip("there is no device that is full")
    with open("/dev/full", "wb") as full:
        _, err = run("generate", "--work", work, "--out", out, status=1, stdout=full)
    assert err == f"failed: {'standard output' if out == '-' else out}: No space left on device\n"


@pytest.fixture
def elsewhere(work: Path, tmp_path: Path) -> Path:
    """A work folder whose name is not ASCII."""
    return Path(shutil.copytree(work, tmp_path / NAME))


@pytest.mark.parametrize(
    "environment", [C_LOCALE, {"LC_ALL": "POSIX", "PYTHONUTF8": "0"}, {"LC_ALL": "C"}], ids=["C", "POSIX", "mode"]
)
def test_names_that_are_not_ascii_are_found_whatever_the_locale(
    elsewhere: Path, pictures: Path, tmp_path: Path, environment: dict[str, str]
) -> None:
    (pictures / "0.png").rename(pictures / f"{NAME}.png")
    out = tmp_path / f"{NAME}.png"
    said, err = run("generate", "--work", elsewhere, "--count", 4, "--out", out, environment=environment)
    assert (said.decode(), err) == (f"wrote 4 pictures to {out}\n", "") and sheet(out.read_bytes()).size
    table, _ = run("score", "--work", elsewhere, pictures, environment=environment)
    assert f"{pictures}/{NAME}.png," in table.decode()
    run("reconstruct", "--work", elsewhere, pictures / f"{NAME}.png", "--out", tmp_path / "rebuilt", environment=environment)
    assert [file.name for file in (tmp_path / "rebuilt").iterdir()] == [f"00000-{NAME}.png"]
    _, err = run("generate", "--work", tmp_path / f"no {NAME}", "--out", out, environment=environment, status=2)
    assert NAME in err and len(err.splitlines()) == 1


def test_a_label_that_is_not_ascii_is_known_whatever_the_locale(conditional_work: Path, tmp_path: Path) -> None:
    arguments = ["generate", "--work", conditional_work, "--count", 4, "--out", "-", "--label", "täglich"]
    assert run(*arguments, environment=C_LOCALE)[0] == run(*arguments)[0]


def test_a_library_call_finds_its_model_without_the_commands(elsewhere: Path) -> None:
    """As a program of somebody else's does, which cannot be started anew in another encoding."""
    script = "import sys; from serving.pushed import PushedModel, find_model; "
    script += "print(PushedModel(find_model(work=sys.argv[1])).generate(2, 7, label=None).shape)"
    ended = subprocess.run(
        [sys.executable, "-c", script, elsewhere],
        env={**os.environ, "PYTHONPATH": str(ROOT), **C_LOCALE},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert ended.stdout == "(2, 8, 8, 1)\n", ended.stderr


def test_a_name_that_is_no_text_can_be_told(elsewhere: Path, pictures: Path) -> None:
    bad = os.path.join(os.fsencode(pictures), b"\xff\n.png")
    with open(bad, "wb") as file:
        file.write(b"no picture")
    _, err = run("score", "--work", elsewhere, pictures)
    assert err.splitlines()[0].startswith(f"left out {pictures}/\ufffd\\n.png: ")
