"""Where results go: files whole or not at all, links followed, and what is no file written to and never replaced."""

from __future__ import annotations

import os
import pty
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from common.writing import filled, followed, is_standard_output, is_stream, put, send, write_text, written
from tests.project import ROOT

pytestmark = pytest.mark.skipif(os.name != "posix", reason="links, FIFOs and devices as POSIX has them")


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def reader(path: Path) -> Callable[[], bytes]:
    """Read a FIFO in a thread; the function returned waits for its end."""
    found: list[bytes] = []
    thread = threading.Thread(target=lambda: found.append(path.read_bytes()), daemon=True)
    thread.start()

    def wait() -> bytes:
        thread.join(20)
        return found[0]

    return wait


def run(script: str, *arguments: object, **options: object) -> subprocess.CompletedProcess:
    """Run a script that has `write_text` and `sys`."""
    script = f"import sys\nfrom pathlib import Path\nfrom common.writing import *\n{script}"
    return subprocess.run([sys.executable, "-c", script, *map(str, arguments)], cwd=ROOT, timeout=60, **options)


def test_a_file_is_made_with_the_folders_it_lacks(tmp_path: Path) -> None:
    out = tmp_path / "a" / "b" / "x.csv"
    write_text("größe", out)
    assert out.read_text(encoding="utf-8") == "größe" and names(out.parent) == ["x.csv"]


def test_a_new_file_is_as_the_umask_says_and_a_replaced_one_keeps_its_permissions(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_text("new", tmp_path / "new")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o640
    for mode in (0o600, 0o664, 0o755):
        (tmp_path / "new").chmod(mode)
        write_text(str(mode), tmp_path / "new")
        assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == mode


def test_what_fails_half_way_leaves_all_as_it_was(tmp_path: Path) -> None:
    out = tmp_path / "x"
    out.write_text("before", encoding="utf-8")
    for place in (out, tmp_path / "new"):
        with pytest.raises(KeyboardInterrupt), written(place) as file:
            file.write(b"half")
            raise KeyboardInterrupt
    assert out.read_text(encoding="utf-8") == "before" and names(tmp_path) == ["x"]


def test_a_link_is_followed_and_stays(tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    (tmp_path / "far" / "target").write_text("old", encoding="utf-8")
    (tmp_path / "one").symlink_to("two")
    (tmp_path / "two").symlink_to(tmp_path / "far" / "target")
    write_text("new", tmp_path / "one")
    assert (tmp_path / "far" / "target").read_text(encoding="utf-8") == "new"
    assert os.readlink(tmp_path / "one") == "two" and (tmp_path / "two").is_symlink()
    assert names(tmp_path / "far") == ["target"] and names(tmp_path) == ["far", "one", "two"]


def test_the_target_of_a_dangling_link_is_made(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(Path("new folder", "target"))
    write_text("new", tmp_path / "link")
    assert (tmp_path / "new folder" / "target").read_text(encoding="utf-8") == "new" and (tmp_path / "link").is_symlink()


def test_links_in_a_circle_are_told(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(OSError, match="symbolic links"):
        write_text("x", tmp_path / "a")


def test_a_fifo_gets_the_bytes_and_stays_one(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    (tmp_path / "link").symlink_to("fifo")
    for out in (fifo, tmp_path / "link"):
        wait = reader(fifo)
        write_text("x" * 300_000, out)
        assert wait() == b"x" * 300_000
        assert is_stream(out) and stat.S_ISFIFO(out.stat().st_mode)
    assert names(tmp_path) == ["fifo", "link"]


def test_nothing_reaches_a_fifo_of_what_fails_half_way(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(ValueError), written(tmp_path / "fifo") as file:
        file.write(b"half")
        raise ValueError  # opening it would wait for a reader that never comes


def test_a_device_stays_a_device(tmp_path: Path) -> None:
    (tmp_path / "null").symlink_to("/dev/null")
    for out in ("/dev/null", tmp_path / "null"):
        write_text("x", out)
        assert is_stream(out) and stat.S_ISCHR(os.stat("/dev/null").st_mode)
    assert stat.S_ISLNK((tmp_path / "null").lstat().st_mode)


def test_a_terminal_is_written_to() -> None:
    ours, theirs = pty.openpty()
    try:
        write_text("to the terminal", os.ttyname(theirs))
        assert os.read(ours, 100) == b"to the terminal"
    finally:
        os.close(ours)
        os.close(theirs)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no device that is full")
@pytest.mark.parametrize("out", ["/dev/full", "-", "/dev/stdout"])
def test_a_full_device_is_told_by_the_name_that_was_given(out: str) -> None:
    script = "try: write_text('x', sys.argv[1])\nexcept OSError as error: print(error.filename, error.strerror, file=sys.stderr)"
    with open("/dev/full", "wb") as full:
        ended = run(script, out, stdout=full, stderr=subprocess.PIPE, text=True)
    assert ended.stderr == f"{'standard output' if out == '-' else out} No space left on device\n" and ended.returncode == 0


@pytest.mark.parametrize("out", ["-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1", "link"])
def test_standard_output_by_any_name_goes_on_where_it_is(tmp_path: Path, out: str) -> None:
    """Also where it is a file: to replace that would lose what is before and after."""
    if out.startswith("/proc") and not os.path.exists(out):
        pytest.skip("there is no /proc")
    if out == "link":
        (tmp_path / "link").symlink_to("/dev/stdout")
        out = tmp_path / "link"
    script = "print('before')\nassert is_standard_output(sys.argv[1])\nwrite_text('it\\n', sys.argv[1])\nprint('after')"
    (tmp_path / "file").write_text("first\n", encoding="utf-8")
    inode = (tmp_path / "file").stat().st_ino
    with (tmp_path / "file").open("a", encoding="utf-8") as file:
        assert run(script, out, stdout=file).returncode == 0
    assert (tmp_path / "file").read_text(encoding="utf-8") == "first\nbefore\nit\nafter\n"
    assert (tmp_path / "file").stat().st_ino == inode
    assert run(script, out, stdout=subprocess.PIPE).stdout == b"before\nit\nafter\n"


def test_another_open_file_is_written_to_as_it_stands(tmp_path: Path) -> None:
    with (tmp_path / "file").open("wb") as file:
        file.write(b"before ")
        file.flush()
        write_text("after", f"/dev/fd/{file.fileno()}")
        assert not is_standard_output(f"/dev/fd/{file.fileno()}")
    assert (tmp_path / "file").read_bytes() == b"before after"


def test_an_open_file_that_is_none_is_told() -> None:
    with pytest.raises(OSError, match="/dev/fd/987"):
        write_text("x", "/dev/fd/987")
    script = "try: write_text('x', '-')\nexcept OSError as error: print(error, file=sys.stderr)"
    ended = subprocess.run(
        ["sh", "-c", '"$0" -c "$1" >&-', sys.executable, f"import sys\nfrom common.writing import *\n{script}"],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
    )
    assert "Bad file descriptor: 'standard output'" in ended.stderr


def test_a_pipe_that_does_not_wait_gets_all(tmp_path: Path) -> None:
    ours, theirs = os.pipe()
    os.set_blocking(theirs, False)
    process = subprocess.Popen(
        [sys.executable, "-c", "from common.writing import *\nwrite_text('x' * 1_000_000, '-')"], cwd=ROOT, stdout=theirs
    )
    os.close(theirs)
    with open(ours, "rb") as file:
        assert len(file.read()) == 1_000_000
    assert process.wait(20) == 0


def test_a_pipe_that_nobody_reads_any_more_is_a_broken_pipe(tmp_path: Path) -> None:
    ours, theirs = os.pipe()
    os.close(ours)
    with pytest.raises(BrokenPipeError):
        write_text("x", f"/dev/fd/{theirs}")
    os.close(theirs)


def test_errors_name_what_was_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    for out in (tmp_path / "folder", tmp_path / ("x" * 300)):
        with pytest.raises(OSError) as caught:
            write_text("x", out)
        assert caught.value.filename == str(out)
    with pytest.raises(OSError, match="file'"):
        write_text("x", tmp_path / "file" / "x")
    assert names(tmp_path) == ["file", "folder"] and not names(tmp_path / "folder")


def test_a_name_of_the_greatest_length_is_written(tmp_path: Path) -> None:
    for name in ("x" * 255, "日" * 85):
        write_text("x", tmp_path / name)
        assert (tmp_path / name).read_text(encoding="utf-8") == "x"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write to any file")
def test_a_file_that_is_protected_against_writing_stays(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("kept", encoding="utf-8")
    (tmp_path / "x").chmod(0o444)
    with pytest.raises(PermissionError):
        write_text("new", tmp_path / "x")
    assert (tmp_path / "x").read_text(encoding="utf-8") == "kept"


def test_a_mount_of_one_file_is_filled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "x").write_text("an old and longer text", encoding="utf-8")

    def busy(*_: object) -> None:
        raise OSError(16, "Device or resource busy")

    monkeypatch.setattr(os, "replace", busy)
    (tmp_path / "part").write_text("new", encoding="utf-8")
    inode = (tmp_path / "x").stat().st_ino
    put(tmp_path / "part", tmp_path / "x")
    assert (tmp_path / "x").read_text(encoding="utf-8") == "new" and (tmp_path / "x").stat().st_ino == inode


def test_a_folder_is_made_or_filled_by_its_name_or_by_a_link(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir(0o700)
    (tmp_path / "to there").symlink_to("there")
    (tmp_path / "to new").symlink_to("new")
    inode = (tmp_path / "there").stat().st_ino
    for out in (tmp_path / "to there", tmp_path / "to new", tmp_path / "a" / "b"):
        with filled(out) as folder:
            (folder / "0.png").write_bytes(b"0")
        assert names(out) == ["0.png"]
    assert (tmp_path / "there").stat().st_ino == inode and stat.S_IMODE((tmp_path / "there").stat().st_mode) == 0o700
    assert names(tmp_path) == ["a", "new", "there", "to new", "to there"] and (tmp_path / "to new").is_symlink()


def test_a_folder_in_which_a_shell_is_stays_that_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with filled(Path()) as folder:
        (folder / "0.png").write_bytes(b"0")
    assert os.listdir() == ["0.png"] and names(tmp_path) == ["0.png"]


def test_a_folder_that_fails_half_way_is_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    for out in (tmp_path / "there", tmp_path / "new"):
        with pytest.raises(ValueError), filled(out) as folder:
            (folder / "0.png").write_bytes(b"0")
            raise ValueError
    assert names(tmp_path) == ["there"] and not names(tmp_path / "there")


def test_a_file_is_sent_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "source").write_bytes(bytes(range(256)) * 10_000)
    os.mkfifo(tmp_path / "fifo")
    wait = reader(tmp_path / "fifo")
    with (tmp_path / "source").open("rb") as file:
        send(file, tmp_path / "fifo")
    assert wait() == bytes(range(256)) * 10_000


def test_where_a_path_leads(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("folder")
    assert followed(tmp_path / "link" / "new") == tmp_path / "folder" / "new"
    assert followed(tmp_path / "link" / "..") == tmp_path
    assert not is_stream(tmp_path / "new") and not is_stream(tmp_path) and is_stream("-") and is_stream(Path("-"))
