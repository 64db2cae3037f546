"""The one way in which these commands end for a reason that the person at the keyboard can mend."""

from __future__ import annotations

import re


class InputError(ValueError):
    """The user's mistake, or a model or picture that is not what it should be. Ends a command with exit status 2.

    The message is one line: what was wrong, where, what to do.
    """


def one_line(error: Exception | str) -> str:
    """Returns the first line of what an error says, without TensorFlow's names of the nodes it passed."""
    first = (str(error) or type(error).__name__).splitlines()[0]
    return re.sub(r"\[\[.*|\{\{.*?\}\}", "", first).strip().rstrip(".")
