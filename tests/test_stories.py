"""Longer stories: the same graph on TFX's BeamDagRunner, and going back and forth between configurations and data."""

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


def test_who_goes_back_to_an_earlier_configuration_gets_its_model_into_service(tmp_path):
    write_discs(tmp_path / "discs", 200)
    lenient = ["--set", "evaluation.max_drop=1000", "--set", "training.epochs=3"]
    served = []
    for seed in (0, 1, 0, 1, 1):
        arguments = ["--images", tmp_path / "discs", "--work", tmp_path / "work", *lenient, "--set", f"training.seed={seed}"]
        ended = darkroom("run", *arguments)
        assert ended.status == 0, ended.out + ended.err
        version = last_verdict(tmp_path / "work")["model"]["version"]
        newest = max(int(p.name) for p in (tmp_path / "work" / "serving").iterdir())
        assert version == newest, "what the verdict names is in service"
        config = (tmp_path / "work" / "serving" / str(newest) / "config.yaml").read_text()
        assert f"seed: {seed}" in config
        served.append(version)
    assert served[3] == served[4], "the same run again pushes nothing"


def test_drift_can_be_accepted_and_is_the_new_usual_then(tmp_path):
    write_discs(tmp_path / "discs", 200)
    write_discs(tmp_path / "inverted", 200, invert=True)
    usual = ["--work", tmp_path / "work", "--set", "training.epochs=3", "--set", "evaluation.max_drop=1000"]
    assert darkroom("run", "--images", tmp_path / "discs", *usual).status == 0
    refused = darkroom("run", "--images", tmp_path / "inverted", *usual)
    assert refused.status == 3 and "--accept-drift" in refused.err
    assert darkroom("run", "--images", tmp_path / "inverted", *usual, "--accept-drift").status == 0
    assert darkroom("run", "--images", tmp_path / "inverted", *usual).status == 0
    assert darkroom("run", "--images", tmp_path / "discs", *usual).status == 0, "seen and passed before"


def test_spans_a_new_label_is_refused_shown_and_accepted_and_a_schema_made_of_it(tmp_path):
    for span, seed in ((1, 0), (2, 1)):
        write_discs(tmp_path / f"data/span-{span}", 200, seed=seed)
    images = ["--images", f"{tmp_path}/data/span-{{SPAN}}", "--work", tmp_path / "work", "--set", "training.epochs=3"]
    images += ["--set", "evaluation.max_drop=1000"]
    first = darkroom("run", *images)
    assert first.status == 0, first.out + first.err
    write_discs(tmp_path / "data/span-3", 200, seed=2)
    (tmp_path / "data/span-3/small").rename(tmp_path / "data/span-3/tiny")
    (tmp_path / "data/span-3/big/broken.png").write_bytes(b"no picture")
    refused = darkroom("run", *images)
    assert refused.status == 3 and "a label is new: the last accepted pictures have no 'tiny'" in refused.err
    page = (tmp_path / "work/report/index.html").read_text()
    assert "Refused by the data gate" in page and "pictures with tiny" in page and "broken.png" in page
    assert last_verdict(tmp_path / "work")["report"]
    assert darkroom("run", *images, "--accept-drift").status == 0

    config = tmp_path / "own.yaml"
    accepted = darkroom("schema", "accept", "--work", tmp_path / "work", "--config", config)
    assert accepted.status == 0 and "the labels: any, then big, tiny" in accepted.out
    assert darkroom("run", *images, "--config", config).status == 0
    write_discs(tmp_path / "data/span-4", 200, seed=3)
    unknown = darkroom("run", *images, "--config", config, "--accept-drift")
    assert unknown.status == 3 and "values missing from the schema: small" in unknown.err
