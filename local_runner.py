"""Run the pipeline on this machine. `python local_runner.py ...` is `darkroom run ...`; `main` is the `darkroom` command."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from kubeflow.compile.commands import COMMANDS as COMPILE_COMMANDS
from kubeflow.server.commands import COMMANDS as CLUSTER_COMMANDS
from pipeline.cli import main as cli


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the `darkroom` command.

    Args:
        arguments: The arguments without the program name; None takes those of this process.
    """
    cli.main(arguments, (*COMPILE_COMMANDS, *CLUSTER_COMMANDS))


if __name__ == "__main__":
    main(["run", *sys.argv[1:]])
