import pytest
import yaml

from common.errors import InputError
from pipeline.config.loading import apply_overrides, build_config, load_values
from pipeline.config.schema import Config

SECRET = "hush-4711"


def notify(**values):
    return build_config({"notify": values}).notify


def test_nobody_is_told_where_nothing_is_set():
    built = build_config({}).notify
    assert (built.command, built.words, built.webhook, built.written_webhook) == (None, (), None, None)
    assert built.on == ("pushed", "refused", "failed", "invalid")


def test_a_command_is_a_list_or_split_like_a_shell_would():
    assert notify(command="mail -s 'a model' me").words == ("mail", "-s", "a model", "me")
    assert notify(command=["mail", "-s", "a model"]).words == ("mail", "-s", "a model")


@pytest.mark.parametrize(
    "command, words", [("", "no words"), ([], "no words"), ([""], "no words"), ("say 'a", "no closing quotation")]
)
def test_a_command_of_no_use(command, words):
    with pytest.raises(InputError, match=words):
        notify(command=command)


@pytest.mark.parametrize(
    "address", ["https://h.example/a", "https://h.example:8443", "http://localhost:1/x", "http://127.0.0.1/x", "${HOOK}"]
)
def test_addresses_that_may_be_posted_to(address):
    assert notify(webhook=address).webhook == address


@pytest.mark.parametrize(
    "address",
    [
        f"http://h.example/{SECRET}",
        f"http://localhost.h.example/{SECRET}",
        f"ftp://h.example/{SECRET}",
        f"https://user:{SECRET}@h.example/",
        f"https:///{SECRET}",
        f"https://h.example:{SECRET}/",
        f"https://h.example/a {SECRET}",
        f"{SECRET}",
        [f"https://h.example/{SECRET}"],
        {SECRET: 1},
    ],
)
def test_addresses_that_may_not_and_are_not_said(address):
    with pytest.raises(InputError, match="notify.webhook") as caught:
        notify(webhook=address)
    assert SECRET not in str(caught.value)


def test_an_interrupted_run_tells_nobody_and_an_outcome_that_there_is_not_is_a_mistake():
    for wrong in ("interrupted", "busy", "Failed"):
        with pytest.raises(InputError, match="notify.on"):
            notify(on=[wrong])
    assert notify(on=["failed"]).on == ("failed",)


def test_the_word_on_is_a_word_in_a_file(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text("notify:\n  on: [failed, refused]\n")
    assert build_config(load_values(path)).notify.on == ("failed", "refused")
    assert build_config(apply_overrides({}, ["notify.on=[failed]"])).notify.on == ("failed",)
    (tmp_path / "copy.yaml").write_text(build_config(load_values(path)).to_yaml())
    assert build_config(load_values(tmp_path / "copy.yaml")) == build_config(load_values(path))


@pytest.mark.parametrize(
    "address, written",
    [
        (f"https://h.example:8443/services/{SECRET}?key={SECRET}#{SECRET}", "https://h.example:8443"),
        (f"https://h.example/{SECRET}/${{HOOK}}", "https://h.example"),
        ("https://h.example/${TEAM}/${HOOK}", "https://h.example/${TEAM}/${HOOK}"),
        ("${HOOK}", "${HOOK}"),
        (f"${{HOST}}/{SECRET}", "${HOST}"),
    ],
)
def test_only_scheme_and_host_of_an_address_are_written_down(address, written):
    config = build_config({"notify": {"webhook": address}})
    assert yaml.safe_load(config.to_yaml())["notify"]["webhook"] == written
    assert SECRET not in config.to_yaml() + config.essence() + repr(config)


def test_who_is_told_is_no_part_of_what_a_run_is_about():
    notified = build_config({"notify": {"webhook": "${HOOK}", "on": ["failed"]}, "mlflow": {"tracking_uri": "runs"}})
    assert notified.essence() == Config().essence() and notified.to_yaml() != Config().to_yaml()
    assert build_config({"training": {"epochs": 3}}).essence() != Config().essence()


@pytest.mark.parametrize("uri", [f"http://me:{SECRET}@h.example", f"postgresql://me:{SECRET}@h/db"])
def test_a_password_for_mlflow_belongs_into_the_environment(uri):
    with pytest.raises(InputError, match="MLFLOW_TRACKING_PASSWORD") as caught:
        build_config({"mlflow": {"tracking_uri": uri}})
    assert SECRET not in str(caught.value)
    assert build_config({"mlflow": {"tracking_uri": uri.replace(SECRET, "${PW}")}}).mlflow.tracking_uri
