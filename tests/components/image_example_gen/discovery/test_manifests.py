"""Manifests and label files."""

from __future__ import annotations

import functools
import http.server
import json
import shutil
import threading
import zipfile

import numpy as np
import pytest

from common.errors import InputError
from components.image_example_gen.config import DataConfig
from components.image_example_gen.discovery.find import find_sources
from components.image_example_gen.discovery.manifests import Row, read_manifest
from components.image_example_gen.storage import plain
from tests.components.image_example_gen.ingestion import encode, ingest, picture, write_pictures

ROWS = [Row("a/1.png", "cat", "train"), Row("b,2.png", "", None), Row("s3://bucket/ü.png", "dog", "eval")]


@pytest.mark.parametrize(
    "name, text",
    [
        ("m.csv", 'path,label,split\na/1.png,cat,train\n"b,2.png",,\ns3://bucket/ü.png,dog,val\n'),
        ("m.csv", '\ufeffURI,Class,Set,more\r\na/1.png,cat,TRAIN,x\r\n"b,2.png",,,\r\ns3://bucket/ü.png,dog,validation,\r\n'),
        ("m.tsv", "split\tfilename\tlabel\ntrain\ta/1.png\tcat\n\tb,2.png\t\neval\ts3://bucket/ü.png\tdog\n"),
        (
            "m.jsonl",
            '{"path": "a/1.png", "label": "cat", "split": "train"}\n\n{"file": "b,2.png"}\n'
            '{"uri": "s3://bucket/\\u00fc.png", "label": "dog", "split": "val", "size": 7}\n',
        ),
    ],
)
def test_tables_in_all_their_spellings(tmp_path, name, text):
    (tmp_path / name).write_text(text, encoding="utf-8")
    assert list(read_manifest(str(tmp_path / name))) == ROWS


@pytest.mark.parametrize(
    "name, text, reason",
    [
        ("m.csv", "name,label\n1.png,cat\n", "has no column path (or url, file"),
        ("m.csv", "", "it has none"),
        ("m.csv", "path,split\n1.png,train\n2.png,holdout\n", "line 3: the split 'holdout' is not train, eval (or val) or test"),
        ("m.csv", "path,label\n,cat\n", "line 2, names no picture"),
        ("m.jsonl", '{"path": "1.png"}\n{"path"\n', "line 2, is not JSON"),
        ("m.jsonl", '["1.png"]\n', "line 1, is no JSON object"),
        ("m.jsonl", '{"label": "cat"}\n', "line 1, has no column path"),
        ("m.csv", b"path\n\xff\xfe.png\n", "is not UTF-8 text"),
    ],
)
def test_mistakes_with_their_lines(tmp_path, name, text, reason):
    (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(InputError) as caught:
        list(read_manifest(str(tmp_path / name)))
    assert reason in str(caught.value) and "\n" not in str(caught.value)


def test_no_manifest(tmp_path):
    with pytest.raises(InputError, match="cannot be read: No such file"):
        list(read_manifest(str(tmp_path / "m.csv")))


def test_pictures_by_manifest(tmp_path):
    write_pictures(tmp_path / "in", 40)
    lines = [
        {"path": f"{i:04d}.png", "label": "even" if i % 2 == 0 else "odd", "split": "test" if i < 6 else ""} for i in range(30)
    ]
    lines += [{"path": str(tmp_path / "in/0035.png")}, {"path": "gone.png", "label": "even"}]
    manifest = tmp_path / "in/list.jsonl"
    manifest.write_text("".join(json.dumps(line) + "\n" for line in lines))
    result = ingest(manifest, tmp_path / "out")
    assert result.rejects == {"gone.png": "the file is gone, or a link that leads nowhere"}
    assert result.summary["labels"]["test"] == {"even": 3, "odd": 3} and len(result.examples()) == 31
    before = find_sources(str(manifest)).fingerprint
    (tmp_path / "in/0003.png").write_bytes(b"")
    assert find_sources(str(manifest)).fingerprint != before


def test_labels_from_a_file_beside_the_pictures(tmp_path):
    write_pictures(tmp_path / "in/some", 20)
    write_pictures(tmp_path / "in/more", 10, 20)
    rows = "".join(f"some/{i:04d}.png,{'cat' if i < 9 else 'dog'},{'test' if i < 4 else ''}\n" for i in range(20))
    (tmp_path / "in/labels.csv").write_text(f"file,label,split\n{rows}")
    config = DataConfig(label_file="labels.csv", pictures_per_shard=7)
    result = ingest(tmp_path / "in", tmp_path / "out", config)
    labels = {path: found["image/label"] for path, found in result.examples().items()}
    assert labels["some/0003.png"] == b"cat" and labels["some/0012.png"] == b"dog" and labels["more/0025.png"] == b""
    assert result.summary["pictures"]["test"] == 4
    before = find_sources(str(tmp_path / "in"), config).fingerprint
    (tmp_path / "in/labels.csv").write_text(f"file,label,split\n{rows.replace('dog', 'fox')}")
    assert find_sources(str(tmp_path / "in"), config).fingerprint != before


def labelled(folder, out, rows: str, **options) -> tuple[dict[str, str], object]:
    (folder / "labels.csv").write_text(f"path,label\n{rows}")
    result = ingest(folder, out, DataConfig(label_file="labels.csv", keep_duplicates=True, eval_share=0.3, **options))
    return {path: found["image/label"].decode() for path, found in result.examples().items()}, result


def test_paths_of_a_label_file_may_be_written_as_people_write_them(tmp_path):
    folder = write_pictures(tmp_path / "in", 20)
    rows = "".join(f"./{i:04d}.png,cat\n" for i in range(5))
    rows += "".join(f"{folder}/{i:04d}.png,dog\n" for i in range(5, 10))
    rows += "".join(f"file://{folder}/sub/../{i:04d}.png,owl\n" for i in range(10, 20))
    labels, _ = labelled(folder, tmp_path / "out", rows)
    assert labels == {f"{i:04d}.png": "cat" if i < 5 else "dog" if i < 10 else "owl" for i in range(20)}


def test_a_label_file_names_what_is_in_archives(tmp_path):
    pictures = write_pictures(tmp_path / "pictures", 30)
    folder = write_pictures(tmp_path / "in", 10, 50)
    with zipfile.ZipFile(folder / "some.zip", "w") as archive:
        for path in sorted(pictures.iterdir()):
            archive.write(path, f"cats/{path.name}")
    rows = "some.zip/cats/0003.png,dog\n0055.png,owl\nsome.zip/cats/9999.png,fox\nelsewhere.png,fox\n"
    labels, result = labelled(folder, tmp_path / "out", rows)
    assert {path: label for path, label in labels.items() if label} == {"some.zip/cats/0003.png": "dog", "0055.png": "owl"}
    assert result.summary["labelled_but_missing"] == 2

    (folder / "labels.csv").write_text("path,label\ncats/0004.png,cat\nsome.zip/cats/0005.png,dog\n")
    alone = ingest(folder / "some.zip", tmp_path / "alone", DataConfig(label_file="labels.csv"))
    labels = {path: found["image/label"].decode() for path, found in alone.examples().items()}
    assert labels["some.zip/cats/0004.png"] == "cat" and labels["some.zip/cats/0005.png"] == "dog"


def test_a_label_file_that_names_no_picture_is_a_mistake(tmp_path):
    folder = write_pictures(tmp_path / "in", 20)
    with pytest.raises(InputError, match="labels.csv names none of the pictures in .*relative to that folder, such as 00"):
        labelled(folder, tmp_path / "out", "in/0001.png,cat\n")


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *arguments):
        pass


@pytest.fixture
def web(tmp_path):
    """A web server for the folder `web`."""
    (tmp_path / "web").mkdir()
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(tmp_path / "web"))) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_manifest_on_the_web_and_its_pictures(tmp_path, web):
    write_pictures(tmp_path / "web/p", 30)
    lines = ["p/gone.png,", f"{web}/p/0029.png,there", "/etc/hostname,", "../../secret.png,"]
    lines += [f"p/{i:04d}.png,{'cat' if i % 2 else 'dog'}" for i in range(29)]
    (tmp_path / "web/list.csv").write_text("\n".join(["path,label", *lines]) + "\n")
    result = ingest(f"{web}/list.csv", tmp_path / "out")
    assert len(result.examples()) == 30
    assert result.examples()[f"{web}/p/0029.png"]["image/label"] == b"there"
    assert result.rejects == {
        "p/gone.png": "the file is gone, or a link that leads nowhere",
        "/etc/hostname": "a file of this machine, named by a manifest from elsewhere",
        "../../secret.png": "its path leads out of the manifest's folder",
    }


def test_archives_and_arrays_on_the_web(tmp_path, web):
    pictures = [picture(seed) for seed in range(60)]
    with zipfile.ZipFile(tmp_path / "web/a.zip", "w") as archive:
        for number, levels in enumerate(pictures):
            archive.writestr(f"{'cat' if number % 2 else 'dog'}/{number}.png", encode(levels))
    shutil.copy(tmp_path / "web/a.zip", tmp_path / "here.zip")
    np.savez(tmp_path / "web/a.npz", x_train=np.stack(pictures), y_train=np.arange(60) % 2)
    there = ingest(f"{web}/a.zip", tmp_path / "zip")
    here = ingest(tmp_path / "here.zip", tmp_path / "here")
    labels = [sorted(found["image/label"] for found in result.examples().values()) for result in (here, there)]
    assert labels[0] == labels[1] and len(labels[0]) == 60
    assert len(ingest(f"{web}/a.npz", tmp_path / "npz").examples()) == 60


@pytest.mark.parametrize(
    "path, words",
    [
        ("gone.zip", "gone.zip cannot be reached: there is no such file"),
        ("", "is no archive, array or manifest, and the web cannot be listed: give a manifest"),
        ("train-images-idx3-ubyte", "and the web cannot be listed: give a manifest"),
    ],
)
def test_what_of_the_web_cannot_be_read(web, path, words):
    with pytest.raises(InputError, match=words):
        find_sources(f"{web}/{path}")


def test_a_manifest_that_the_web_does_not_have(web):
    with pytest.raises(InputError, match="list.csv cannot be read: No such file"):
        find_sources(f"{web}/list.csv")


def test_hosts_with_letters_outside_ascii():
    for url, expected in (
        ("http://b\u00fccher.de:80/\u00e4 b.png?x=1", "http://xn--bcher-kva.de:80/%C3%A4%20b.png?x=1"),
        ("https://me@b\u00fccher.de/x", "https://me@xn--bcher-kva.de/x"),
    ):
        assert plain.quoted(url) == expected
    with pytest.raises(InputError, match="no address on the web"):
        find_sources("http://a..\u00fc/list.csv")


@pytest.mark.parametrize("text", ['"la\nbel",split\n', "a" * 5000 + ",b\n", "path,split\nx.png," + "z" * 5000])
def test_what_is_cited_of_a_table_is_short_and_in_one_line(tmp_path, text):
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(InputError) as raised:
        list(read_manifest(str(tmp_path / "a.csv")))
    assert str(raised.value).isprintable() and len(str(raised.value)) < 200 + len(str(tmp_path))
