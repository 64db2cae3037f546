"""Options, number types and error reporting that the commands share."""

from __future__ import annotations

import errno
import math
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from common.errors import InputError, one_line
from common.lines import in_one_line
from serving.c_api import TensorFlowError
from serving.pushed import BATCH, PushedModel, find_model

_USER_MISTAKES = (PermissionError, FileNotFoundError, FileExistsError, NotADirectoryError, IsADirectoryError)
_NO_PLACE = (errno.ELOOP, errno.ENAMETOOLONG, errno.EROFS, errno.EBADF, errno.ENXIO)  # invalid output paths


class OneLineError(click.ClickException):
    """An error reported in one line of readable length. The exit code is 2 for the user's mistake, 1 for a fault.

    Attributes:
        full: The full message.
    """

    def __init__(self, message: str, exit_code: int = 2):
        super().__init__(in_one_line(message))
        self.full = message
        self.exit_code = exit_code  # type: ignore[misc]  # Click declares it a class variable


class ServingCommand(click.Command):
    """A command that reports an error as one line on standard error, without usage text or traceback."""

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        try:
            return super().make_context(*args, **kwargs)
        except click.UsageError as error:
            raise OneLineError(f"{error.format_message()} (`darkroom {self.name} --help` shows how)") from error

    def invoke(self, ctx: click.Context) -> Any:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # library warnings, such as those about a picture's tags, do not concern the user
                return super().invoke(ctx)
        except InputError as error:
            raise OneLineError(str(error)) from error
        except TensorFlowError as error:
            raise OneLineError(f"the model cannot answer: {one_line(error)}", exit_code=1) from error
        except BrokenPipeError:  # `darkroom score ... | head`: the caller handles it
            raise
        except OSError as error:
            if error.strerror is None:
                raise
            code = 2 if isinstance(error, _USER_MISTAKES) or error.errno in _NO_PLACE else 1
            raise OneLineError(f"{error.filename or 'the system'}: {error.strerror}", exit_code=code) from error


class Finite(click.FloatRange):
    """A number within limits that is not infinite and not NaN. NaN passes every limit."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value} is not a finite number.", param, ctx)
        return number


SEED = click.IntRange(0, 2**63 - 1)
PATH = click.Path(path_type=Path)


def model_command(function: Callable) -> click.Command:
    """Make a command of a function, with --work, --model and --version before its own options."""
    for option in (
        click.option("--version", type=click.IntRange(min=0), help="An earlier model than the last one pushed."),
        click.option("--model", type=PATH, metavar="DIR", help="A SavedModel's folder, or one of numbered versions."),
        click.option("--work", type=PATH, metavar="DIR", help="A work folder of `darkroom run`: its last model."),
    ):
        function = option(function)
    return click.command(cls=ServingCommand)(function)


@contextmanager
def loaded(work: Path | None, model: Path | None, version: int | None, total: int = 0) -> Iterator[PushedModel]:
    """Load the model named by --work, --model and --version. On a terminal, a large `total` of pictures shows a progress bar.

    Raises:
        InputError: The model does not exist or is broken.
    """
    # TensorFlow's library logs each missing optional part as an error. Real failures raise an exception.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    pushed = PushedModel(find_model(work, model, version))
    try:
        if total > BATCH and sys.stderr.isatty():
            with click.progressbar(length=total, file=sys.stderr, show_pos=True) as bar:
                pushed.progress = bar.update
                yield pushed
        else:
            yield pushed
    finally:
        pushed.close()
