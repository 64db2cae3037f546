"""Measure the explorer in Chromium: from a move of the pointer over the map to the decoded picture on the screen.

Run: python -m benchmarks.explorer WORK/report/explorer.html [--moves 200]
It needs Chromium and npm, which installs playwright-core.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
BROWSER = HERE.parents[1] / "tests" / "serving" / "explorer" / "browser"


def main() -> None:
    """Print the median, the 95th percentile and the maximum."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("page", type=Path)
    parser.add_argument("--moves", type=int, default=200)
    arguments = parser.parse_args()
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        parser.error("there is no Chromium to show the page in")
    with tempfile.TemporaryDirectory(prefix="darkroom-explorer-") as folder:
        for file in (BROWSER / "package.json", BROWSER / "package-lock.json", HERE / "measure.mjs"):
            shutil.copy(file, folder)
        subprocess.run(["npm", "ci", "--silent", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=folder, check=True)
        command = ["node", f"{folder}/measure.mjs", arguments.page.resolve().as_uri(), str(arguments.moves), chromium]
        subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
