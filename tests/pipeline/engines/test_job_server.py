"""A job server for real: the one that Beam has in Python, in this process. Whole pipelines on another one: `tests.engines`."""

import os
import signal
import socket
import threading

import apache_beam as beam
import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.portability.api import beam_job_api_pb2
from apache_beam.runners.portability.local_job_service import LocalJobServicer

from common.errors import InputError, MachineFault
from pipeline.config.beam import BeamConfig
from pipeline.engines import reach
from pipeline.engines.arguments import beam_args
from pipeline.engines.reach import check_engine


@pytest.fixture
def server(tmp_path):
    """A job server, and its address; the workers are in this process."""
    service = LocalJobServicer(str(tmp_path / "staging"))
    port = service.start_grpc_server(0)
    yield service, BeamConfig(engine="portable", job_server=f"localhost:{port}")
    service.stop()


@pytest.fixture
def folders(tmp_path):
    """A folder of pictures, and a work folder."""
    for name in ("pictures", "work"):
        (tmp_path / name).mkdir()
    return tmp_path / "pictures", tmp_path / "work"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        return probe.getsockname()[1]


def test_workers_that_have_all_they_need(server, folders):
    pictures, work = folders
    check_engine(server[1], str(pictures), work)
    check_engine(server[1], "gs://bucket/pictures", work)
    check_engine(server[1], f"{pictures}/span-{{SPAN}}", work)
    assert not list(work.iterdir())


def test_pictures_that_workers_do_not_see(server, folders):
    pictures, work = folders
    pictures.rmdir()
    with pytest.raises(InputError, match=f"a worker on .* cannot read the pictures in {pictures}: share them$"):
        check_engine(server[1], str(pictures), work)
    assert not list(work.iterdir())


def test_a_work_folder_that_workers_do_not_see(server, folders):
    pictures, work = folders
    with pytest.raises(InputError, match="does not see the work folder /elsewhere: share it"):
        reach._probe(server[1], "/elsewhere/token", str(pictures))


def test_workers_of_another_version(server, folders, monkeypatch):
    here, codes = threading.get_ident(), []

    def code():
        codes.append(threading.get_ident())
        return "this" if codes[-1] == here else "that"

    monkeypatch.setattr(reach, "own_code", code)
    with pytest.raises(InputError, match="has another version of this project"):
        check_engine(server[1], str(folders[0]), folders[1])


@pytest.mark.parametrize(("field", "kind"), [("job_server", "job server"), ("worker_pool", "worker pool")])
def test_an_address_where_nothing_answers(server, folders, monkeypatch, field, kind):
    monkeypatch.setattr(reach, "SECONDS_TO_ANSWER", 0.5)
    config = BeamConfig(**{**vars(server[1]), field: f"localhost:{free_port()}"})
    with pytest.raises(InputError, match=rf"no Beam {kind} answers at localhost:\d+ \(beam.{field}\)"):
        check_engine(config, str(folders[0]), folders[1])
    assert not list(folders[1].iterdir())


def test_a_failure_on_the_engine_is_one_line(server):
    pipeline = beam.Pipeline(options=PipelineOptions(beam_args(server[1])))
    _ = pipeline | beam.Create([0]) | beam.Map(lambda n: 1 // n)
    with pytest.raises(MachineFault, match=rf"^the engine at {server[1].job_server}: ZeroDivisionError: ") as fault:
        pipeline.run().wait_until_finish()
    assert "\n" not in str(fault.value)


def test_a_job_server_that_is_gone():
    config = BeamConfig(engine="portable", job_server=f"localhost:{free_port()}")
    pipeline = beam.Pipeline(options=PipelineOptions([*beam_args(config), "--job_server_timeout=2"]))
    _ = pipeline | beam.Create([0])
    with pytest.raises(MachineFault, match=f"the Beam job server at {config.job_server} went away: .*; start it, and run again$"):
        pipeline.run()


def test_a_worker_pool_that_is_gone_too():
    config = BeamConfig(engine="portable", job_server=f"localhost:{free_port()}", worker_pool=f"localhost:{free_port()}")
    pipeline = beam.Pipeline(options=PipelineOptions([*beam_args(config), "--job_server_timeout=2"]))
    _ = pipeline | beam.Create([0])
    with pytest.raises(
        MachineFault, match=f"^no worker pool answers at {config.worker_pool}, and the job server.*start both"
    ) as fault:
        pipeline.run()
    assert len(str(fault.value)) < 200


class Waiting(beam.DoFn):
    """Waits until the test has seen what became of the job."""

    started, ended = threading.Event(), threading.Event()

    def process(self, _):
        self.started.set()
        self.ended.wait(60)


@pytest.fixture
def heeded():
    """Ctrl-C raises, also where whatever started the tests has it ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("heeded")
def test_ctrl_c_cancels_the_job(server):
    service, config = server

    def interrupt():
        Waiting.started.wait(60)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt).start()
    with pytest.raises(KeyboardInterrupt), beam.Pipeline(options=PipelineOptions(beam_args(config))) as pipeline:
        _ = pipeline | beam.Create([0]) | beam.ParDo(Waiting())
    states = [job.state for job in service._jobs.values()]
    Waiting.ended.set()
    assert states and states[0] in (beam_job_api_pb2.JobState.CANCELLING, beam_job_api_pb2.JobState.CANCELLED)
