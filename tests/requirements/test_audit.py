"""`make audit`: what is judged of what pip-audit says, and pip-audit itself against a service that answers as OSV does."""

import http.server
import importlib.util
import json
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.project import ROOT

SPEC = importlib.util.spec_from_file_location("audit", ROOT / "requirements" / "audit.py")
audit = importlib.util.module_from_spec(SPEC)
sys.modules["audit"] = audit
SPEC.loader.exec_module(audit)

LOCK = """\
click==8.1.0 \\
    --hash=sha256:0000000000000000000000000000000000000000000000000000000000000000
    # via nothing
Some.Thing_else[extra]==2.0 ; python_version >= "3" \\
    --hash=sha256:0000000000000000000000000000000000000000000000000000000000000000
"""
WANTED = {"click": "8.1.0", "some-thing-else": "2.0"}


def report(*vulnerabilities):
    sound = {"name": "click", "version": "8.1.0", "vulns": []}
    other = {"name": "some-thing-else", "version": "2.0", "vulns": list(vulnerabilities)}
    return {"dependencies": [sound, other], "fixes": []}


def known(id, *aliases, mended=("2.1",)):
    return {"id": id, "aliases": list(aliases), "fix_versions": list(mended)}


def test_what_is_locked(tmp_path):
    (tmp_path / "lock.txt").write_text(LOCK)
    assert audit.locked(tmp_path / "lock.txt") == WANTED
    for line in ("1.16", "1.21"):
        assert len(audit.locked(ROOT / "requirements" / line / "lock.txt")) > 250


def test_the_exceptions_of_the_project_can_be_read():
    assert all(reason for reason in audit.read_exceptions(audit.HERE / "audit-exceptions.txt").values())


@pytest.mark.parametrize("line", ["PYSEC-1", "PYSEC-1 click", "PYSEC-1 click  "])
def test_an_exception_without_a_reason(tmp_path, line):
    (tmp_path / "e.txt").write_text(f"# a comment\n\n{line}\n")
    with pytest.raises(audit.AuditFailed, match="e.txt, line 3"):
        audit.read_exceptions(tmp_path / "e.txt")


def test_an_exception_twice(tmp_path):
    (tmp_path / "e.txt").write_text("PYSEC-1 Some_Thing why\nPYSEC-1 some-thing  because\n")
    with pytest.raises(audit.AuditFailed, match="line 2"):
        audit.read_exceptions(tmp_path / "e.txt")


def test_exceptions_hold_by_any_of_the_names_and_for_their_package_alone():
    found = audit.judge(report(known("PYSEC-1", "CVE-1"), known("PYSEC-2", mended=())), WANTED)
    assert [str(one) for one in found] == [
        "some-thing-else 2.0: PYSEC-1 (CVE-1), mended in 2.1",
        "some-thing-else 2.0: PYSEC-2, not mended yet",
    ]
    exceptions = {("CVE-1", "some-thing-else"): "why", ("PYSEC-2", "click"): "of another package"}
    left, needless = audit.sift(found, exceptions)
    assert [one.ids[0] for one in left] == ["PYSEC-2"]
    assert needless == ["PYSEC-2 of click"]


def test_what_was_not_looked_up_is_not_taken_for_sound():
    skipped = report()
    skipped["dependencies"][0] = {"name": "click", "skip_reason": "Dependency not found on PyPI and could not be audited"}
    with pytest.raises(audit.AuditFailed, match="1 of 2 packages were not looked up: click 8.1.0"):
        audit.judge(skipped, WANTED)
    with pytest.raises(audit.AuditFailed, match="2 of 2"):
        audit.judge({}, WANTED)
    with pytest.raises(audit.AuditFailed, match="click 8.1.1"):
        audit.judge(report(), {**WANTED, "click": "8.1.1"})


class Osv(http.server.BaseHTTPRequestHandler):
    """Knows two vulnerabilities of click 8.1.0, one of them withdrawn."""

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        package = asked["package"]["name"]
        ranges = [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "8.1.9"}]}]
        affected = [{"package": {"name": package, "ecosystem": "PyPI"}, "ranges": ranges}]
        one = {"id": "PYSEC-1", "aliases": ["CVE-1"], "summary": "it is broken", "affected": affected}
        both = {"vulns": [one, {**one, "id": "PYSEC-2", "withdrawn": "2026-01-02T00:00:00Z"}]}
        body = json.dumps(both if (package, asked["version"]) == ("click", "8.1.0") else {}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Says nothing."""


@pytest.fixture
def service():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Osv) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/v1/query"
        server.shutdown()


@pytest.mark.slow
def test_pip_audit_itself(tmp_path, service):
    uv = Path(sys.executable).parents[2] / ".uv" / "bin" / "uv"
    if not uv.exists():
        pytest.skip(f"there is no {uv}, which makes the environment that is audited from")
    subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, tmp_path / "env"], check=True)
    install = [uv, "pip", "sync", "--quiet", "--python", tmp_path / "env", "--require-hashes", ROOT / "requirements" / "audit.txt"]
    subprocess.run(install, check=True)
    (tmp_path / "lock.txt").write_text(LOCK)
    (tmp_path / "e.txt").write_text("")

    def run(*more, service=service):
        command = [tmp_path / "env/bin/python", ROOT / "requirements/audit.py", "--exceptions", tmp_path / "e.txt"]
        return subprocess.run([*command, "--service", service, *more], capture_output=True, text=True)

    ended = run("--lock", tmp_path / "lock.txt")
    lines = ["click 8.1.0: PYSEC-1 (CVE-1), mended in 8.1.9", "audit: 2 packages, 1 known vulnerabilities, 0 excepted"]
    assert (ended.returncode, ended.stdout.splitlines()) == (1, lines), ended.stderr
    (tmp_path / "e.txt").write_text("CVE-1 click nothing here calls it\n")
    ended = run("--lock", tmp_path / "lock.txt")
    assert (ended.returncode, ended.stdout) == (0, "audit: 2 packages, 1 known vulnerabilities, 1 excepted\n")
    whole = run()
    assert whole.returncode == 0 and "no longer needed in e.txt: CVE-1 of click" in whole.stdout, whole.stdout + whole.stderr
    away = run(service="http://127.0.0.1:9/v1/query")
    assert away.returncode == 2 and len(away.stderr.splitlines()) == 1 and "could not be asked" in away.stderr and away.stdout == ""
