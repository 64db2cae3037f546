"""The pipeline on this machine: `python local_runner.py ...` is `darkroom run ...`, and `main` is the `darkroom` command."""

from __future__ import annotations

import sys

from pipeline.cli import main

if __name__ == "__main__":
    main(["run", *sys.argv[1:]])
