"""Read damaged files of one or several formats, and print what became of them as a line of JSON for each format.

    python -m tests.components.image_example_gen.fuzz png,gif 2000 7
    python -m tests.components.image_example_gen.fuzz png 1 7 --first 1234 --keep /tmp/one

The second line reads mutant 1,234 of those of the first alone, and keeps its file.
"""

from __future__ import annotations

import argparse
import faulthandler
import json
import sys

_SECONDS = 100  # that a batch may take before it counts as a hang: it takes about one


def main() -> None:
    """Read them; whatever is wrong ends this process with an exception, or with a signal."""
    parser = argparse.ArgumentParser()
    parser.add_argument("formats")
    parser.add_argument("count", type=int)
    parser.add_argument("seed", type=int)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--keep", help="a folder that is left with the files of the last batch in it")
    given = parser.parse_args()
    faulthandler.enable()
    from tests.components.image_example_gen.fuzz.reading import read_format

    def alive(said: str) -> None:
        """Begin to wait for a batch; what it is shows who ended the process."""
        faulthandler.dump_traceback_later(_SECONDS, exit=True)
        print(said, file=sys.stderr, flush=True)

    for name in given.formats.split(","):
        print(json.dumps(read_format(name, given.count, given.seed, given.first, given.keep, alive)), flush=True)
    faulthandler.cancel_dump_traceback_later()


if __name__ == "__main__":
    main()
