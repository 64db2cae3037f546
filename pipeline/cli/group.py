"""How every command ends: in one line on standard error that says why, and with an exit status."""

from __future__ import annotations

import errno
import os
import signal
import sys
from contextlib import suppress
from typing import Any

import click

from pipeline.verdict.status import Status, in_one_line


class Group(click.Group):
    """Ends a user's mistake in one line with status 2, and lists commands in the order of their use."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names as they were added."""
        return list(self.commands)

    def invoke(self, ctx: click.Context) -> Any:
        """Runs a command."""
        from common.errors import InputError
        from pipeline.metadata.store import StoreDamaged
        from pipeline.running.signals import as_ctrl_c
        from pipeline.workspace.layout import DiskFull, WorkFolderBusy

        try:
            with as_ctrl_c():
                return super().invoke(ctx)
        except (click.exceptions.Exit, click.Abort):  # --help has been answered
            raise
        except BrokenPipeError:  # as of `darkroom runs | head`
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what is still to be flushed at the exit goes nowhere
            sys.exit(128 + signal.SIGPIPE)
        except InputError as error:
            fail(str(error), Status.MISTAKE)
        except KeyboardInterrupt:
            runs = ctx.invoked_subcommand in ("run", "retrain")
            fail("before the run began" if runs else f"darkroom {ctx.invoked_subcommand} did not end", Status.INTERRUPTED)
        except WorkFolderBusy as error:
            fail(str(error), Status.BUSY)
        except (StoreDamaged, DiskFull) as error:
            fail(str(error), Status.FAULT)
        except click.UsageError as error:
            where = f"{error.ctx.command_path} --help" if error.ctx else "darkroom --help"
            fail(f"{error.format_message().rstrip('.')} (see {where})", Status.MISTAKE)
        except click.ClickException as error:
            fail(getattr(error, "full", error.format_message()), Status(error.exit_code))
        except Exception as error:  # a run keeps a log with the traceback; what comes before it, or is no run, has none
            if os.environ.get("DARKROOM_TRACEBACK"):
                raise
            if isinstance(error, OSError) and error.errno in (errno.ENAMETOOLONG, errno.ELOOP):
                fail(f"{error.filename}: {error.strerror}", Status.MISTAKE)
            words = " ".join(f"{type(error).__name__}: {error}".split())
            fail(f"{words} (DARKROOM_TRACEBACK=1 shows where)", Status.FAULT)


def fail(message: str, status: Status) -> None:
    """Says why on standard error, and exits."""
    with suppress(OSError):  # the terminal is gone
        click.secho(in_one_line(f"{status.word}: {message}"), err=True, fg="red", bold=True)
    sys.exit(int(status))
