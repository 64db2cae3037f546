"""Run the pipeline on this machine. `python local_runner.py ...` is `darkroom run ...`; `main` is the `darkroom` command."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from pipeline.cli import main as cli

CLUSTER_COMMANDS = {"kubeflow.compile.commands": ("compile", "lint"), "kubeflow.server.commands": ("submit", "schedule")}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the `darkroom` command.

    Args:
        arguments: The arguments without the program name; None takes those of this process.
    """
    cli.main(arguments, CLUSTER_COMMANDS)


if __name__ == "__main__":
    main(["run", *sys.argv[1:]])
