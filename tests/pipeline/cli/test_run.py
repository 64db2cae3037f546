"""What `darkroom retrain --json` prints if it does not run."""

import json

from pipeline.cli.run import _tell_json
from pipeline.running.new_data import State, why_not
from tests.pipeline.cli.runner import invoke


def test_nothing_new_as_json(capsys):
    state = State("p", "c", 1234, 0, status=0)
    _tell_json(why_not(state, state))
    _tell_json("warning: metrics.prom was not written")
    out, err = capsys.readouterr()
    assert json.loads(out)["outcome"] == "unchanged" and "1,234 pictures" in json.loads(out)["reasons"][0]
    assert err == "warning: metrics.prom was not written\n"


def test_json_is_for_runs_only():
    ended = invoke("retrain", "--json", "--uninstall", "--work", "nowhere")
    assert ended.status == 2 and "--json belongs to a run" in ended.err
