"""The command `darkroom worker-pool`."""

from __future__ import annotations

from contextlib import suppress

import click


@click.command("worker-pool")
@click.option("--port", metavar="N", type=click.IntRange(1, 65535), default=50000, show_default=True, help="The port to listen on.")
def worker_pool(port: int) -> None:
    """Start worker processes for the engine of `beam.engine: portable`, until Ctrl-C.

    Run it on every machine of the engine, in an environment with the same version of this project. It listens on all addresses
    of the machine, and runs code for whoever can connect: open the port to the engine only.

    \b
        darkroom worker-pool --port 50000
        darkroom run --set beam.engine=portable --set beam.job_server=localhost:8073 --set beam.worker_pool=localhost:50000
    """
    from pipeline.engines.worker_pool import serve

    with suppress(KeyboardInterrupt):
        serve(port, click.echo)


COMMANDS = (worker_pool,)
