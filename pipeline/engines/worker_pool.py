"""Start workers for an engine: the project's side of Beam's external environment.

Beam's own program (`apache_beam.runners.worker.worker_pool_main`) starts each worker as a new `python`, whatever that is on the PATH.
Every component is a job, and each job's worker would import the libraries anew: on a busy machine longer than an engine waits for it.
Here a process that has imported them forks the workers.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import socket
import threading
from collections.abc import Callable
from concurrent import futures
from contextlib import suppress
from typing import Any, NoReturn, TextIO

import grpc
from apache_beam.portability.api import beam_fn_api_pb2, beam_fn_api_pb2_grpc

from common.errors import MachineFault
from common.lean_imports import lean_imports

_LOGGER = logging.getLogger("darkroom.engine")
_THREADS = 8  # requests at once; each takes milliseconds
_PINGS = (("grpc.http2.max_pings_without_data", 0), ("grpc.http2.max_ping_strikes", 0))  # unlimited, as in Beam's own pool


class WorkerPool(beam_fn_api_pb2_grpc.BeamFnExternalWorkerPoolServicer):
    """The service that an engine asks for workers.

    Args:
        nursery: A stream to the process that forks the workers.
    """

    def __init__(self, nursery: TextIO) -> None:
        self._lock, self._nursery = threading.Lock(), nursery

    def StartWorker(self, request: beam_fn_api_pb2.StartWorkerRequest, _: Any) -> beam_fn_api_pb2.StartWorkerResponse:  # noqa: N802
        """Start a worker process."""
        try:
            self._ask({"start": request.worker_id, "control": request.control_endpoint.url})
        except (OSError, ValueError) as error:
            return beam_fn_api_pb2.StartWorkerResponse(error=f"the worker pool cannot start a worker: {error}")
        return beam_fn_api_pb2.StartWorkerResponse()

    def StopWorker(self, request: beam_fn_api_pb2.StopWorkerRequest, _: Any) -> beam_fn_api_pb2.StopWorkerResponse:  # noqa: N802
        """End a worker process."""
        try:
            self._ask({"stop": request.worker_id})
        except (OSError, ValueError) as error:
            return beam_fn_api_pb2.StopWorkerResponse(error=f"the worker pool cannot end a worker: {error}")
        return beam_fn_api_pb2.StopWorkerResponse()

    def _ask(self, request: dict[str, str]) -> None:
        """Send a request to the nursery and wait for its answer; raise OSError or ValueError if it is gone."""
        with self._lock:
            self._nursery.write(json.dumps(request) + "\n")
            self._nursery.flush()
            json.loads(self._nursery.readline())


def serve(port: int, say: Callable[[str], object]) -> None:
    """Start a worker process whenever an engine asks for one, until this process ends; the workers end with it.

    Args:
        port: The port to listen on. It answers once the libraries are imported.
        say: Is called with a sentence when the port answers.

    Raises:
        MachineFault: The port cannot be listened on, or the libraries cannot be imported.
    """
    try:  # before the libraries are imported, which takes seconds
        socket.create_server(("", port)).close()
    except OSError as error:
        raise MachineFault(f"the worker pool cannot listen on port {port}: {error.strerror}") from error
    nursery = _fork_nursery()  # before gRPC has threads, which a forked process would lack
    server = grpc.server(futures.ThreadPoolExecutor(_THREADS), options=_PINGS)
    beam_fn_api_pb2_grpc.add_BeamFnExternalWorkerPoolServicer_to_server(WorkerPool(nursery), server)
    server.add_insecure_port(f"[::]:{port}")
    server.start()
    say(f"the worker pool listens on port {port}; Ctrl-C ends it and its workers")
    try:
        threading.Event().wait()
    finally:
        server.stop(None)


def _fork_nursery() -> TextIO:
    """Fork the process that imports the libraries and forks the workers; return a stream to it, once it has imported them.

    Raise MachineFault if it ends instead.
    """
    own, other = socket.socketpair()
    if os.fork() == 0:
        own.close()
        _run_nursery(other)
    other.close()
    stream = own.makefile("rw", encoding="utf-8")
    if not stream.readline():
        raise MachineFault("the worker pool cannot import the libraries of the components; see above")
    return stream


def _run_nursery(connection: socket.socket) -> NoReturn:
    """Start and end workers on request, until the pool's process is gone; then end them all."""
    status = 1
    workers: dict[str, int] = {}

    def forget(*_: object) -> None:
        """Take the status of workers that have ended, so that no other process with the id of one is ended for it."""
        with suppress(ChildProcessError):
            while ended := os.waitpid(-1, os.WNOHANG)[0]:
                for name in [name for name, worker in workers.items() if worker == ended]:
                    del workers[name]

    try:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the pool's end reaches this process
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        _import_libraries()
        signal.signal(signal.SIGCHLD, forget)
        stream = connection.makefile("rw", encoding="utf-8")
        _answer(stream)
        for line in stream:
            request = json.loads(line)
            if "start" in request:
                workers[request["start"]] = _start_worker(request["start"], request["control"], connection)
            else:
                _end(workers.pop(request["stop"], None))
            _answer(stream)
        status = 0
    except Exception:
        _LOGGER.exception("no more workers can be started")
    finally:
        for worker in [*workers.values()]:
            _end(worker)
        os._exit(status)


def _import_libraries() -> None:
    with lean_imports():
        import tensorflow_data_validation  # noqa: F401
        import tensorflow_model_analysis  # noqa: F401
        import tensorflow_transform.beam  # noqa: F401
        import tfx.components  # noqa: F401
        from apache_beam.runners.worker import sdk_worker  # noqa: F401

        import components.evaluator.executor
        import components.image_example_gen.executor  # noqa: F401
        import trainer.preprocessing  # noqa: F401
        from pipeline.engines.reach import own_code

        own_code()  # of the modules that are imported now, whatever becomes of their files


def _start_worker(name: str, control: str, connection: socket.socket) -> int:
    """Fork a worker, and return its process id."""
    worker = os.fork()
    if worker:
        return worker
    status = 1
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        connection.close()
        from apache_beam.runners.worker.sdk_worker import SdkHarness

        SdkHarness(control, worker_id=name, data_buffer_time_limit_ms=-1).run()
        status = 0
    except Exception:
        _LOGGER.exception("worker %s failed", name)
    finally:
        os._exit(status)


def _answer(stream: TextIO) -> None:
    stream.write("{}\n")
    stream.flush()


def _end(worker: int | None) -> None:
    if worker is not None:
        with suppress(ProcessLookupError):
            os.kill(worker, signal.SIGTERM)
