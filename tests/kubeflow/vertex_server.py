"""A stand-in for Vertex AI's services, which google-cloud-aiplatform's own client reaches by gRPC: it keeps jobs and schedules.

What it shows is that the library can be used as it is, and what it sends. It is no judge of what Vertex AI would say.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from concurrent import futures
from dataclasses import dataclass, field
from typing import Any


@dataclass
class VertexServer:
    """What it knows, and what it is to fail in: (method, whether after the work, gRPC's name of the status)."""

    jobs: dict[str, Any] = field(default_factory=dict)
    schedules: dict[str, Any] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    faults: list[tuple[str, bool, str]] = field(default_factory=list)
    born: str = "ACTIVE"
    job_states: list[str] = field(default_factory=lambda: ["PIPELINE_STATE_SUCCEEDED"])
    clock: int = 0

    def fail(self, method: str, status: str = "UNAVAILABLE", times: int = 1, *, after: bool = False) -> None:
        """Tells it to fail."""
        self.faults += [(method, after, status)] * times


@contextlib.contextmanager
def vertex_server(monkeypatch: Any) -> Iterator[VertexServer]:
    """The stand-in, to which the library's clients are led; with credentials of nobody, and without buckets."""
    import google.auth
    import grpc
    from google.auth.credentials import AnonymousCredentials
    from google.cloud import aiplatform
    from google.cloud.aiplatform.utils import gcs_utils

    state = VertexServer()
    server = grpc.server(futures.ThreadPoolExecutor(2), handlers=list(_handlers(state)))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    channel = grpc.insecure_channel(f"127.0.0.1:{port}")
    monkeypatch.setattr(google.auth, "default", lambda *_, **__: (AnonymousCredentials(), "somebodys-project"))
    monkeypatch.setattr(gcs_utils, "create_gcs_bucket_for_pipeline_artifacts_if_it_does_not_exist", lambda **_: None)
    monkeypatch.setattr(
        aiplatform.initializer.global_config,
        "create_client",
        lambda client_class, **_: _client(client_class, channel),
        raising=True,
    )
    try:
        yield state
    finally:
        channel.close()
        server.stop(None).wait(10)
    assert not state.faults, state.faults


def _client(client_class: Any, channel: Any) -> Any:
    """The library's own client, over a channel to the stand-in."""
    real = client_class._version_map[0][1]
    return real(transport=real.get_transport_class("grpc")(channel=channel))


def _handlers(state: VertexServer) -> Iterator[Any]:
    import grpc
    from google.cloud.aiplatform_v1 import types
    from google.longrunning import operations_pb2
    from google.protobuf import any_pb2, empty_pb2

    def handler(name: str, work: Callable[[Any], Any], request: Any) -> Any:
        def serve(asked: Any, context: Any) -> Any:
            state.asked.append(name)
            _break(state, name, False, context)
            try:
                answer = work(asked)
            except KeyError as error:
                context.abort(grpc.StatusCode.NOT_FOUND, f"there is no {error}")
            except FileExistsError as error:
                context.abort(grpc.StatusCode.ALREADY_EXISTS, f"there is a {error}")
            _break(state, name, True, context)
            return answer

        def write(answer: Any) -> bytes:
            return answer.SerializeToString() if hasattr(answer, "SerializeToString") else type(answer).serialize(answer)

        return grpc.unary_unary_rpc_method_handler(serve, request.deserialize, write)

    def delete(asked: Any) -> Any:
        del state.schedules[asked.name]
        response = any_pb2.Any()
        response.Pack(empty_pb2.Empty())
        return operations_pb2.Operation(name="operations/1", done=True, response=response)

    def switch(word: str) -> Callable[[Any], Any]:
        def work(asked: Any) -> Any:
            state.schedules[asked.name].state = types.Schedule.State[word]
            return empty_pb2.Empty()

        return work

    jobs = {
        "CreatePipelineJob": (lambda asked: _create_job(state, asked), types.CreatePipelineJobRequest),
        "GetPipelineJob": (lambda asked: _get_job(state, asked), types.GetPipelineJobRequest),
    }
    schedules = {
        "CreateSchedule": (lambda asked: _create_schedule(state, asked), types.CreateScheduleRequest),
        "GetSchedule": (lambda asked: state.schedules[asked.name], types.GetScheduleRequest),
        "ListSchedules": (lambda asked: _list_schedules(state, asked), types.ListSchedulesRequest),
        "DeleteSchedule": (delete, types.DeleteScheduleRequest),
        "PauseSchedule": (switch("PAUSED"), types.PauseScheduleRequest),
        "ResumeSchedule": (switch("ACTIVE"), types.ResumeScheduleRequest),
    }
    for service, methods in (("PipelineService", jobs), ("ScheduleService", schedules)):
        known = {name: handler(name, *each) for name, each in methods.items()}
        yield grpc.method_handlers_generic_handler(f"google.cloud.aiplatform.v1.{service}", known)


def _break(state: VertexServer, name: str, after: bool, context: Any) -> None:
    import grpc

    for fault in state.faults:
        if fault[:2] == (name, after):
            state.faults.remove(fault)
            context.abort(grpc.StatusCode[fault[2]], "told to fail")


def _create_job(state: VertexServer, asked: Any) -> Any:
    name = f"{asked.parent}/pipelineJobs/{asked.pipeline_job_id}"
    if name in state.jobs:
        raise FileExistsError(name)
    asked.pipeline_job.name = name
    state.jobs[name] = asked.pipeline_job
    return asked.pipeline_job


def _get_job(state: VertexServer, asked: Any) -> Any:
    from google.cloud.aiplatform_v1 import types

    job = state.jobs[asked.name]
    job.state = types.PipelineState[state.job_states.pop(0) if len(state.job_states) > 1 else state.job_states[0]]
    return job


def _create_schedule(state: VertexServer, asked: Any) -> Any:
    from google.cloud.aiplatform_v1 import types
    from google.protobuf import timestamp_pb2

    state.clock += 1
    made = asked.schedule
    made.name = f"{asked.parent}/schedules/{state.clock}"
    made.create_time = timestamp_pb2.Timestamp(seconds=1_800_000_000 + state.clock)
    made.state = types.Schedule.State[state.born]
    state.schedules[made.name] = made
    return made


def _list_schedules(state: VertexServer, asked: Any) -> Any:
    from google.cloud.aiplatform_v1 import types

    wanted = asked.filter.removeprefix('display_name="').removesuffix('"')
    assert not asked.filter or asked.filter == f'display_name="{wanted}"'
    return types.ListSchedulesResponse(schedules=[each for each in state.schedules.values() if wanted in ("", each.display_name)])
