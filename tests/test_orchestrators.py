"""The same graph on TFX's BeamDagRunner."""

import pytest

from tests.project import darkroom, last_verdict, write_discs

pytestmark = pytest.mark.slow


def test_beam_runs_the_whole_pipeline_and_knows_why_it_ended(tmp_path):
    write_discs(tmp_path / "discs", 200)
    write_discs(tmp_path / "inverted", 200, invert=True)
    arguments = ["--work", tmp_path / "work", "--orchestrator", "beam", "--set", "training.epochs=3"]
    first = darkroom("run", "--images", tmp_path / "discs", *arguments)
    assert first.status == 0, first.out + first.err
    assert set(first.states().values()) == {"done"}
    again = darkroom("run", "--images", tmp_path / "discs", *arguments)
    assert set(again.states().values()) == {"cached"}
    refused = darkroom("run", "--images", tmp_path / "inverted", *arguments)
    assert refused.status == 3
    assert "drifted" in refused.err
    assert last_verdict(tmp_path / "work")["gate"] == "data"
