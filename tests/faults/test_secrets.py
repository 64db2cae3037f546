"""A planted secret is in nothing that a run leaves or says."""

from __future__ import annotations

import pytest

from tests.project import start_darkroom

SECRET = "s3cr3t-Tr0mbone-9931"
WHERE = (
    "AWS_SECRET_ACCESS_KEY",
    "AWS_ACCESS_KEY_ID",
    "KFP_TOKEN",
    "DARKROOM_WEBHOOK_TOKEN",
    "DARKROOM_METADATA_PASSWORD",
    "MLFLOW_TRACKING_TOKEN",
)


@pytest.mark.slow
def test_a_planted_secret_is_nowhere(lab, trial):
    trial("a planted secret", 2)
    lab.restore()
    environment = dict.fromkeys(WHERE, SECRET)
    # In the address itself as well, and nobody listens: what fails must not say it either.
    webhook = f"https://127.0.0.1:9/{SECRET}/${{DARKROOM_WEBHOOK_TOKEN}}"
    arguments = [*lab.arguments(), f"--set=notify.webhook={webhook}", f"--set=notify.command=sh -c 'test $KFP_TOKEN = {'x'}'"]
    ended = start_darkroom(*arguments, **environment).wait()
    assert ended.status == 0, ended.err
    assert "webhook" in ended.err and "notify.command failed" in ended.err, "both were tried"
    poisoned = start_darkroom(*arguments, "--set=training.learning_rate=1e-9", **environment).wait()
    assert poisoned.status == 3
    for said in (ended, poisoned):
        assert SECRET not in said.out + said.err
    holding = [path for path in lab.work.rglob("*") if path.is_file() and SECRET.encode() in path.read_bytes()]
    assert not holding
