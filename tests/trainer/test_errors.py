"""How a run ends without a model."""

from __future__ import annotations

from trainer.errors import GateRefused, InputError


def test_an_input_error_says_one_line_and_lists_the_refused_pictures() -> None:
    reject = {"path": "a.png", "reason": "the file is empty"}
    error = InputError("all pictures were refused: see rejects", [reject])
    assert str(error) == "all pictures were refused: see rejects" and error.rejects == [reject]
    assert isinstance(error, ValueError) and InputError("x").rejects == []


def test_a_gates_refusal_says_which_and_why() -> None:
    error = GateRefused("model", ["ELBO is low", "KL is 0"])
    assert str(error) == "the model gate said no: ELBO is low; KL is 0"
    assert (error.gate, error.reasons) == ("model", ["ELBO is low", "KL is 0"])
