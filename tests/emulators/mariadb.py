"""A MariaDB server of one's own, on a free port and in a folder that is thrown away."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

PASSWORD = 'se"cret $1'
DATABASES = [f"darkroom_{number}" for number in range(12)]
USERS = f"""
create user 'darkroom'@'%' identified by '{PASSWORD}';
grant all on `darkroom\\_%`.* to 'darkroom'@'%';
create user 'careful'@'%' identified by '{PASSWORD}' require ssl;
grant all on `darkroom\\_%`.* to 'careful'@'%';
create user 'open'@'%';
grant all on `darkroom\\_%`.* to 'open'@'%';
"""


def server_program() -> Path | None:
    """The server: $DARKROOM_MARIADB, or one that is installed; None where there is none, or not MariaDB's."""
    named = os.environ.get("DARKROOM_MARIADB")
    path = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"))
    found = named or shutil.which("mariadbd", path=path) or shutil.which("mysqld", path=path)
    return Path(found).resolve() if found and (_share(Path(found).resolve()) / "mysql_system_tables.sql").is_file() else None


def _share(program: Path) -> Path:
    share = program.parent.parent / "share"
    return next((folder for folder in (share / "mysql", share / "mariadb") if folder.is_dir()), share / "mysql")


@contextmanager
def mariadb(folder: Path, more: Sequence[str] = ()) -> Iterator[int]:
    """Runs a server with the databases and users above.

    Args:
        folder: Where it keeps its data, and its log.
        more: Further arguments.

    Yields:
        Its port, on 127.0.0.1.
    """
    program, data = server_program(), folder / "data"
    share = _share(program)
    common = [str(program), "--no-defaults", f"--user={getpass.getuser()}", f"--datadir={data}", f"--lc-messages-dir={share}"]
    common += [f"--character-sets-dir={share / 'charsets'}", f"--plugin-dir={folder}"]
    data.mkdir(parents=True)
    tables = "".join((share / f"mysql_system_tables{part}.sql").read_text(encoding="utf-8") for part in ("", "_data"))
    begin = "create database if not exists mysql;\nuse mysql;\nset @auth_root_socket=null;\nset @skip_auth_anonymous=1;\n"
    databases = "".join(f"create database {name};\n" for name in DATABASES)
    sql = f"{begin}{tables}{databases}flush privileges;{USERS}"
    with (folder / "server.log").open("ab") as log:
        subprocess.run([*common, "--bootstrap"], input=sql.encode(), stdout=log, stderr=log, check=True, timeout=120)
        port = _free_port()
        # A socket's path may have no more than some hundred characters, which a folder of pytest's exceeds: it is given relatively.
        run = [*common, f"--port={port}", "--bind-address=127.0.0.1", "--socket=s", "--skip-name-resolve", *more]
        process = subprocess.Popen(run, stdout=log, stderr=log, cwd=folder)
        try:
            _wait(port, process, folder / "server.log")
            yield port
        finally:
            process.terminate()
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def _wait(port: int, process: subprocess.Popen, log: Path) -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError(f"the server did not start: {log.read_text(errors='replace')[-2000:]}")
