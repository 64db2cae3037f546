"""The table of the fault suite: each fault, how often it was tried, how often something was lost, how often all was recovered."""

from __future__ import annotations

import fcntl
import json
import os
from pathlib import Path

FILE = "DARKROOM_FAULTS"  # the variable that names the file which rows are gathered in
THOROUGH = FILE in os.environ  # `make faults`: as often as the table says; among all tests less often, or they take too long
HEADINGS = ("fault", "tries", "lost", "recovered")


def note(fault: str, tries: int = 1, recovered: int = 1) -> None:
    """Counts tries of a fault; what was not recovered is lost. Call it when all has been looked at."""
    path = os.environ.get(FILE)
    if path:
        with open(path, "a", encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.write(json.dumps({"fault": fault, "tries": tries, "recovered": recovered}) + "\n")


def table(path: Path) -> str:
    """The rows gathered in a file, in Markdown, in the order in which they came."""
    rows: dict[str, list[int]] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        found = json.loads(line)
        row = rows.setdefault(found["fault"], [0, 0])
        row[0] += found["tries"]
        row[1] += found["recovered"]
    lines = [HEADINGS, ("---",) * 4, *((fault, tries, tries - good, good) for fault, (tries, good) in sorted(rows.items()))]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def main() -> None:
    """Prints the table of the file that the variable names; fails where something was lost."""
    import sys

    text = table(Path(os.environ[FILE]))
    sys.stdout.write(text + "\n")
    sys.exit(any(int(line.split("|")[3]) for line in text.splitlines()[2:]))


if __name__ == "__main__":
    main()
