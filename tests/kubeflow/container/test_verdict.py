"""What came of a run on a cluster, summed up from what its steps left, and posted."""

from __future__ import annotations

import http.server
import json
import threading

import pytest

from common.errors import GateRefused, InputError
from kubeflow.container.records import read_records, record_of, run_of, write_record
from kubeflow.container.verdict import post, summed_up
from pipeline.verdict.outcomes import NodeOutcome
from pipeline.verdict.verdict import Verdict


def done(name: str, **more) -> dict:
    return {"name": name, "state": "done", "seconds": 1.5, "started": "2026-01-01T00:00:00+00:00", **more}


def failed(name: str, error: Exception) -> dict:
    return record_of(NodeOutcome(name, "failed", 2.0, error=error))


def test_the_run_by_an_artifacts_uri():
    assert run_of("minio://mlpipeline/v2/artifacts/darkroom/1234-abcd/Trainer/model", "darkroom") == "1234-abcd"
    assert run_of("minio://b/p/1234/Trainer/0c1d/model", "p") == "1234", "newer servers add a part of their own"
    assert run_of("s3://b/cats/cats/1234/any-name-at-all/model", "cats") == "1234", "the root may be called like the pipeline"
    assert run_of("s3://b/cats-prod/cats/1234/Trainer/model", "cats") == "1234"
    assert run_of("gs://b/darkroom/987/darkroom-2026/Trainer_-123/model", "darkroom") == "darkroom-2026", "on Vertex AI"
    assert run_of("/outputs/cats-2026-01-01-03-00-00-123/Trainer/model", "cats").startswith("cats-2026"), "by kfp.local"
    with pytest.raises(ValueError, match="does not name the pipeline"):
        run_of("minio://b/p/1234/Trainer/model", "other")
    with pytest.raises(ValueError, match="does not name the pipeline"):
        run_of("(no output)", "p")


def test_records_come_back_and_a_retry_takes_the_place_of_the_first_try(tmp_path):
    write_record(str(tmp_path), "r", failed("Trainer", OSError("disk full")))
    write_record(str(tmp_path), "r", done("Trainer"))
    assert read_records(str(tmp_path), "r") == [done("Trainer")]
    assert read_records(str(tmp_path), "other") == []


def summed(*records):
    return summed_up("r", "cats", "s3://cats", list(records))


def test_a_run_that_pushed():
    verdict = summed(
        done("Trainer", verdict={"model": {"artifact": "a"}}), done("Pusher", verdict={"model": {"version": 3}}), done("Report")
    )
    assert (verdict.outcome, verdict.status, verdict.seconds) == ("pushed", 0, 4.5)
    assert verdict.model == {"artifact": "a", "version": 3} and verdict.started == "2026-01-01T00:00:00+00:00"
    assert [component["name"] for component in verdict.components] == ["Trainer", "Pusher", "Report"]


def test_a_gate_that_refused_ends_as_refused_though_steps_ended_well():
    error = {"status": 3, "gate": "model", "reasons": ["the ELBO fell"]}
    verdict = summed(done("ModelGate", error=error), done("Report"))
    assert (verdict.outcome, verdict.gate, verdict.reasons) == ("refused", "model", ["the ELBO fell"])
    verdict = summed(failed("DataGate", GateRefused("data", ["all is black"])))
    assert (verdict.outcome, verdict.gate, verdict.reasons) == ("refused", "data", ["all is black"])


def test_mistakes_and_faults_name_the_step():
    verdict = summed(failed("ImageExampleGen", InputError("no pictures in s3://cats")))
    assert (verdict.outcome, verdict.reasons) == ("invalid", ["ImageExampleGen: no pictures in s3://cats"])
    verdict = summed(
        done("ModelGate", error={"status": 3, "gate": "model", "reasons": ["x"]}), failed("Report", OSError("disk full"))
    )
    assert verdict.outcome == "failed" and verdict.reasons == ["Report: OSError: disk full"], "a fault comes before a refusal"


def test_a_container_that_left_nothing_is_a_fault():
    verdict = summed(done("Trainer"))
    assert verdict.outcome == "failed" and "a container was stopped" in verdict.reasons[0]
    assert summed().outcome == "failed"


def test_posting_and_that_its_failure_says_no_secret(caplog):
    received = []

    class Hook(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            received.append((self.headers["Content-Type"], json.loads(self.rfile.read(int(self.headers["Content-Length"])))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *arguments):
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Hook) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        post(f"http://127.0.0.1:{server.server_port}/hook-secret", summed(done("Report")))
        thread.join()
        address = f"http://127.0.0.1:{server.server_port}/hook-secret"
    ((content_type, body),) = received
    assert content_type == "application/json" and body["outcome"] == "pushed" and set(body) == set(vars(Verdict("", "", "", "")))
    for wrong in (address, "no-address-secret"):
        post(wrong, summed(done("Report")))
    post("", summed(done("Report")))
    assert caplog.text.count("could not be posted") == 2 and "secret" not in caplog.text
