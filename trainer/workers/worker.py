"""A worker: `python -m trainer.workers.worker FOLDER` trains the job in FOLDER together with the other workers of TF_CONFIG.

Without TF_CONFIG, but in a pod of a Kubeflow Trainer job, it finds the others by the names of their pods.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
import threading
import traceback
import zlib
from collections.abc import Sequence
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
import tensorflow as tf

from common.errors import InputError
from trainer.loop import Loop
from trainer.replication import Replication, get_strategy
from trainer.vae import VAE
from trainer.workers import LOST, MISTAKE
from trainer.workers.cluster import describe_pods
from trainer.workers.job import Job


class _Events(logging.Handler):
    """Write log records, also those of progress, as lines of JSON."""

    def emit(self, record: logging.LogRecord) -> None:
        progress = getattr(record, "progress", None)
        event = {"progress": vars(progress)} if progress else {"level": record.levelno, "message": record.getMessage()}
        sys.stdout.write(json.dumps(event) + "\n")
        sys.stdout.flush()


def main(arguments: Sequence[str] | None = None) -> int:
    """Train, and return the exit status: 0, `MISTAKE`, `LOST`, or 1 for any other failure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument(
        "--attached", action="store_true", help="report in JSON, and end with the process that holds standard input"
    )
    parsed = parser.parse_args(arguments)
    job = Job(parsed.folder)
    if job.is_done():  # started again after the end
        return 0
    if parsed.attached:
        threading.Thread(target=_end_with_parent, daemon=True).start()
    elif "TF_CONFIG" not in os.environ and "JOB_COMPLETION_INDEX" in os.environ:
        os.environ["TF_CONFIG"] = json.dumps(describe_pods(os.environ))
    strategy = get_strategy("multi_worker")
    chief = Replication(strategy).place.is_chief
    if chief:
        handler = _Events() if parsed.attached else logging.StreamHandler()
        handler.addFilter(lambda record: record.name.partition(".")[0] == "darkroom")
        logging.basicConfig(level=logging.INFO, format="%(message)s", handlers=[handler])
    try:
        train(job, strategy)
    except InputError as error:
        if chief:
            job.write_mistake(str(error))
        return MISTAKE
    except (tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.CancelledError, tf.errors.InternalError) as error:
        sys.stderr.write(f"another worker was lost: {str(error).splitlines()[0]}\n")
        return LOST
    return 0


def train(job: Job, strategy: tf.distribute.Strategy) -> None:
    """Train a job. The chief reads and writes the checkpoint, and writes the outcome."""
    config, checkpoint = job.read_config()
    keras.utils.set_random_seed(config.training.seed)
    with strategy.scope():
        vae = VAE(config.model, config.preprocessing.image_shape, job.read_data(), config.training.precision)
    vae.set_weights(job.read_weights())
    loop = Loop(vae, job.read_pictures("train"), job.read_pictures("eval"), config.training, strategy, job.read_distance())
    outcome = loop.fit(None, checkpoint)  # the Trainer writes the history from the outcome
    mine = np.zeros(loop.place.workers, np.int64)
    mine[loop.place.worker] = weights_checksum(vae)
    checksums = loop.replication.sum(mine).tolist()  # of all workers
    if len(set(checksums)) > 1:
        raise RuntimeError(f"the workers have come to different weights, of the checksums {checksums}")
    if loop.place.is_chief:
        job.write_outcome(outcome, loop.course, checksums)
    # The end of one worker would be a failure to the others: they wait for each other.
    loop.replication.sum(np.array([1.0]))


def weights_checksum(model: keras.Model) -> int:
    """Return the CRC-32 of all weights of a model."""
    return zlib.crc32(b"".join(weight.tobytes() for weight in model.get_weights()))


def _end_with_parent() -> None:
    sys.stdin.buffer.read()
    os._exit(LOST)


if __name__ == "__main__":
    try:
        status = main()
    except BaseException:
        traceback.print_exc()
        status = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)  # TensorFlow's own end would wait for the other workers, or report that they are gone
