"""Which arguments make Beam run on which engine."""

import os

import pytest
from apache_beam.options.pipeline_options import DirectOptions, PipelineOptions, PortableOptions
from apache_beam.runners.runner import create_runner

from common.errors import InputError
from pipeline.config.beam import BeamConfig
from pipeline.config.loading import build_config
from pipeline.config.schema import Config
from pipeline.engines.arguments import LOCAL_BEAM, beam_args
from pipeline.engines.job_server import JobServerRunner

PORTABLE = BeamConfig(engine="portable", job_server="engine:8099")


def test_beam_runs_here_unless_told_otherwise():
    assert beam_args(BeamConfig()) == list(LOCAL_BEAM)
    assert beam_args(BeamConfig(), ["--setup_file=./setup.py"]) == [*LOCAL_BEAM, "--setup_file=./setup.py"]
    assert beam_args(BeamConfig(), ["--runner=FlinkRunner", "--x"]) == ["--runner=FlinkRunner", "--x"]
    assert beam_args(BeamConfig(arguments=("--runner=FlinkRunner",)), ["--x"]) == ["--runner=FlinkRunner", "--x"]


def test_several_processes():
    def direct(config):
        return PipelineOptions(beam_args(config)).view_as(DirectOptions)

    assert direct(BeamConfig()).direct_running_mode == "in_memory"
    assert direct(BeamConfig(engine="direct-mp", workers=3)).direct_running_mode == "multi_processing"
    assert direct(BeamConfig(engine="direct-mp", workers=3)).direct_num_workers == 3
    assert direct(BeamConfig(engine="direct-mp")).direct_num_workers == os.cpu_count()


def test_a_job_server_with_workers_in_this_process_and_in_a_pool():
    here = PipelineOptions(beam_args(PORTABLE)).view_as(PortableOptions)
    assert (here.job_endpoint, here.environment_type) == ("engine:8099", "LOOPBACK")
    pool = BeamConfig(engine="portable", job_server="engine:8099", worker_pool="localhost:50000", arguments=("--parallelism=8",))
    there = PipelineOptions(beam_args(pool, ["--x"])).view_as(PortableOptions)
    assert (there.environment_type, there.environment_config) == ("EXTERNAL", "localhost:50000")
    assert beam_args(pool, ["--x"])[-2:] == ["--parallelism=8", "--x"]


def test_beam_finds_the_runner_by_its_name():
    (name,) = (argument.partition("=")[2] for argument in beam_args(PORTABLE) if argument.startswith("--runner"))
    assert isinstance(create_runner(name), JobServerRunner)


@pytest.mark.parametrize("config", [PORTABLE, BeamConfig(engine="direct-mp")])
def test_two_runners_contradict_each_other(config):
    with pytest.raises(InputError, match=f"beam.engine: {config.engine} has its own runner"):
        beam_args(config, ["--runner=FlinkRunner"])


def test_the_engine_is_no_part_of_what_affects_the_results():
    config = build_config({"beam": {"engine": "portable", "job_server": "engine:8099"}})
    assert config.essence() == Config().essence() and config.to_yaml() != Config().to_yaml()


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"engine": "portable"}, ["beam", "needs beam.job_server"]),
        ({"engine": "flink"}, ["beam.engine", "'direct', 'direct-mp' or 'portable'", "'flink'"]),
        ({"job_server": "engine"}, ["beam.job_server", "HOST:PORT", "'engine'"]),
        ({"job_server": "http://engine:8099"}, ["beam.job_server", "HOST:PORT"]),
        ({"worker_pool": "engine:0"}, ["beam.worker_pool", "HOST:PORT"]),
        ({"worker_pool": "engine:65536"}, ["beam.worker_pool", "HOST:PORT"]),
        ({"workers": 0}, ["beam.workers", "greater than or equal to 1"]),
    ],
)
def test_settings_that_are_refused(values, words):
    with pytest.raises(InputError) as refusal:
        build_config({"beam": values})
    assert all(word in str(refusal.value) for word in words) and len(str(refusal.value)) < 200


@pytest.mark.parametrize("address", ["localhost:1", "10.0.0.1:65535", "[::1]:8099", "job-server.flink.svc:8099"])
def test_addresses(address):
    assert build_config({"beam": {"engine": "portable", "job_server": address}}).beam.job_server == address
