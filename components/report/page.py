"""Render the page: style, header, sections and script in one self-contained file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from components.report.data import ReportData
from components.report.drawing.rendering import render_template
from components.report.sections.dataset import data
from components.report.sections.differences import changes
from components.report.sections.header import header
from components.report.sections.latent import kl, latent_map, manifold
from components.report.sections.quality import quality
from components.report.sections.ranking import ranking
from components.report.sections.search import search
from components.report.sections.sheets import by_label, copies, denoising, generated, interpolation, reconstructions
from components.report.sections.training import curves, networks
from components.report.sections.verdict import verdict

Values = dict[str, Any]

# The sections in the order of the page: anchor, name in the navigation, and a function that returns the variables of the template
# `sections/<anchor>.html`, or None to leave the section out. The template gets `report` too.
SECTIONS: tuple[tuple[str, str, Callable[[ReportData], Values | None]], ...] = (
    ("changes", "Changes", changes),
    ("generated", "Generated", generated),
    ("by-label", "By label", by_label),
    ("data", "Data", data),
    ("search", "Search", search),
    ("curves", "Curves", curves),
    ("ranking", "Ranking", ranking),
    ("reconstructions", "Reconstructions", reconstructions),
    ("denoising", "Denoising", denoising),
    ("quality", "Quality", quality),
    ("copies", "Copies", copies),
    ("interpolation", "Interpolation", interpolation),
    ("latent", "Latent map", latent_map),
    ("manifold", "Manifold", manifold),
    ("kl", "KL", kl),
    ("code", "Code", lambda report: {}),
    ("networks", "Networks", networks),
    ("verdict", "Verdict", verdict),
)


@dataclass(frozen=True)
class Section:
    """One rendered section: its id, its name in the navigation, and its HTML."""

    anchor: str
    name: str
    html: Markup


def render(report: ReportData) -> str:
    """Return the whole page as HTML."""
    sections: list[Section] = []
    for anchor, name, describe in SECTIONS:
        values = describe(report)
        if values is not None:
            sections.append(render_section(len(sections) + 1, anchor, name, f"{anchor}.html", report=report, **values))
    top = render_template("header.html", report=report, **header(report))
    return render_document(report.title, top, sections)


def render_document(title: str, header: Markup, sections: Sequence[Section]) -> str:
    """Return a page of sections below its header."""
    return str(render_template("page.html", title=title, header=header, sections=sections))


def render_section(number: int, anchor: str, name: str, template: str, **values: Any) -> Section:
    """Return a section, rendered by a template in `templates/sections`."""
    return Section(anchor, name, render_template(f"sections/{template}", number=number, anchor=anchor, **values))
