import threading

import pytest

from common.errors import InputError
from pipeline.config.env import filled
from pipeline.reporting.timeout import within


def test_variables_are_filled_in_and_nothing_else(monkeypatch):
    monkeypatch.setenv("A_B", " x\n")
    monkeypatch.setenv("EMPTY", "")
    assert filled("${A_B}/$A_B/{A_B}/${A_B}${A_B}", "f") == "x/$A_B/{A_B}/xx"
    for text in ("${EMPTY}", "x${NO_SUCH_VARIABLE}"):
        with pytest.raises(InputError, match="^notify.webhook asks for the environment variable .*, which is not set$"):
            filled(text, "notify.webhook")


def test_a_value_is_not_filled_in_again(monkeypatch):
    monkeypatch.setenv("A", "${B}")
    monkeypatch.setenv("B", "hush")
    assert filled("${A}", "f") == "${B}"


def test_work_that_ends_and_work_that_does_not():
    done = []
    within(10, lambda: done.append(1))
    assert done == [1]
    with pytest.raises(KeyError, match="why"):
        within(10, lambda: {}["why"])
    for_ever = threading.Event()
    with pytest.raises(TimeoutError, match="within 0.1 seconds"):
        within(0.1, for_ever.wait)
    for_ever.set()
