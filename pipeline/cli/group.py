"""End every command with an exit status, and a failed one with one line on standard error that gives the reason."""

from __future__ import annotations

import errno
import functools
import importlib
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import click

from common.lines import in_one_line
from pipeline.verdict.status import Status

# Errors of the system on a path that the user has named, or may not use.
_UNUSABLE = (errno.ENAMETOOLONG, errno.ELOOP, errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR)


class Group(click.Group):
    """A click group that ends a user's mistake with one line and status 2, and lists commands in the order of their use.

    `modules` has the names of commands by the module whose COMMANDS contain them. A module is imported when its command is used.
    """

    def __init__(self, *arguments: Any, modules: Mapping[str, Sequence[str]] | None = None, **options: Any):
        super().__init__(*arguments, **options)
        self.modules = dict(modules or {})

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order in which they were added."""
        return [*self.commands, *(name for names in self.modules.values() for name in names)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the command of a name, or None."""
        for module, names in self.modules.items():
            if cmd_name in names:
                return next(each for each in importlib.import_module(module).COMMANDS if each.name == cmd_name)
        return super().get_command(ctx, cmd_name)

    def make_context(self, *arguments: Any, **options: Any) -> click.Context:
        """Return a context without colors if the user, or the terminal, wants none: https://no-color.org."""
        context = super().make_context(*arguments, **options)
        if not in_color():
            context.color = False
        return context

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command, and turn its errors into a message and an exit status."""
        from common.errors import InputError, MachineFault
        from pipeline.running.signals import as_ctrl_c
        from pipeline.workspace.layout import WorkFolderBusy

        try:
            with as_ctrl_c():
                return super().invoke(ctx)
        except (click.exceptions.Exit, click.Abort):  # --help was printed
            raise
        except BrokenPipeError:  # for example from `darkroom runs | head`
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # discards what Python flushes at exit
            sys.exit(128 + signal.SIGPIPE)
        except InputError as error:
            fail(str(error), Status.MISTAKE)
        except KeyboardInterrupt:
            runs = ctx.invoked_subcommand in ("run", "retrain")
            fail("before the run began" if runs else f"darkroom {ctx.invoked_subcommand} did not end", Status.INTERRUPTED)
        except WorkFolderBusy as error:
            fail(str(error), Status.BUSY)
        except MachineFault as error:
            fail(str(error), Status.FAULT)
        except click.UsageError as error:
            where = f"{error.ctx.command_path} --help" if error.ctx else "darkroom --help"
            fail(f"{error.format_message().rstrip('.')} (see {where})", Status.MISTAKE)
        except click.ClickException as error:
            fail(getattr(error, "full", error.format_message()), Status(error.exit_code))
        except Exception as error:  # a run logs its traceback; before a run, and without one, there is no log
            if os.environ.get("DARKROOM_TRACEBACK"):
                raise
            if isinstance(error, OSError) and error.errno in _UNUSABLE and error.filename:
                fail(f"{error.filename}: {error.strerror}", Status.MISTAKE)
            message = " ".join(f"{type(error).__name__}: {error}".split())
            fail(f"{message} (DARKROOM_TRACEBACK=1 shows where)", Status.FAULT)


def in_color() -> bool:
    """Return False if NO_COLOR is set, or the terminal is dumb."""
    return not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def with_options(*options: Callable) -> Callable:
    """Return a decorator that adds options to a command."""
    return lambda command: functools.reduce(lambda wrapped, option: option(wrapped), reversed(options), command)


def fail(message: str, status: Status) -> None:
    """Print a message on standard error, and exit with a status."""
    with suppress(OSError):  # the terminal may be gone
        click.secho(in_one_line(f"{status.word}: {message}"), err=True, color=None if in_color() else False, fg="red", bold=True)
    sys.exit(int(status))
