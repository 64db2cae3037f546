"""metrics.prom, read by Prometheus' own parser."""

import math
import os
import re
import time

import pytest
from prometheus_client import CollectorRegistry, generate_latest, parser

from pipeline.reporting.prometheus import FILE, LOOKED, OUTCOMES, gauge, write_metrics
from pipeline.verdict.status import Status
from pipeline.verdict.verdict import Verdict
from pipeline.workspace.layout import Workspace
from tests.project import ROOT


@pytest.fixture
def workspace(tmp_path):
    return Workspace.create(tmp_path / "cats")


def ended(workspace, run, status, gate=None, **values):
    verdict = Verdict(run=run, title="cats", images="/p", started="2026-01-01T00:00:00+00:00", seconds=61.5, **values)
    verdict.end(status, gate, ["a reason"] if status else [])
    workspace.run(run).mkdir(parents=True)
    verdict.write(workspace.run(run) / "verdict.json")


def parsed(text):
    """Values by name and labels; checks what the parser lets pass and node_exporter does not."""
    samples = {}
    for family in parser.text_string_to_metric_families(text):
        assert family.type == "gauge" and family.documentation.endswith(".") and family.samples, family.name
        for sample in family.samples:
            key = (sample.name.removeprefix("darkroom_"), *(value for name, value in sample.labels.items() if name != "work"))
            assert sample.name == family.name and sample.timestamp is None and "work" in sample.labels
            assert re.fullmatch(r"darkroom_[a-z_]+", sample.name) and key not in samples
            samples[key] = sample.value
    names = re.findall(r"^# TYPE (\S+)", text, re.M)
    assert len(names) == len(set(names)) and text.endswith("\n")
    return samples


def written(workspace):
    write_metrics(workspace)
    return parsed((workspace.root / FILE).read_text())


def test_a_folder_in_which_nothing_was_run(workspace):
    assert written(workspace) == {("runs", word): 0 for word in OUTCOMES}


def test_the_last_run_and_the_counts_of_all(workspace):
    ended(workspace, "20260101-000000", Status.FAULT)
    ended(workspace, "20260102-000000", Status.REFUSED, "data", drift={"image/mean": 0.8})
    ended(
        workspace,
        "20260103-000000",
        Status.PUSHED,
        data={"pictures": {"train": 90, "test": 10}, "rejected": 2, "duplicates": 0},
        drift={"image/mean": 0.01, "image/label": 0.0},
        figures={"elbo": -24.5, "kl": math.nan},
        baseline={"elbo": -25.0},
        quality={"generated": {"frechet_distance": 14.4}, "prior": None, "floor": {"frechet_distance": 3}},
        components=[{"name": "Trainer", "state": "done", "seconds": 20.25}],
    )
    (workspace.root / "runs" / "20260104-000000").mkdir()  # was killed
    for run, text in (("20260105-000000", "{"), ("20260106-000000", "[]")):
        workspace.run(run).mkdir()
        (workspace.run(run) / "verdict.json").write_text(text)
    found = written(workspace)
    assert math.isnan(found.pop(("figure_nats", "kl", "candidate")))
    began = 1767225600.0
    assert found == {
        **{("run_outcome", word): int(word == "pushed") for word in OUTCOMES},
        **{("runs", word): int(word in ("pushed", "refused", "failed", "unended")) for word in OUTCOMES},
        ("run_exit_status",): 0,
        ("run_start_timestamp_seconds",): began,
        ("run_end_timestamp_seconds",): began + 61.5,
        ("run_duration_seconds",): 61.5,
        ("component_duration_seconds", "Trainer"): 20.25,
        ("pictures", "train"): 90,
        ("pictures", "test"): 10,
        ("rejected_pictures",): 2,
        ("duplicate_pictures",): 0,
        ("drift_divergence", "image/mean"): 0.01,
        ("drift_divergence", "image/label"): 0,
        ("figure_nats", "elbo", "candidate"): -24.5,
        ("figure_nats", "elbo", "baseline"): -25.0,
        ("frechet_distance", "generated"): 14.4,
        ("frechet_distance", "floor"): 3,
    }


def test_a_last_run_that_was_killed(workspace):
    ended(workspace, "20260101-000000", Status.PUSHED)
    workspace.run("20260102-000000").mkdir()
    with workspace.lock():  # it is at work
        found = written(workspace)
        assert found["run_outcome", "pushed"] == 1 and found["runs", "unended"] == found["run_outcome", "unended"] == 0
    found = written(workspace)
    assert {key: value for key, value in found.items() if value} == {
        ("run_outcome", "unended"): 1,
        ("runs", "unended"): 1,
        ("runs", "pushed"): 1,
    }
    ended(workspace, "20260103-000000", Status.PUSHED)
    found = written(workspace)
    assert found["run_outcome", "pushed"] == found["runs", "unended"] == 1 and found["run_outcome", "unended"] == 0


def test_what_is_served_and_when_retrain_looked(workspace):
    now = time.time()
    for version, age in (("9", 100), ("10", 7200), (".pushing-3", 0)):
        (workspace.serving / version).mkdir(parents=True)
        os.utime(workspace.serving / version, (now - age, now - age))
    (workspace.root / LOOKED).touch()
    os.utime(workspace.root / LOOKED, (now - 60, now - 60))
    found = written(workspace)
    assert found["served_version",] == 10
    assert found["served_pushed_timestamp_seconds",] == pytest.approx(now - 7200, abs=0.01)
    assert 7200 <= found["served_age_seconds",] < 7300
    assert found["retrain_looked_timestamp_seconds",] == pytest.approx(now - 60, abs=0.01)


def test_any_name_and_any_number():
    odd = 'a "b"\\ü\nc'
    registry = CollectorRegistry()
    values = {odd: 1e300, "inf": math.inf, "-": -math.inf, "none": None}
    registry.collect = lambda: [gauge(odd, "x", "What.", ["l"], values)]
    text = generate_latest(registry).decode()
    assert parsed(text) == {("x", odd): 1e300, ("x", "inf"): math.inf, ("x", "-"): -math.inf}
    assert next(parser.text_string_to_metric_families(text)).samples[0].labels["work"] == odd


def test_the_documentation_names_each_metric_and_no_other():
    named = set(re.findall(r"darkroom_[a-z_]+", (ROOT / "docs" / "operations.md").read_text()))
    source = (ROOT / "pipeline" / "reporting" / "prometheus.py").read_text()
    assert named == {f"darkroom_{name}" for name in re.findall(r'(?:yield|return) "([a-z_]+)",', source)}


def test_it_is_replaced_whole_and_nothing_is_left_beside_it(workspace):
    written(workspace)
    with (workspace.root / FILE).open() as before:
        ended(workspace, "20260101-000000", Status.PUSHED)
        written(workspace)
        assert "run_outcome" not in before.read(), "who had the file open reads the one that was whole then"
    assert (workspace.root / FILE).stat().st_mode & 0o044 == 0o044 & ~_umask(), "node_exporter is another user"
    assert [path.name for path in workspace.root.iterdir() if "metrics" in path.name] == [FILE]


def _umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask
