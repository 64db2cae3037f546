"""The page of the explorer as a file: what its policy allows, and how data is put into it."""

from __future__ import annotations

import base64
import hashlib
import html
import io
import json
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from serving.explorer import page
from serving.explorer.bundle import bundle
from serving.explorer.page import Explorer, HeldOut, render
from tests.project import ROOT
from tests.serving.explorer import tiny_program

HOSTILE = '</script><script>alert("1")</script>'
MODULES = ROOT / "serving" / "explorer" / "page"


def element(document: str, pattern: str) -> str:
    (content,) = re.findall(rf"<{pattern}>(.*?)</", document, re.DOTALL)
    return content


def made(**fields: object) -> str:
    program, weights = tiny_program.make()
    return render(Explorer(**{"title": "shapes", "program": program, "weights": weights, **fields}))


def held_out(count: int = 30) -> HeldOut:
    rng = np.random.default_rng(0)
    thumbnails = rng.integers(0, 256, (count, 6, 8, 3), np.uint8)
    return HeldOut(rng.standard_normal((count, 4)), [HOSTILE, "b", ""] * (count // 3), thumbnails)


def test_the_policy_allows_this_script_and_style_alone() -> None:
    document = made()
    policy = html.unescape(re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', document).group(1))
    rules = {rule.split()[0]: rule.split()[1:] for rule in policy.split("; ")}
    for name, content in (("script-src", element(document, 'script id="program"')), ("style-src", element(document, "style"))):
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert rules[name] == [f"'sha256-{digest}'"]
    assert rules["default-src"] == ["'none'"] and "connect-src" not in rules
    assert not re.search(r"""\s(?:src|href)=["'](?!data:)""", document.split('<script id="program">')[0])


def test_titles_and_labels_are_text() -> None:
    document = made(title=HOSTILE, held_out=held_out())
    assert document.count("</script>") == 3 and 'alert("1")' not in document.split("<main")[0]
    data = json.loads(element(document, 'script type="application/json" id="data"'))
    assert sorted(data["held_out"]["names"]) == sorted([HOSTILE, "b"])
    assert data["held_out"]["labels"][2] == -1


def test_the_legend_has_the_most_common_labels_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "MAX_LABELS", 2)
    given = held_out(9)
    labels = ["z", "a", "a", "m", "z", "z", "", "a", "z"]
    data = json.loads(
        element(made(held_out=HeldOut(given.codes, labels, given.thumbnails)), 'script type="application/json" id="data"')
    )
    assert data["held_out"]["names"] == ["a", "z"]
    assert data["held_out"]["labels"] == [1, 0, 0, -1, 1, 1, -1, 0, 1]


def test_codes_and_pictures_are_those_that_were_given() -> None:
    given = held_out()
    data = json.loads(element(made(held_out=given), 'script type="application/json" id="data"'))["held_out"]
    codes = np.frombuffer(base64.b64decode(data["codes"]), "<f2").reshape(-1, 4)
    np.testing.assert_allclose(codes, given.codes, rtol=1e-3, atol=1e-3)
    sheet = data["sheet"]
    pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(sheet["uri"].split(",", 1)[1]))))
    for i in range(sheet["count"]):
        row, column = divmod(i, sheet["columns"])
        np.testing.assert_array_equal(pixels[row * 6 : row * 6 + 6, column * 8 : column * 8 + 8], given.thumbnails[i])


def test_pictures_that_are_too_many_bytes_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "SHEET_BYTES", 2_000)
    data = json.loads(element(made(held_out=held_out()), 'script type="application/json" id="data"'))["held_out"]
    count = data["sheet"]["count"]
    assert 1 < count < 30 and len(data["labels"]) == count and len(base64.b64decode(data["codes"])) == 2 * 4 * count
    assert len(base64.b64decode(data["sheet"]["uri"].split(",", 1)[1])) <= 2_000


def test_a_bundle_runs_its_modules_once_in_their_order(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep/base.mjs").write_text(
        "let count = 0;\nexport function next() {\n  return ++count;\n}\nexport const step = 10;\n"
    )
    (tmp_path / "left.mjs").write_text(
        'import { next, step as by } from "./deep/base.mjs";\nexport class Left {\n  at = by + next();\n}\n'
    )
    (tmp_path / "main.mjs").write_text(
        'import { Left } from "./left.mjs";\nimport { next } from "./deep/base.mjs";\nconsole.log(new Left().at, next());\n'
    )
    script = bundle(tmp_path / "main.mjs")
    assert "import" not in script and "export" not in script
    if node := shutil.which("node"):
        (tmp_path / "joined.cjs").write_text(script)
        assert subprocess.run([node, tmp_path / "joined.cjs"], capture_output=True, text=True).stdout == "11 2\n"


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ('import all from "./main.mjs";\n', "unknown form of import"),
        ("export default 3;\n", "unknown form of import or export"),
        ('import { x } from "./main.mjs";\nexport const x = 1;\n', "imports itself"),
        ('export const x = "</script>";\n', "end it within a page"),
    ],
)
def test_a_module_that_cannot_be_joined_is_an_error(source: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "main.mjs").write_text(source)
    with pytest.raises(ValueError, match=message):
        bundle(tmp_path / "main.mjs")


@pytest.mark.skipif(shutil.which("node") is None, reason="there is no node to run the page's modules")
def test_the_logic_of_the_page() -> None:
    """Tests of geometry, history, links and GIF, by node's own runner."""
    tests = ROOT / "tests" / "serving" / "explorer" / "logic.test.mjs"
    done = subprocess.run(["node", "--test", "--test-reporter=tap", str(tests)], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout[-4000:]
    assert int(re.search(r"^# pass (\d+)", done.stdout, re.MULTILINE).group(1)) >= 15


def test_modules_are_short() -> None:
    for module in MODULES.rglob("*.mjs"):
        assert len(module.read_text(encoding="utf-8").splitlines()) <= 450, module.name
