"""The graph: what it is made of, what waits for what, and by what models are blessed."""

import pytest
import tensorflow_model_analysis as tfma
from tensorflow_model_analysis.proto import config_pb2
from tfx.dsl.compiler.compiler import Compiler

from pipeline.config import EvaluationConfig, build_config
from pipeline.graph import create_pipeline, evaluation_config


def graph(**values):
    config = build_config(values)
    return create_pipeline(name="n", root="r", images="i", schema="s", push_to="p", config=config)


def nodes(pipeline):
    return {component.id: component for component in pipeline.components}


def upstream(component):
    found = set()
    for node in component.upstream_nodes:
        found |= {node.id} | upstream(node)
    return found


def test_nothing_is_trained_before_the_data_gate_and_nothing_pushed_before_both_others():
    made = nodes(graph())
    assert "DataGate" in upstream(made["Trainer"])
    assert {"Evaluator", "ServingCheck"} <= upstream(made["Pusher"])
    assert {"Pusher"} <= upstream(made["Report"])


def test_it_compiles_with_caching():
    ir = Compiler().compile(graph())
    assert all(n.pipeline_node.execution_options.caching_options.enable_cache for n in ir.nodes)


def test_nothing_is_materialised():
    transform = nodes(graph())["Transform"]
    assert "transformed_examples" not in transform.outputs
    assert transform.exec_properties["disable_statistics"] == 1


@pytest.mark.parametrize(
    ("change", "missed"),
    [
        ({}, set()),
        ({"training": {"epochs": 7}}, {"Trainer", "Report"}),
        ({"preprocessing": {"height": 7}}, {"Transform", "Trainer", "Report"}),
        ({"data": {"eval_share": 0.2}}, {"ImageExampleGen", "Report"}),
        ({"evaluation": {"max_drop": 9.0}}, {"Evaluator", "Report"}),
    ],
)
def test_a_change_reaches_the_parameters_of_what_it_concerns(change, missed):
    before, after = nodes(graph()), nodes(graph(**change))
    differ = {n for n in before if str(before[n].exec_properties) != str(after[n].exec_properties)}
    assert differ - {"LastModel"} == missed


def test_infra_validator_can_take_the_place_of_the_serving_check():
    made = nodes(graph(serving_check={"kind": "infra_validator", "tensorflow_serving_tag": "2.18.0"}))
    assert "ServingCheck" not in made
    assert "InfraValidator" in upstream(made["Pusher"])
    assert "2.18.0" in str(made["InfraValidator"].exec_properties)


def test_without_test_pictures_the_evaluator_takes_those_of_eval():
    assert "eval" in nodes(graph(data={"test_share": 0}))["Evaluator"].exec_properties["example_splits"]
    assert "test" in nodes(graph())["Evaluator"].exec_properties["example_splits"]


def test_thresholds_hold_for_the_pictures_as_a_whole_only():
    config = evaluation_config(EvaluationConfig(min_elbo=-300, min_gain=2, max_drop=0.5))
    found = {}
    for spec in config.metrics_specs:
        for metric in spec.metrics:
            for limited in metric.per_slice_thresholds:
                assert list(limited.slicing_specs) == [config_pb2.SlicingSpec()]
                found[spec.output_names[0]] = limited.threshold
    assert found["elbo"].value_threshold.lower_bound.value == -300
    assert found["elbo"].change_threshold.absolute.value == -0.5
    assert found["elbo"].change_threshold.direction == config_pb2.MetricDirection.HIGHER_IS_BETTER
    assert found["gain"].value_threshold.lower_bound.value == 2
    assert set(found) == {"elbo", "gain"}
    tfma.utils.verify_eval_config(config)
