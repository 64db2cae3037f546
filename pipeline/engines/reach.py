"""Check before a run that the engine answers, and that its workers have what they need."""

from __future__ import annotations

import functools
import os
import re
import secrets
from collections.abc import Iterator
from pathlib import Path

import apache_beam as beam
import grpc
from apache_beam.options.pipeline_options import PipelineOptions

import components
from common.code_hash import code_hash
from common.errors import InputError, MachineFault
from pipeline.config.beam import BeamConfig
from pipeline.engines.arguments import beam_args

SECONDS_TO_ANSWER = 10.0
_PROBES = 16  # elements of the probing job, which an engine hands to some of its workers
_ANSWER = re.compile(r"\[reach: (.*?)\]")
_NO_MODULE = re.compile(r"No module named '([\w.]+)'")


def check_engine(config: BeamConfig, images: str, work: Path) -> None:
    """Check that the engine `portable` can run the components.

    A small job looks for the pictures and for a new file in the work folder from the workers, and compares their code with this
    process's.

    Raises:
        InputError: An address does not answer, or the workers cannot see a folder; one line.
        MachineFault: The job failed for another reason.
    """
    _check_answer(str(config.job_server), "job server", "beam.job_server")
    if config.worker_pool and _here(str(config.job_server)) and _here(config.worker_pool):
        # Elsewhere the address is the engine's workers', and means nothing on this machine.
        _check_answer(config.worker_pool, "worker pool", "beam.worker_pool", "; start it: darkroom worker-pool")
    token = work.absolute() / f".reach-{secrets.token_hex(8)}"
    token.touch()
    try:
        _probe(config, str(token), "" if "://" in images or "{" in images else images)
    finally:
        token.unlink()


def _here(address: str) -> bool:
    return address.rpartition(":")[0] in ("localhost", "127.0.0.1", "[::1]")


def _check_answer(address: str, kind: str, field: str, remedy: str = "") -> None:
    with grpc.insecure_channel(address) as channel:
        try:
            grpc.channel_ready_future(channel).result(timeout=SECONDS_TO_ANSWER)
        except grpc.FutureTimeoutError:
            raise InputError(f"no Beam {kind} answers at {address} ({field}){remedy}") from None


def _probe(config: BeamConfig, token: str, images: str) -> None:
    """Run a job that looks for the token and the pictures from the workers; raise InputError if one does not see them."""
    options = PipelineOptions(beam_args(config))
    try:
        with beam.Pipeline(options=options) as pipeline:
            numbers = pipeline | "Probes" >> beam.Create(range(_PROBES)) | "Spread" >> beam.Reshuffle()
            _ = numbers | "Look" >> beam.ParDo(Look(token, images, own_code()))
    except MachineFault as fault:
        cause = str(fault.__cause__)
        # The last of each, because a traceback shows the source of these messages as well.
        answers, absent = _ANSWER.findall(cause), _NO_MODULE.findall(cause)
        if answers:
            raise InputError(answers[-1]) from None
        if absent:
            raise InputError(
                f"the engine's workers have no module {absent[-1]}: start their pool in an environment with this project"
            ) from None
        raise


@functools.cache
def own_code() -> str:
    """Return the hash of the components' code, as it was when this process first asked."""
    return code_hash(components)


class Look(beam.DoFn):
    """Look for the work folder and the pictures from a worker, and compare its code.

    Args:
        token: A file in the work folder.
        images: A path, or '' for pictures that are not on a file system.
        code: The hash of the code of the process that runs the pipeline.
    """

    def __init__(self, token: str, images: str, code: str):
        super().__init__()
        self._token, self._images, self._code = token, images, code

    def process(self, _: int) -> Iterator[None]:
        """Raise RuntimeError with a sentence for the user if something is missing."""
        host = os.uname().nodename
        if not os.path.isfile(self._token):
            raise RuntimeError(f"[reach: a worker on {host} does not see the work folder {os.path.dirname(self._token)}: share it]")
        if self._images and not os.access(self._images, os.R_OK):
            raise RuntimeError(f"[reach: a worker on {host} cannot read the pictures in {self._images}: share them]")
        if own_code() != self._code:
            raise RuntimeError(
                f"[reach: a worker on {host} has another version of this project: install the same one, and restart it]"
            )
        yield from ()
