"""Longer stories: the same graph on TFX's BeamDagRunner, and going back and forth between configurations and data."""

import pytest

from tests.project import darkroom, last_verdict, write_discs

pytestmark = pytest.mark.slow


def test_orchestrators_configurations_and_data_back_and_forth_in_one_work_folder(tmp_path):
    write_discs(tmp_path / "discs", 200)
    write_discs(tmp_path / "inverted", 200, invert=True)

    def run(images, *more):
        usual = ("--work", tmp_path / "work", "--set", "training.epochs=3", "--set", "evaluation.max_drop=1000")
        return darkroom("run", "--images", tmp_path / images, *usual, *more)

    def served(seed):
        version = last_verdict(tmp_path / "work")["model"]["version"]
        newest = max(int(p.name) for p in (tmp_path / "work" / "serving").iterdir())
        assert version == newest, "what the verdict names is in service"
        config = (tmp_path / "work" / "serving" / str(newest) / "config.yaml").read_text()
        assert f"seed: {seed}" in config
        return version

    # Beam runs the whole pipeline, and knows why it ended.
    beam = ("--orchestrator", "beam")
    first = run("discs", *beam)
    assert first.status == 0, first.out + first.err
    assert set(first.states().values()) == {"done"}
    versions = [served(0)]
    again = run("discs", *beam)
    assert set(again.states().values()) == {"cached"}
    refused = run("inverted", *beam)
    assert refused.status == 3
    assert "drifted" in refused.err and "--accept-drift" in refused.err
    assert last_verdict(tmp_path / "work")["gate"] == "data"

    # Who goes back to an earlier configuration gets its model into service.
    for seed in (1, 0, 1, 1):
        ended = run("discs", f"--set=training.seed={seed}")
        assert ended.status == 0, ended.out + ended.err
        versions.append(served(seed))
    assert versions[3] == versions[4], "the same run again pushes nothing"

    # Drift can be accepted, and is the new usual then.
    assert run("inverted").status == 3
    assert run("inverted", "--accept-drift").status == 0
    assert run("inverted").status == 0
    assert run("discs").status == 0, "seen and passed before"


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
