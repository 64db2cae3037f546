"""From records to batches."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_transform as tft

import trainer.data
from tests.trainer.tiny import PREPROCESSING, encode, example, make_vae, noise, transform_graph, write_examples, write_records
from trainer.config import PreprocessingConfig
from trainer.data import Pictures, label_indices, list_records, parse_examples, pixel_graph, read_examples
from trainer.export import Servable
from trainer.preprocessing import decode_levels


@pytest.fixture
def numbered() -> Pictures:
    """Pictures of 1x1 whose levels say which they are, and their labels as well."""
    return Pictures(np.arange(53, dtype=np.uint8).reshape(53, 1, 1, 1), np.arange(53, dtype=np.int32) + 100)


def epochs(pictures: Pictures, count: int, batch_size: int = 8, **options: int) -> list[list[np.ndarray]]:
    """The batches of the first epochs, as numbers; each picture has come with its own label."""
    steps = -(-len(pictures) // batch_size)
    batches = list(islice(pictures.shuffled(batch_size, **options).as_numpy_iterator(), count * steps))
    numbers = [levels.ravel() for levels, _, _ in batches]
    for found, (_, labels, places) in zip(numbers, batches):
        np.testing.assert_array_equal(places, range(len(labels)))
        np.testing.assert_array_equal(labels, found.astype(int) + 100)
    return [numbers[start : start + steps] for start in range(0, count * steps, steps)]


def test_each_picture_comes_exactly_once_an_epoch(numbered: Pictures) -> None:
    for epoch in epochs(numbered, 3, seed=0):
        assert [len(batch) for batch in epoch] == [8] * 6 + [5]
        assert sorted(np.concatenate(epoch)) == list(range(53))


def test_each_epoch_has_another_order_and_other_batches(numbered: Pictures) -> None:
    found = epochs(numbered, 3, seed=0)
    assert len({tuple(np.concatenate(epoch)) for epoch in found}) == 3
    together = [{frozenset(batch) for batch in epoch} for epoch in found]
    assert not together[0] & together[1]
    assert np.concatenate(found[0]).tolist() != list(range(53))


def test_the_seed_decides_the_order(numbered: Pictures) -> None:
    def orders(**options: int) -> list[list[int]]:
        return [np.concatenate(epoch).tolist() for epoch in epochs(numbered, 2, **options)]

    assert orders(seed=3) == orders(seed=3)
    assert orders(seed=3) != orders(seed=4)


@pytest.mark.parametrize("block", [1, 30, 10_000], ids=lambda block: f"{block} bytes")
def test_how_many_are_handed_over_at_once_changes_nothing(numbered: Pictures, monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    expected = epochs(numbered, 2, seed=3)
    monkeypatch.setattr(trainer.data, "BLOCK_BYTES", block)
    for found, wanted in zip(epochs(numbered, 2, seed=3), expected):
        assert [batch.tolist() for batch in found] == [batch.tolist() for batch in wanted]


def test_batches_in_order(numbered: Pictures) -> None:
    batches = list(numbered.in_order(20))
    assert [len(levels) for levels, _ in batches] == [20, 20, 13]
    np.testing.assert_array_equal(np.concatenate([levels for levels, _ in batches]), numbered.levels)
    np.testing.assert_array_equal(np.concatenate([labels for _, labels in batches]), numbered.labels)


def test_pictures_without_labels_are_unlabelled() -> None:
    ((_, labels),) = Pictures(noise(0, 5, 2, 2, 1)).in_order(10)
    assert labels.dtype == np.int32 and labels.tolist() == [-1] * 5


def test_moments_are_numpys() -> None:
    levels = noise(0, 5000, 3, 2, 3)  # more than are summed at once
    levels[:, 0, 0, 0] = 77
    mean, deviation = Pictures(levels).moments()
    assert mean.dtype == deviation.dtype == np.float32 and mean.shape == deviation.shape == (3, 2, 3)
    np.testing.assert_allclose(mean, levels.astype(float).mean(axis=0) / 255, rtol=1e-6)
    np.testing.assert_allclose(deviation, levels.astype(float).std(axis=0) / 255, rtol=1e-5, atol=1e-7)
    assert deviation[0, 0, 0] < 1e-6, "a value that never changes"
    white, nothing = Pictures(np.full((4100, 1, 1, 1), 255, np.uint8)).moments()
    assert (white == 1.0).all() and (nothing == 0.0).all()


def test_some_are_a_choice_without_repetition(numbered: Pictures) -> None:
    some, labels = numbered.some(20, seed=0)
    assert labels.shape == (20,)
    assert some.dtype == np.float32 and some.shape == (20, 1, 1, 1)
    numbers = np.round(some.ravel() * 255).astype(int).tolist()
    assert len(set(numbers)) == 20 and set(numbers) <= set(range(53)) and numbers != list(range(20))
    np.testing.assert_array_equal(numbered.some(20, seed=0)[0], some)
    assert not np.array_equal(numbered.some(20, seed=1)[0], some)
    assert len(numbered.some(500, seed=0)[0]) == 53


def test_labels_are_known_by_their_place_in_the_list() -> None:
    names = tf.constant(["b", "", "a", "c", "a", "aa", "ä"])
    assert label_indices(names, ["a", "b", "ä"]).numpy().tolist() == [1, -1, 0, -1, 0, -1, 2]
    assert label_indices(names, []).numpy().tolist() == [-1] * 7
    assert label_indices(names[:0], ["a"]).shape == (0,)
    assert label_indices(names, ["a"]).dtype == tf.int32


def test_examples_have_labels_or_none() -> None:
    encoded, labels = parse_examples(tf.constant([example(b"\x89P", "täglich"), example(b"", None), example(b"x", "")]))
    assert encoded.numpy().tolist() == [b"\x89P", b"", b"x"]
    assert labels.numpy().tolist() == ["täglich".encode(), b"", b""]


def test_decoding_is_what_the_pixel_graph_does(
    tmp_path: Path, graph: tft.TFTransformOutput, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trainer.data, "READ_BATCH", 4)
    encoded = [encode(noise(seed, 6 + seed % 7, 5 + seed % 5, 1 + seed % 4)) for seed in range(43)]
    encoded[0] = encode(noise(0, 1500, 1500, 3))  # takes longest, and is the first all the same
    names = [("lying", "upright", "", "other")[index % 4] for index in range(43)]
    write_examples(tmp_path / "examples", {"train": encoded}, {"train": names})
    pattern = str(tmp_path / "examples" / "Split-train" / "*")
    pictures = Pictures.decode("train", [pattern], graph, tmp_path / "pixels", ["lying", "upright"])
    assert len(pictures) == len(encoded) and pictures.levels.dtype == np.uint8
    assert isinstance(pictures.levels, np.memmap), "on disk, without a budget"
    few = Pictures.decode("train", [pattern], graph, tmp_path / "few", ["lying", "upright"], memory_megabytes=1)
    assert not isinstance(few.levels, np.memmap) and not list((tmp_path / "few").iterdir())
    np.testing.assert_array_equal(few.levels, pictures.levels)
    direct = [decode_levels(tf.constant(content), PREPROCESSING).numpy() for content in encoded]
    np.testing.assert_array_equal(pictures.levels, direct)
    assert pictures.labels.dtype == np.int32
    assert pictures.labels.tolist() == [(0, 1, -1, -1)[index % 4] for index in range(43)]
    levels, labels = next(pictures.in_order(10))
    np.testing.assert_array_equal(levels, direct[:10])
    np.testing.assert_array_equal(labels, pictures.labels[:10])


def test_files_are_read_in_the_order_of_their_names(tmp_path: Path) -> None:
    for number in (2, 0, 1):
        write_records(tmp_path / str(number % 2) / f"part-{number}.gz", [b"%d-%d" % (number, k) for k in range(3)])
    files = list_records([str(tmp_path / "1" / "*"), str(tmp_path / "0" / "*")])
    assert [Path(file).name for file in files] == ["part-0.gz", "part-2.gz", "part-1.gz"]
    found = [content for batch, _ in read_examples(files) for content in batch.numpy()]
    assert found == [b"%d-%d" % (number, k) for number in (0, 2, 1) for k in range(3)]


def test_no_records_are_told_with_where_they_were_looked_for(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="Split-eval"):
        list_records([str(tmp_path / "Split-eval" / "*")])


def test_16_bits_stay_16_bits_on_their_way_to_the_model(tmp_path: Path) -> None:
    config = PreprocessingConfig(8, 8, 1, depth=16)
    graph = transform_graph(tmp_path, config)
    rng = np.random.default_rng(0)
    encoded = [tf.io.encode_png(rng.integers(0, 65536, (8, 8, 1), np.uint16)).numpy() for _ in range(30)]
    write_examples(tmp_path / "examples", {"train": encoded}, {"train": ["a"] * 30})
    pattern = str(tmp_path / "examples" / "Split-train" / "*")
    direct = np.stack([decode_levels(tf.constant(content), config).numpy() for content in encoded])
    for memory in (0, 100):
        pictures = Pictures.decode("train", [pattern], graph, tmp_path / "pixels", memory_megabytes=memory, depth=16)
        assert pictures.levels.dtype == np.uint16 and pictures.white == 65535
        np.testing.assert_array_equal(pictures.levels, direct)
    mean, deviation = pictures.moments()
    np.testing.assert_allclose(mean, (direct / 65535).mean(axis=0), atol=1e-6)
    np.testing.assert_allclose(deviation, (direct / 65535).std(axis=0), atol=1e-6)
    some, _ = pictures.some(5, 0)
    assert some.dtype == np.float32 and all((np.abs(one - direct / 65535) < 1e-7).all(axis=(1, 2, 3)).any() for one in some)
    levels, _, _ = next(iter(pictures.shuffled(30, 0)))
    assert levels.dtype == tf.uint16
    np.testing.assert_array_equal(np.sort(levels, axis=0), np.sort(direct, axis=0))
    vae = make_vae((8, 8, 1))
    servable = Servable(vae, pixel_graph(graph), 5, depth=16)
    seen = vae.encode(vae.observe(tf.constant(direct)))[0]
    np.testing.assert_allclose(servable.encode(tf.constant(encoded))["mean"], seen, rtol=1e-5, atol=1e-6)
    assert servable.decode(tf.zeros([1, vae.latent_dim]))["images"].dtype == tf.uint8
