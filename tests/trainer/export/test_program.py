"""The program of an exported model's decoder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.trainer.export.models import KINDS, WEIGHTS, Exported
from tests.trainer.program.node import CODES, decoded, needs_node, prepare, run_node
from trainer.program import write_program


@needs_node
@pytest.mark.parametrize("kind", KINDS)
def test_the_exported_model_answers_with_the_same_pictures(exports: Callable[[str], Exported], kind: str, tmp_path: Path) -> None:
    """The signature `serving_default`, in TensorFlow's C++ runtime."""
    made = exports(kind)
    labels = WEIGHTS if made.servable._labels else None
    write_program(made.servable._vae, made.servable._generation, made.servable._density, labels, tmp_path)
    codes = np.random.default_rng(0).standard_normal((CODES, made.servable._vae.latent_dim)).astype(np.float32)
    prepare(tmp_path, codes)
    run_node([tmp_path])
    expected = made.ask_session("serving_default", latents=codes)["images"]
    assert np.abs(decoded(tmp_path, expected.shape[1:]).astype(int) - expected).max() <= 1
