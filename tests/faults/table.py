"""The table of the fault suite: each fault, how often it was tried, how often something was lost, how often all was recovered."""

from __future__ import annotations

import fcntl
import json
import os
from pathlib import Path

FILE = "DARKROOM_FAULTS"  # the variable that names the file which rows are gathered in
THOROUGH = FILE in os.environ  # `make faults`: as often as the table says; among all tests less often, or they take too long
HEADINGS = ("fault", "tries", "lost", "recovered")


def note(**what: object) -> None:
    """Gathers a row, `fault`, `tries` and `recovered`, or a line to print below the table, `line`."""
    path = os.environ.get(FILE)
    if path:
        with open(path, "a", encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.write(json.dumps(what) + "\n")


def table(path: Path) -> str:
    """The rows gathered in a file, in Markdown; what was not recovered is lost. Then the lines."""
    gathered = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    rows: dict[str, list[int]] = {}
    for found in (each for each in gathered if "fault" in each):
        row = rows.setdefault(found["fault"], [0, 0])
        row[0] += found["tries"]
        row[1] += found["recovered"]
    cells = [HEADINGS, ("---",) * 4, *((fault, tries, tries - good, good) for fault, (tries, good) in sorted(rows.items()))]
    lines = ["| " + " | ".join(map(str, row)) + " |" for row in cells]
    return "\n".join([*lines, *("\n" + each["line"] for each in gathered if "line" in each)])


def main() -> None:
    """Prints the table of the file that the variable names; fails where something was lost."""
    import sys

    text = table(Path(os.environ[FILE]))
    sys.stdout.write(text + "\n")
    sys.exit(any(int(line.split("|")[3]) for line in text.split("\n\n")[0].splitlines()[2:]))


if __name__ == "__main__":
    main()
