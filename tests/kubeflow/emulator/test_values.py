"""Values on their way through the emulated cluster."""

from __future__ import annotations

import pytest

from tests.kubeflow.emulator import server_yaml
from tests.kubeflow.emulator.compiler import load
from tests.kubeflow.emulator.pipelines import Built, constant
from tests.kubeflow.emulator.values import UNSET, Broken, converted, from_text, to_text
from tests.kubeflow.runner import Refused


@pytest.fixture
def cluster(tmp_path):
    return Built(tmp_path)


@pytest.mark.parametrize(
    ("value", "declared", "expected"),
    [
        ("a", "STRING", "a"),
        (5.0, "STRING", "5"),
        (1e-7, "STRING", "0.0000001"),
        (1e21, "STRING", "1" + "0" * 21),
        (True, "STRING", "true"),
        (None, "STRING", ""),
        (UNSET, "STRING", ""),
        (["<a>", 1.0, {"b": None, "a": False}], "STRING", '["\\u003ca\\u003e",1,{"a":false,"b":null}]'),
        ({"b": 1, "a": [1.5]}, "STRING", '{"a":[1.5],"b":1}'),
        (5.5, "NUMBER_INTEGER", 5.5),
        (True, "BOOLEAN", True),
        ([1], "LIST", [1]),
        ({"a": 1}, "STRUCT", {"a": 1}),
    ],
)
def test_parameters_become_what_is_declared(value, declared, expected):
    assert converted("p", value, declared) == expected


@pytest.mark.parametrize(
    ("value", "declared", "message"),
    [
        ("5", "NUMBER_INTEGER", "expect NUMBER_INTEGER, got string"),
        (1, "BOOLEAN", "got number"),
        (True, "NUMBER_DOUBLE", "got bool"),
        ([1], "STRUCT", "got list"),
        (None, "LIST", "got null for input parameter 'p'"),
        (UNSET, "NUMBER_INTEGER", "unknown protobuf.Value type"),
    ],
)
def test_parameters_of_another_type_fail_the_driver(value, declared, message, cluster):
    with pytest.raises(Broken, match=message):
        converted("p", value, declared)
    if value is not UNSET:
        cluster.add("A", parameters={"p": constant(value)}, declared={"p": {"parameterType": declared}})
        run = cluster.run()
        assert run["A"].state == run.state == "FAILED" and message in run["A"].said and not cluster.runs_of("A")


@pytest.mark.parametrize(
    ("text", "kind", "expected"),
    [("a ", "STRING", "a "), ("1.5", "NUMBER_DOUBLE", 1.5), ("T", "BOOLEAN", True), ('{"a": 1}', "STRUCT", {"a": 1})],
)
def test_texts_of_output_parameters(text, kind, expected):
    assert from_text(text, kind) == expected and from_text(to_text(expected), kind) == expected
    for broken, of_kind in (("1.5", "NUMBER_INTEGER"), ("yes", "BOOLEAN"), ("[1]", "STRUCT"), ("NaN", "LIST")):
        with pytest.raises(Broken):
            from_text(broken, of_kind)


@pytest.mark.parametrize(
    ("plain", "expected"),
    [
        *[(text, text) for text in ("e3", "on", "yes", "n", "1:30", "1e3x", "1e400", "_1", "0b12", "0o8", "tRUE", "Inf", "=")],
        *[("12e3", 12000), ("1.5E-3", 0.0015), ("1_e3", 1000), ("1_000", 1000), ("09", 9), ("08.5", 8.5), ("5.", 5), ("-.5", -0.5)],
        *[("017", 15), ("0o17", 15), ("0x1f", 31), ("-0b1", -1), ("0_7", 7), ("~", None), ("Null", None), ("TRUE", True)],
        *[("2024-1-2", "2024-01-02T00:00:00Z"), ("2024-01-02 10:00:00", "2024-01-02T10:00:00Z"), ("'12e3'", "12e3")],
    ],
)
def test_plain_scalars_as_the_server_reads_them(plain, expected):
    (document,) = server_yaml.documents(f"x: {plain}")
    assert document["x"] == expected and isinstance(document["x"], bool) == isinstance(expected, bool)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x: .inf", "unsupported value"),
        ("x: {1: a}", "the key 1 is not a string"),
        ("x: [", "unable to decode"),
        ("pipelineInfo: {name: p}", "no pipeline spec"),
        ("{pipelineInfo: {name: p}, root: {}, schemaVersion: 2.0.0}", "only supports schema version 2.1.0"),
        ("{pipelineInfo: {name: p}, root: {}}\n---\n{pipelineInfo: {name: p}, root: {}}", "multiple pipeline specs"),
    ],
)
def test_files_that_the_server_does_not_read(text, message):
    with pytest.raises(Refused, match=message):
        load(text)
