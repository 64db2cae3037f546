"""The sources of the documentation's site, and the site."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
import yaml

from docs.site import commands, pages, write_sources
from tests.project import ROOT

MKDOCS = ROOT / ".docs-env/bin/mkdocs"


def listed(part: object) -> list[str]:
    """All pages of a navigation."""
    if isinstance(part, str):
        return [part]
    return [page for each in (part.values() if isinstance(part, dict) else part) for page in listed(each)]


def test_every_page_is_in_the_navigation() -> None:
    text = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    navigation = yaml.safe_load(text[text.index("nav:") :])
    assert sorted(listed(navigation["nav"])) == sorted(
        {*(name for name in pages().values() if name.endswith(".md")), "commands.md"}
    )


def test_commands_are_all_there_with_their_options() -> None:
    text = commands()
    names = set(re.findall(r"^## darkroom (.+)$", text, re.MULTILINE))
    assert {"run", "retrain", "generate", "explore", "schema accept", "compile", "submit"} <= names
    assert "--accept-drift" in text and "..." not in re.sub(r"(?<=[\w\]\"`'|]) ?\.\.\.", "", text)


@pytest.mark.slow
@pytest.mark.skipif(not MKDOCS.exists(), reason="there is no .docs-env: make docs makes it")
def test_the_site_is_built_without_a_warning_and_needs_no_network(tmp_path: Path) -> None:
    write_sources(tmp_path / "build/docs")
    settings = yaml.load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"), yaml.SafeLoader)
    settings |= {"docs_dir": str(tmp_path / "build/docs"), "hooks": [str(ROOT / "docs/theme/hooks.py")]}
    (tmp_path / "mkdocs.yml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    command = [MKDOCS, "build", "--strict", "--config-file", tmp_path / "mkdocs.yml", "--site-dir", tmp_path / "site"]
    built = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert built.returncode == 0, built.stderr
    for page in tmp_path.glob("site/*.html"):
        loaded = re.findall(r"<(?:script|link|img|iframe)[^>]*(?:src|href)=\"?(https?:[^\"> ]*)", page.read_text(encoding="utf-8"))
        assert not loaded, f"{page.name} loads {loaded}"
