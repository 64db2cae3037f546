"""The tables of docs/configuration.md are made from the configuration itself."""

import re

from pipeline.config.fields import fields
from pipeline.config.reference import filled
from tests.project import ROOT

PAGE = ROOT / "docs/configuration.md"


def test_the_page_is_up_to_date():
    text = PAGE.read_text(encoding="utf-8")
    assert filled(text) == text, f"run `.venv/bin/python -m pipeline.config.reference {PAGE.relative_to(ROOT)}`"


def test_the_page_has_each_field_once():
    rows = re.findall(r"^\| `([\w.]+)` \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(rows) == sorted(fields())


def test_links_of_descriptions_lead_somewhere():
    for field in fields().values():
        for page, _, anchor in re.findall(r"docs/([\w-]+\.md)(#([\w-]+))?", f"{field.meaning} {field.default_text}"):
            text = (ROOT / "docs" / page).read_text(encoding="utf-8")
            headings = {re.sub(r"[^\w -]", "", h).strip().lower().replace(" ", "-") for h in re.findall(r"^#+ (.*)$", text, re.M)}
            assert not anchor or anchor in headings or f'id="{anchor}"' in text, f"{field.name}: {page}#{anchor}"


def test_only_what_is_between_the_marks_changes():
    before = "# A\n<!-- fields: mlflow -->\nOUTDATED\n<!-- end of fields -->\nafter\n"
    after = filled(before)
    assert (
        "OUTDATED" not in after and "| `mlflow.experiment` |" in after and after.startswith("# A\n") and after.endswith("\nafter\n")
    )
    assert filled(after) == after
