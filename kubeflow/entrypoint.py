"""The command of every container, `python -m kubeflow.entrypoint`. See `kubeflow.container.entrypoint`."""

from __future__ import annotations

import sys

from kubeflow.container.entrypoint import main

if __name__ == "__main__":
    sys.exit(main())
