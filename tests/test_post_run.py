"""Runs with somebody to tell: what arrives, what is measured, and that no file of the work folder holds a secret."""

from __future__ import annotations

import json

import numpy as np
import pytest
import yaml
from PIL import Image
from prometheus_client.parser import text_string_to_metric_families

from tests.hook import hook
from tests.project import darkroom, last_verdict

SECRETS = ("hush-in-the-address", "hush-in-the-environment")


def files_with_a_secret(folder):
    paths = [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
    return [(path, secret) for path in paths for secret in SECRETS if secret.encode() in path.read_bytes()]


def metric(work, name, **labels):
    families = text_string_to_metric_families((work / "metrics.prom").read_text())
    samples = [sample for family in families for sample in family.samples if sample.name == f"darkroom_{name}"]
    return next((sample.value for sample in samples if sample.labels == {"work": work.name, **labels}), None)


def write_black(folder, count):
    """Pictures that are black but for one pixel, so that none is a copy of another."""
    folder.mkdir()
    for i in range(count):
        levels = np.zeros((12, 12), np.uint8)
        levels[divmod(i, 12)] = 40
        Image.fromarray(levels).save(folder / f"{i}.png")


@pytest.mark.slow
def test_a_refused_run_is_told_of_and_stays_refused_whatever_becomes_of_telling(tmp_path):
    work, config = tmp_path / "work", tmp_path / "c.yaml"
    write_black(tmp_path / "pictures", 100)
    with hook(status=500) as server:
        config.write_text(
            f"notify:\n"
            f"  webhook: {server.address}/{SECRETS[0]}?key=${{HOOK_KEY}}\n"
            f"  command: [sh, -c, 'echo said by the command; cat > {tmp_path}/told.json; exit 3']\n"
        )
        ended = darkroom("run", "--images", tmp_path / "pictures", "--work", work, "--config", config, HOOK_KEY=SECRETS[1])
    assert ended.status == 3, ended
    warnings = [line for line in ended.err.splitlines() if line.startswith("warning: ")]
    assert len(warnings) == 2 and "500" in warnings[0] + warnings[1] and "status 3" in warnings[0] + warnings[1]
    assert ended.err.splitlines()[-1].startswith("refused by the data gate") and "said by" not in ended.out + ended.err
    verdict = last_verdict(work)
    ((_, path, kind, body),) = server.received
    assert (path, kind, body) == (f"/{SECRETS[0]}?key={SECRETS[1]}", "application/json", verdict)
    assert json.loads((tmp_path / "told.json").read_text()) == verdict
    (run,) = work.glob("runs/*")
    assert "said by the command" in (run / "log.txt").read_text()
    assert yaml.safe_load((run / "config.yaml").read_text())["notify"]["webhook"] == server.address
    assert files_with_a_secret(work) == [] and not [secret for secret in SECRETS if secret in ended.out + ended.err]
    assert metric(work, "run_outcome", outcome="refused") == 1 and metric(work, "run_exit_status") == 3
    assert metric(work, "pictures", split="train") == verdict["data"]["pictures"]["train"]
    assert metric(work, "served_version") is None
