"""How a run ends without a model, and the figures in what is said of it."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest

from common.errors import GateRefused, InputError, figure


def test_an_input_error_says_one_line_and_lists_the_refused_pictures() -> None:
    reject = {"path": "a.png", "reason": "the file is empty"}
    error = InputError("all pictures were refused: see rejects", [reject])
    assert str(error) == "all pictures were refused: see rejects" and error.rejects == [reject]
    assert isinstance(error, ValueError) and InputError("x").rejects == []


def test_a_gates_refusal_says_which_and_why() -> None:
    error = GateRefused("model", ["ELBO is low", "KL is 0"])
    assert str(error) == "the model gate said no: ELBO is low; KL is 0"
    assert (error.gate, error.reasons) == ("model", ["ELBO is low", "KL is 0"])


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (0, "0"),
        (1234567, "1,234,567"),
        (-1234567, "-1,234,567"),
        (999_999_999_999_999, "999,999,999,999,999"),
        (10**15, "1.0e+15"),
        (834567 * 10**18, "8.3e+23"),
        (8.34567e23, "8.3e+23"),
        (-(10**24), "-1.0e+24"),
        (0.5, "0.5"),
        (1 / 3, "0.3333"),
        (1e-30, "1e-30"),
        (1234.56, "1,235"),
        (math.inf, "inf"),
        (-math.inf, "-inf"),
        (math.nan, "nan"),
        (np.int64(12345), "12,345"),
        (np.float32(2.5), "2.5"),
        (np.uint8(7), "7"),
    ],
)
def test_a_figure(number, words):
    assert figure(number) == words


def test_a_figure_that_no_float_holds():
    assert figure(10**5000) == "1.0e+5000" and figure(-(10**5000)) == "-1.0e+5000"


def test_any_figure_is_short_and_near_the_number():
    rng = random.Random(5)
    for _ in range(2000):
        number = rng.choice([rng.uniform(-1, 1), rng.randrange(-9, 10)]) * 10 ** rng.randrange(0, 300)
        words = figure(number)
        assert len(words) <= 20
        assert float(words.replace(",", "")) == pytest.approx(float(number), rel=0.06)
