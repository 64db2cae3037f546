"""The worker pool: workers that an engine asks for, and their end."""

import os
import signal
import socket
import time
from pathlib import Path

import pytest
from apache_beam.runners.portability.local_job_service import LocalJobServicer

from common.errors import MachineFault
from pipeline.config.beam import BeamConfig
from pipeline.engines.reach import check_engine
from pipeline.engines.worker_pool import serve
from tests.engines.prism import Engine


def test_a_port_in_use():
    with socket.create_server(("", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(MachineFault, match=f"cannot listen on port {port}: Address already in use"):
            serve(port, print)


@pytest.mark.slow
def test_workers_start_for_a_job_and_end_with_it_or_with_the_pool(tmp_path):
    """The job server is Beam's own in Python; the workers look for the work folder and report their code."""
    service = LocalJobServicer(str(tmp_path / "staging"))
    running = Engine(tmp_path)
    running.ports["server"] = service.start_grpc_server(0)
    running.start_pool()
    (nursery,) = running.nursery()
    try:
        config = BeamConfig("portable", None, *(f"localhost:{running.ports[name]}" for name in ("server", "pool")))
        check_engine(config, str(tmp_path), tmp_path)
        gone(*running.workers())
        os.kill(running.pool.pid, signal.SIGKILL)
        running.pool.wait()
        gone(nursery)
    finally:
        running.pool.kill()
        service.stop()
    assert "Traceback" not in (tmp_path / "pool.log").read_text()


def gone(*processes: int) -> None:
    """Wait until processes have ended."""
    end = time.monotonic() + 60
    while any(Path(f"/proc/{process}").exists() for process in processes):
        assert time.monotonic() < end
        time.sleep(0.05)
