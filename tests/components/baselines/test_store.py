"""Numbered folders, on this machine and in a store."""

from __future__ import annotations

import pytest

from components.baselines import store
from tests.emulators.s3 import s3_server


@pytest.fixture(params=["here", "s3"])
def base(request, tmp_path, monkeypatch):
    """A place for numbered folders."""
    if request.param == "here":
        yield str(tmp_path / "base")
        return
    with s3_server("bucket") as (_, environment):
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        store_clients_forgotten()
        yield f"s3://bucket/{tmp_path.name}"  # all of moto's servers in a process share what they hold
    store_clients_forgotten()


def store_clients_forgotten() -> None:
    from components.image_example_gen.storage import stores

    stores._CLIENTS.__dict__.clear()
    stores._check_bucket.cache_clear()


@pytest.fixture()
def model(tmp_path):
    folder = tmp_path / "model"
    (folder / "variables").mkdir(parents=True)
    (folder / "saved_model.pb").write_bytes(b"graph")
    (folder / "variables" / "data").write_bytes(bytes(range(256)))
    (folder / "assets").write_bytes(b"")
    return folder


def test_what_is_added_comes_back_as_it_was(base, model, tmp_path):
    assert store.numbers(base) == [] and list(store.newest_first(base)) == []
    assert store.add(str(model), base) == 1
    store.download(f"{base}/1", str(tmp_path / "back"))
    assert store.same(str(tmp_path / "back"), f"{base}/1") and store.list_tree(str(tmp_path / "back")) == store.list_tree(
        str(model)
    )


def test_the_same_is_not_added_twice_and_something_else_is(base, model):
    assert store.add(str(model), base) == store.add(str(model), base) == 1
    (model / "variables" / "data").write_bytes(b"other")
    assert store.add(str(model), base) == 2 and store.numbers(base) == [1, 2]
    assert [number for number, _ in store.newest_first(base)] == [2, 1]


def test_what_was_begun_and_not_ended_is_no_version_and_its_number_is_not_used_again(base, model):
    store.write(f"{base}/7/variables/data", b"half")
    assert store.numbers(base) == []
    assert store.add(str(model), base) == 8 and store.numbers(base) == [8]


def test_a_folder_that_is_no_model_is_complete_once_it_says_so(base, tmp_path):
    (tmp_path / "statistics").mkdir()
    (tmp_path / "statistics" / "a.pb").write_bytes(b"1")
    assert store.add(str(tmp_path / "statistics"), base) == 1 and store.numbers(base) == [1]
    store.download(f"{base}/1", str(tmp_path / "back"))
    assert store.list_tree(str(tmp_path / "back")) == ["a.pb"]
    assert store.add(str(tmp_path / "statistics"), base) == 1
