"""The arguments for Beam that make an engine run a component."""

from __future__ import annotations

import os
from collections.abc import Sequence

from common.errors import InputError
from pipeline.config.beam import BeamConfig

# Without this argument TFX builds a package of itself for each component, for workers that start without any. Here workers are
# this process, copies of it, or a worker pool, which has the project's environment.
_NO_PACKAGE = "--sdk_container_image=none"
# Run Beam in this process. Its default runner would first look for a binary on the network.
LOCAL_BEAM = ("--runner=apache_beam.runners.portability.fn_api_runner.FnApiRunner", _NO_PACKAGE)


def beam_args(config: BeamConfig, given: Sequence[str] = ()) -> list[str]:
    """Return the arguments for Beam of the configured engine, then those of the configuration, then the given ones.

    A `--runner` among the given ones takes the place of the engine `direct`, with no other argument added.

    Raises:
        InputError: A runner is given beside an engine that has one.
    """
    if any(argument.startswith("--runner") for argument in (*config.arguments, *given)):
        if config.engine != "direct":
            raise InputError(f"beam.engine: {config.engine} has its own runner: leave out --runner, or set beam.engine to direct")
        return [*config.arguments, *given]
    return [*_of_engine(config), *config.arguments, *given]


def _of_engine(config: BeamConfig) -> Sequence[str]:
    if config.engine == "direct":
        return LOCAL_BEAM
    if config.engine == "direct-mp":
        workers = config.workers or os.cpu_count() or 1
        return (*LOCAL_BEAM, "--direct_running_mode=multi_processing", f"--direct_num_workers={workers}")
    where: tuple[str, ...] = ("--environment_type=LOOPBACK",)
    if config.worker_pool:
        where = ("--environment_type=EXTERNAL", f"--environment_config={config.worker_pool}")
    return ("--runner=pipeline.engines.job_server.JobServerRunner", f"--job_endpoint={config.job_server}", *where, _NO_PACKAGE)
