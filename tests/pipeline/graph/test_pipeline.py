"""The graph: what it is made of, and what waits for what."""

import pytest
from tfx.dsl.compiler.compiler import Compiler

from pipeline.config.loading import build_config
from pipeline.graph.environments import Local
from pipeline.graph.pipeline import create_pipeline


def graph(**values):
    config = build_config(values)
    return create_pipeline(name="n", root="r", images="i", environment=Local("s"), push_to="p", config=config)


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


def test_what_pictures_are_compared_by_knows_no_model():
    made = nodes(graph())
    assert "Trainer" not in upstream(made["FeatureExtractor"])
    assert {"FeatureExtractor", "Trainer"} <= upstream(made["SampleQuality"])
    assert "SampleQuality" in upstream(made["Report"])
    others = nodes(graph(model={"latent_dim": 5}, training={"seed": 3}))
    assert str(made["FeatureExtractor"].exec_properties) == str(others["FeatureExtractor"].exec_properties)


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
        ({"tuning": {"pictures": 7}}, {"Report"}),
        ({"preprocessing": {"height": 7}}, {"Transform", "Trainer", "Report"}),
        ({"data": {"eval_share": 0.2}}, {"ImageExampleGen", "Report"}),
        ({"data": {"max_megapixels": 3}}, {"ImageExampleGen", "Report"}),
        ({"data": {"icc": "ignore"}}, {"ImageExampleGen", "Trainer", "Report"}),
        ({"data": {"levels": 1}}, {"ImageExampleGen", "Trainer", "Report"}),
        ({"data": {"depth": 16}}, {"ImageExampleGen", "Transform", "Trainer", "Report"}),
        ({"evaluation": {"max_drop": 9.0}}, {"Evaluator", "ModelGate", "Report"}),
        ({"evaluation": {"max_copies": 0.3, "min_coverage": None}}, {"ModelGate", "Report"}),
    ],
)
def test_a_change_reaches_the_parameters_of_what_it_concerns(change, missed):
    before, after = nodes(graph()), nodes(graph(**change))
    differ = {n for n in before if str(before[n].exec_properties) != str(after[n].exec_properties)}
    assert differ - {"LastModel"} == missed


def test_a_search_is_made_where_the_configuration_asks_for_one():
    without, searched = nodes(graph()), nodes(graph(tuning={"trials": 3}))
    assert set(searched) - set(without) == {"Tuner"}
    assert "DataGate" in upstream(searched["Tuner"])
    assert {"Tuner"} <= upstream(searched["Trainer"]) & upstream(searched["Report"])
    handed = searched["Tuner"].outputs["best_hyperparameters"]
    assert searched["Trainer"].inputs["hyperparameters"] is handed and "hyperparameters" not in without["Trainer"].inputs
    ir = Compiler().compile(graph(tuning={"trials": 3}))
    assert all(n.pipeline_node.execution_options.caching_options.enable_cache for n in ir.nodes)


@pytest.mark.parametrize(
    ("change", "missed"),
    [({"tuning": {"trials": 2}}, {"Tuner", "Report"}), ({"training": {"epochs": 7}}, {"Tuner", "Trainer", "Report"})],
)
def test_a_change_reaches_the_parameters_of_the_search(change, missed):
    before, after = (nodes(graph(**{"tuning": {"trials": 3}, **values})) for values in ({}, change))
    assert {n for n in before if str(before[n].exec_properties) != str(after[n].exec_properties)} == missed


def test_infra_validator_can_take_the_place_of_the_serving_check():
    made = nodes(graph(serving_check={"kind": "infra_validator", "tensorflow_serving_tag": "2.18.0"}))
    assert "ServingCheck" not in made
    assert "InfraValidator" in upstream(made["Pusher"])
    assert "2.18.0" in str(made["InfraValidator"].exec_properties)


def test_without_test_pictures_the_evaluator_takes_those_of_eval():
    assert "eval" in nodes(graph(data={"test_share": 0}))["Evaluator"].exec_properties["example_splits"]
    assert "test" in nodes(graph())["Evaluator"].exec_properties["example_splits"]


def test_what_counts_is_the_model_gates_blessing():
    made = nodes(graph())
    for user, key in (("Pusher", "model_blessing"), ("Report", "blessing")):
        assert made[user].inputs[key].producer_component_id == "ModelGate"
    assert {"Evaluator", "ForcedBlessing"} <= upstream(made["ModelGate"])


def test_new_pictures_are_measured_beside_those_of_the_last_model_before_the_gate_judges_them():
    made = nodes(graph())
    assert "SampleQuality" in upstream(made["ModelGate"]) and "SampleQuality" not in upstream(made["Evaluator"])
    assert made["SampleQuality"].inputs["baseline_model"] is made["Evaluator"].inputs["baseline_model"]
    assert made["ModelGate"].inputs["quality"].producer_component_id == "SampleQuality"
    order = list(made)
    assert order.index("LastModel") < order.index("SampleQuality") < order.index("ModelGate")


def test_who_asks_for_a_blessing_reaches_the_model_gate_only():
    config = build_config({})
    arguments = {"name": "n", "root": "r", "images": "i", "environment": Local("s"), "push_to": "p", "config": config}
    before, after = (nodes(create_pipeline(**arguments, **more)) for more in ({}, {"bless_who": "ada@host", "bless_why": "w"}))
    assert [n for n in before if str(before[n].exec_properties) != str(after[n].exec_properties)] == ["ModelGate"]
