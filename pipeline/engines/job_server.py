"""Run a pipeline by a Beam job server, and cancel its job if the run ends early."""

from __future__ import annotations

import logging
import re
import socket

import grpc
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.portability.api import beam_runner_api_pb2
from apache_beam.runners.portability import portable_runner

from common.errors import MachineFault, one_line

_LOGGER = logging.getLogger("darkroom.engine")
LOCALHOST = ("localhost", "127.0.0.1", "[::1]")
SECONDS_TO_ANSWER = 5.0
_ERROR = re.compile(r"^(?:\w+\.)*\w*(?:Error|Exception)\b.*", re.MULTILINE)


class JobServerRunner(portable_runner.PortableRunner):
    """Beam's PortableRunner, except that an interrupted run cancels its job, and that a failure is one line.

    Beam would leave the job to the engine, which would go on to write to the work folder.
    """

    def run_portable_pipeline(
        self, pipeline: beam_runner_api_pb2.Pipeline, options: PipelineOptions
    ) -> portable_runner.PipelineResult:
        """Submit a pipeline, and return its result, of which `wait_until_finish` cancels the job where an exception ends the wait."""
        portable = options.view_as(portable_runner.PortableOptions)
        endpoint, pool = portable.job_endpoint, portable.environment_config if portable.environment_type == "EXTERNAL" else None
        try:
            result = super().run_portable_pipeline(pipeline, options)
        except (grpc.RpcError, grpc.FutureTimeoutError) as error:
            raise _fault(endpoint, pool, error) from error
        wait = result.wait_until_finish

        def wait_or_cancel(duration: int | None = None) -> str:
            try:
                return wait(duration)
            except (grpc.RpcError, grpc.FutureTimeoutError) as error:
                raise _fault(endpoint, pool, error) from error
            except RuntimeError as error:
                raise MachineFault(f"{_without_pool(pool)}the engine at {endpoint}: {_reason(str(error))}") from error
            except BaseException:
                _cancel(result)
                raise

        result.wait_until_finish = wait_or_cancel
        return result


def _reason(text: str) -> str:
    """Return the exception at the end of a worker's traceback, else the first line of the engine's message."""
    errors = _ERROR.findall(text)
    return one_line(errors[-1] if errors else text)


def _cancel(result: portable_runner.PipelineResult) -> None:
    try:
        result.cancel()
        _LOGGER.info("the engine's job was cancelled")
    except Exception:
        _LOGGER.warning("the engine's job could not be cancelled", exc_info=True)


def _fault(endpoint: str, pool: str | None, error: Exception) -> MachineFault:
    gone = _without_pool(pool)
    if gone:  # Prism ends with its worker pool
        return MachineFault(f"{gone}the job server at {endpoint} went away; start both: darkroom worker-pool, then the job server")
    details = error.details() if isinstance(error, grpc.Call) else None
    return MachineFault(f"the Beam job server at {endpoint} went away: {one_line(details or error)}; start it, and run again")


def _without_pool(pool: str | None) -> str:
    """Return the beginning of a message if the worker pool does not answer, else ''. One on another machine may be out of sight."""
    host, _, port = (pool or "").rpartition(":")
    if host not in LOCALHOST:
        return ""
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=SECONDS_TO_ANSWER).close()
    except OSError:
        return f"no worker pool answers at {pool}, and "
    return ""
