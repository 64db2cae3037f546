"""Looks up known vulnerabilities of what is locked: `make audit`. It needs pip-audit beside it.

Exit status: 0 none but those of the exceptions - 1 others, each with a line - 2 it could not be found out.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

HERE = Path(__file__).resolve().parent
# OSV and not PyPI, of which pip-audit takes a missing answer for a good one.
SERVICE = "https://api.osv.dev/v1/query"
SHOWN = 5


class AuditFailed(Exception):
    """It could not be found out whether there are vulnerabilities; in one line."""


@dataclass(frozen=True)
class Vulnerability:
    """A known vulnerability of a package.

    Attributes:
        package: The package's name.
        version: The version that is locked.
        ids: What it is called: its id, then the other names of the same.
        mended_in: The versions that no longer have it.
    """

    package: str
    version: str
    ids: tuple[str, ...]
    mended_in: tuple[str, ...]

    def __str__(self) -> str:
        """It in words."""
        others = f" ({', '.join(self.ids[1:])})" if self.ids[1:] else ""
        mended = f"mended in {', '.join(self.mended_in)}" if self.mended_in else "not mended yet"
        return f"{self.package} {self.version}: {self.ids[0]}{others}, {mended}"


def read_exceptions(path: Path) -> dict[tuple[str, str], str]:
    """The reviewed exceptions: why, by id and package.

    Raises:
        AuditFailed: A line is not of the form, or is there twice.
    """
    items: dict[tuple[str, str], str] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        fields = line.split(None, 2)
        if not fields or fields[0].startswith("#"):
            continue
        if len(fields) < 3:
            raise AuditFailed(f"{path.name}, line {number}: an exception is an id, a package and a reason, not {line.strip()!r}")
        key = (fields[0], _normal(fields[1]))
        if key in items:
            raise AuditFailed(f"{path.name}, line {number}: {fields[0]} of {fields[1]} is there already")
        items[key] = fields[2].strip()
    return items


def locked(path: Path) -> dict[str, str]:
    """The version of each package of a lock file, on the Python that runs this: pip-audit passes over the others."""
    lines = path.read_text(encoding="utf-8").splitlines()
    entries = [Requirement(line.rstrip(" \\")) for line in lines if line[:1].isalnum()]
    return {_normal(one.name): str(one.specifier)[2:] for one in entries if one.marker is None or one.marker.evaluate()}


def look_up(lock: Path, service: str) -> Mapping[str, Any]:
    """What pip-audit says of a lock file.

    Raises:
        AuditFailed: It says nothing, mostly because the service cannot be reached.
    """
    arguments = ["--requirement", str(lock), "--require-hashes", "--disable-pip", "--format", "json", "--progress-spinner", "off"]
    arguments += ["--vulnerability-service", "osv", "--osv-url", service, "--aliases", "on", "--desc", "off"]
    done = subprocess.run([sys.executable, "-m", "pip_audit", *arguments], capture_output=True, text=True)
    try:
        return json.loads(done.stdout)
    except json.JSONDecodeError:
        last = (done.stderr.strip() or "it said nothing").splitlines()[-1]
        raise AuditFailed(f"{service} could not be asked: {last[:300]}") from None


def judge(found: Mapping[str, Any], wanted: Mapping[str, str]) -> list[Vulnerability]:
    """The vulnerabilities of a report, if it is about all that is locked.

    Args:
        found: What pip-audit says.
        wanted: The version of each package that is locked.

    Raises:
        AuditFailed: Packages are missing in it, or were skipped: pip-audit itself takes that for no vulnerability.
    """
    packages = {_normal(package["name"]): package for package in found.get("dependencies", [])}
    unseen = [f"{name} {version}" for name, version in wanted.items() if packages.get(name, {}).get("version") != version]
    if unseen:
        more = f" and {len(unseen) - SHOWN} more" if len(unseen) > SHOWN else ""
        raise AuditFailed(f"{len(unseen)} of {len(wanted)} packages were not looked up: {', '.join(unseen[:SHOWN])}{more}")
    return [
        Vulnerability(name, package["version"], (known["id"], *known.get("aliases", ())), tuple(known.get("fix_versions", ())))
        for name, package in packages.items()
        for known in package["vulns"]
    ]


def sift(known: Iterable[Vulnerability], exceptions: Mapping[tuple[str, str], str]) -> tuple[list[Vulnerability], list[str]]:
    """Separates what is not excepted, and the exceptions that nothing needs any more."""
    open_, used = [], set()
    for vulnerability in known:
        keys = {(name, vulnerability.package) for name in vulnerability.ids} & exceptions.keys()
        used |= keys
        if not keys:
            open_.append(vulnerability)
    return open_, [f"{name} of {package}" for name, package in exceptions if (name, package) not in used]


def main(arguments: Sequence[str] | None = None) -> int:
    """Audits; gives the exit status."""
    parser = argparse.ArgumentParser(description="Looks up known vulnerabilities of what is locked.")
    both = [HERE / line / "lock.txt" for line in ("1.16", "1.21")]
    parser.add_argument("--lock", type=Path, nargs="+", default=both, help="the lock files")
    parser.add_argument("--exceptions", type=Path, default=HERE / "audit-exceptions.txt", help="the reviewed exceptions")
    parser.add_argument("--service", default=SERVICE, help="a service that answers as OSV does")
    asked = parser.parse_args(arguments)
    try:
        exceptions = read_exceptions(asked.exceptions)
        wanted, known = set(), {}  # without what both lock files have
        for lock in asked.lock:
            wanted |= locked(lock).items()
            known |= dict.fromkeys(judge(look_up(lock, asked.service), locked(lock)))
    except (AuditFailed, OSError) as error:
        sys.stderr.write(f"audit: {error}\n")
        return 2
    open_, needless = sift(known, exceptions)
    for line in (*map(str, open_), *(f"no longer needed in {asked.exceptions.name}: {name}" for name in needless)):
        sys.stdout.write(f"{line}\n")
    excepted = f", {len(known) - len(open_)} excepted" if known else ""
    sys.stdout.write(f"audit: {len(wanted)} packages, {len(known)} known vulnerabilities{excepted}\n")
    return 1 if open_ else 0


def _normal(name: str) -> str:
    return name.lower().replace("_", "-").replace(".", "-")


if __name__ == "__main__":
    sys.exit(main())
