"""The configuration section `beam`: which engine runs the components that process pictures with Apache Beam."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge
from pydantic import AfterValidator


def _checked_address(address: str) -> str:
    match = re.fullmatch(r"(\[[0-9A-Fa-f:]+\]|[^\s:/\[\]]+):(\d{1,5})", address)
    if not match or not 0 < int(match[2]) < 1 << 16:
        raise ValueError(f"must be an address of the form HOST:PORT, such as localhost:8099, not {address!r}")
    return address


Address = Annotated[str, AfterValidator(_checked_address)]


@dataclass(frozen=True)
class BeamConfig:
    """Where ImageExampleGen, StatisticsGen, Transform and the Evaluator process pictures. The results are the same everywhere.

    On a cluster (`darkroom compile`) each step runs `direct` or `direct-mp` in its own pod.

    Attributes:
        engine: `direct` is this process; `direct-mp` is several processes on this machine; `portable` is the engine behind a Beam
            job server. Also `--engine`, see docs/scale.md.
        workers: The number of processes of `direct-mp`; null is one per processor, on a cluster per `cpu` of
            `cluster.resources.default`.
        job_server: The address of the job server of `portable`, HOST:PORT.
        worker_pool: The address at which the engine finds `darkroom worker-pool`, HOST:PORT, as seen from the engine's workers; null
            processes the pictures in the process of the run, which the engine must be able to reach.
        arguments: More arguments for Beam, such as `--parallelism=8`.
    """

    engine: Literal["direct", "direct-mp", "portable"] = "direct"
    workers: Annotated[int, Ge(1)] | None = None
    job_server: Address | None = None
    worker_pool: Address | None = None
    arguments: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Raise ValueError if the engine needs a field that is not set."""
        if self.engine == "portable" and self.job_server is None:
            raise ValueError("engine portable needs beam.job_server, the HOST:PORT of a Beam job server")
