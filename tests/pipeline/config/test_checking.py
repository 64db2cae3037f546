"""All problems of a configuration file, each with its line."""

import pytest

from pipeline.config.checking import findings

BROKEN = """title: cats
training:
  epoch: 3
  batch_size: 0
  patience: 4
  patience: 5
modell: {}
evaluation: {min_kl: 3, max_kl: 2}
"""


def test_each_problem_has_its_line(tmp_path):
    path = tmp_path / "my.yaml"
    path.write_text(BROKEN)
    found = findings(path)
    assert [(each.line, each.field) for each in found] == [
        (3, "training.epoch"),
        (4, "training.batch_size"),
        (6, "training.patience"),
        (7, "modell"),
        (8, "evaluation.min_kl"),
    ]
    assert str(found[0]) == "line 3: unknown field training.epoch; did you mean training.epochs"
    assert "greater than 0" in found[1].message and "a second time" in found[2].message


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("evaluation:\n  min_kl: 3\n  max_kl: 2\n", 2, "above evaluation.max_kl"),
        ("title: x\nmodel: 3\n", 2, "must be a section"),
        ("model: {network: hierarchical, latent_dim: 4}\n", 1, "top_latent_dim"),
        ("training: {beta: .inf}\n", 1, "finite"),
        ("title: [\n", None, "is not YAML"),
        ("- 1\n", None, "must be a mapping"),
    ],
)
def test_problems_of_all_kinds(tmp_path, text, line, words):
    path = tmp_path / "my.yaml"
    path.write_text(text)
    (found,) = findings(path)
    assert found.line == line and words in found.message


def test_what_is_valid_has_no_problems(tmp_path):
    path = tmp_path / "my.yaml"
    path.write_text("base: &b {epochs: 3}\n")
    assert [each.field for each in findings(path)] == ["base"]
    path.write_text("# nothing\ntraining:\n")
    assert findings(path) == []


def test_a_problem_of_an_override_has_no_line(tmp_path):
    path = tmp_path / "my.yaml"
    path.write_text("training: {epochs: 3}\n")
    (found,) = findings(path, ["training.epochs=0"])
    assert found.line is None and found.field == "training.epochs"
    (found,) = findings(None, ["epochs"])
    assert "--set" in found.message


def test_a_file_that_cannot_be_read(tmp_path):
    (found,) = findings(tmp_path)
    assert "cannot read" in found.message
