"""What keeps schedules on a machine, for tests: a crontab program as the real one behaves, and a systemd of one's own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CRONTAB = """#!{python} -SE
import pathlib, sys
kept = pathlib.Path({kept!r})
if {broken!r} and sys.argv[1] != "-l":
    sys.exit("/var/spool/cron/: mkstemp: Permission denied")
if sys.argv[1] == "-l":
    if not kept.exists():
        sys.exit("no crontab for somebody")
    sys.stdout.buffer.write(kept.read_bytes())
elif sys.argv[1] == "-r":
    kept.unlink()
else:
    text = sys.stdin.buffer.read()
    if not text.endswith(b"\\n"):
        sys.exit("new crontab file is missing newline before EOF, can't install.")
    kept.write_bytes(text)
"""

# In a mount namespace of its own: systemd refuses to run for a user where it has not booted the machine.
MANAGER = """
mount -t tmpfs tmpfs /run && mkdir -p /run/systemd/system /run/user/0 || exit 77
while umount -l /sys/fs/cgroup 2>/dev/null; do :; done
group=/sys/fs/cgroup/darkroom-test-$$
mount -t cgroup2 none /sys/fs/cgroup && mkdir -p $group && echo $$ > $group/cgroup.procs || exit 77
trap 'echo $$ > /sys/fs/cgroup/cgroup.procs; find $group -depth -type d -exec rmdir {} +' EXIT
export XDG_RUNTIME_DIR=/run/user/0
/lib/systemd/systemd --user >/dev/null 2>&1 &
manager=$!
for _ in 1 2 3 4 5 6 7 8 9 10; do systemctl --user show --property=Version >/dev/null 2>&1 && break; sleep 0.5; done
systemctl --user show --property=Version >/dev/null 2>&1 || exit 77
"$@"
status=$?
kill $manager; wait $manager
exit $status
"""


def place_crontab(folder: Path, *, broken: bool = False) -> Path:
    """Puts a program `crontab` into a folder.

    Returns:
        The file that it keeps the crontab in, which is not there yet.
    """
    folder.mkdir(exist_ok=True)
    program, kept = folder / "crontab", folder / "kept"
    program.write_text(CRONTAB.format(python=sys.executable, kept=str(kept), broken=broken))
    program.chmod(0o755)
    return kept


def under_systemd(script: str, home: Path) -> None:
    """Runs Python beside a systemd of the user's own, with its configuration below `home`; skips where there can be none."""
    if os.getuid() != 0 or not Path("/lib/systemd/systemd").exists() or not shutil.which("unshare"):
        pytest.skip("a systemd of one's own takes root, systemd and unshare")
    done = subprocess.run(
        ["unshare", "--mount", "bash", "-c", MANAGER, "bash", sys.executable, "-c", script],
        env={**os.environ, "XDG_CONFIG_HOME": str(home)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    if done.returncode == 77 or "unshare" in done.stderr:
        pytest.skip(f"no systemd of one's own can be started here: {done.stderr.strip()[:200]}")
    assert done.returncode == 0, done.stderr
