"""Schemas: proposed from statistics, compared in words, accepted into a configuration."""

import os
import stat
import subprocess
from pathlib import Path

import pandas as pd
import pytest
import tensorflow_data_validation as tfdv
from click.testing import CliRunner

from common.errors import InputError
from pipeline.cli.schema import schema as schema_command
from pipeline.config.loading import load_values
from pipeline.data.schemas import accept, default_schema, differences, last_statistics, propose, read_schema, schema_of


def write_statistics(work: Path, number: int, **columns) -> Path:
    folder = work / "artifacts/StatisticsGen/statistics" / str(number)
    for split in ("train", "eval"):
        made = tfdv.generate_statistics_from_dataframe(pd.DataFrame(columns))
        (folder / f"Split-{split}").mkdir(parents=True)
        (folder / f"Split-{split}/FeatureStats.pb").write_bytes(made.SerializeToString())
    return folder


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    folder = tmp_path_factory.mktemp("work")
    write_statistics(folder, 9, **{"image/label": ["old"]})
    columns = {
        "image/label": ["cat", "dog", "cat"],
        "image/height": [28, 20, 64],
        "image/width": [28] * 3,
        "image/channels": [1, 3, 3],
    }
    write_statistics(folder, 10, **columns)
    return folder


def test_a_proposal_says_what_the_pictures_are(work):
    proposed = propose(read_schema(default_schema()), last_statistics(work))
    features = {feature.name: feature for feature in proposed.feature}
    assert list(features["image/label"].string_domain.value) == ["cat", "dog"]
    assert (features["image/height"].int_domain.min, features["image/height"].int_domain.max) == (20, 64)
    assert (features["image/channels"].int_domain.min, features["image/channels"].int_domain.max) == (1, 3)
    assert features["image/mean"] == {f.name: f for f in read_schema(default_schema()).feature}["image/mean"]


def test_differences_in_words(work):
    old = read_schema(default_schema())
    first = propose(old, last_statistics(work))
    assert differences(old, first) == [
        "number of channels: 1 to 4, then 1 to 3",
        "height: 1 to 65535, then 20 to 64",
        "the labels: any, then cat, dog",
        "width: 1 to 65535, then 28",
    ]
    second = propose(first, last_statistics(work).parent / "9")
    assert differences(first, second) == ["the labels: new old; gone cat, dog"]
    assert differences(first, first) == []


def test_no_statistics(tmp_path):
    with pytest.raises(InputError, match="no statistics of pictures yet"):
        last_statistics(tmp_path)


def test_accepted_into_a_configuration_that_keeps_all_else(work, tmp_path):
    config = tmp_path / "cats.yaml"
    config.write_text("# Cats.\ntraining:\n  epochs: 3   # few\nschema: other.pbtxt\n")
    proposed = propose(read_schema(default_schema()), last_statistics(work))
    written = accept(proposed, config)
    assert config.read_text() == "# Cats.\ntraining:\n  epochs: 3   # few\nschema: cats.schema.pbtxt\n"
    assert schema_of(config) == written and read_schema(written) == proposed
    assert load_values(config)["training"] == {"epochs": 3}


def test_the_commands(work, tmp_path):
    run = lambda *arguments: CliRunner().invoke(schema_command, [str(a) for a in arguments], catch_exceptions=False)
    config, out = tmp_path / "cats.yaml", tmp_path / "proposed.pbtxt"
    assert run("diff", "--work", work).output.splitlines()[2] == "the labels: any, then cat, dog"
    assert run("infer", "--work", work, "--out", out).output == f"wrote {out}\n"
    assert run("infer", "--work", work).output == out.read_text()
    assert "which" in run("accept", "--work", work, "--config", config).output
    assert run("diff", "--work", work, "--config", config).output == "no difference: the pictures match the current schema\n"


@pytest.mark.parametrize("text", [None, "feature { nonsense: 1 }"])
def test_no_schema(tmp_path, text):
    path = tmp_path / "s.pbtxt"
    if text is not None:
        path.write_text(text)
    with pytest.raises(InputError, match="the schema"):
        read_schema(path)


def test_a_proposal_goes_through_a_pipe_a_link_and_standard_output(work, tmp_path):
    run = lambda *arguments: CliRunner().invoke(schema_command, [str(a) for a in arguments], catch_exceptions=False)
    text = run("infer", "--work", work).output
    (tmp_path / "link").symlink_to("target.pbtxt")
    assert run("infer", "--work", work, "--out", tmp_path / "link").output == f"wrote {tmp_path / 'link'}\n"
    assert (tmp_path / "target.pbtxt").read_text() == text and (tmp_path / "link").is_symlink()
    printed = run("infer", "--work", work, "--out", "-")
    assert (printed.stdout, printed.stderr) == (text, "wrote standard output\n")
    os.mkfifo(tmp_path / "fifo")
    reading = subprocess.Popen(["cat", tmp_path / "fifo"], stdout=subprocess.PIPE, text=True)
    run("infer", "--work", work, "--out", tmp_path / "fifo")
    assert reading.communicate(timeout=20)[0] == text and stat.S_ISFIFO((tmp_path / "fifo").stat().st_mode)


def test_accepted_into_what_a_link_points_to_and_into_no_pipe(work, tmp_path):
    (tmp_path / "far").mkdir()
    target, link = tmp_path / "far" / "real.yaml", tmp_path / "cats.yaml"
    target.write_text("# Cats.\n")
    target.chmod(0o600)
    link.symlink_to(target)
    proposed = propose(read_schema(default_schema()), last_statistics(work))
    assert read_schema(accept(proposed, link)) == proposed
    assert link.is_symlink() and target.read_text() == "# Cats.\nschema: cats.schema.pbtxt\n"
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    os.mkfifo(tmp_path / "fifo.yaml")
    with pytest.raises(InputError, match="is no file"):
        accept(proposed, tmp_path / "fifo.yaml")
