"""Render the page: style, header, sections and script in one self-contained file."""

from __future__ import annotations

from importlib import resources

from components.report.data import ReportData
from components.report.drawing.markup import Html, fragment, tag
from components.report.sections.architecture import architecture
from components.report.sections.code import code
from components.report.sections.copies import copies
from components.report.sections.curves import curves
from components.report.sections.dataset import dataset
from components.report.sections.header import header
from components.report.sections.latent import kl, latent_map, manifold
from components.report.sections.layout import Section
from components.report.sections.quality import quality
from components.report.sections.ranking import ranking
from components.report.sections.search import search
from components.report.sections.sheets import by_label, denoising, generated, interpolation, reconstructions
from components.report.sections.verdict import verdict

SECTIONS = (
    generated,
    by_label,
    dataset,
    search,
    curves,
    ranking,
    reconstructions,
    denoising,
    quality,
    copies,
    interpolation,
    latent_map,
    manifold,
    kl,
    code,
    architecture,
    verdict,
)


def render(report: ReportData) -> str:
    """Return the whole page as HTML."""
    sections = [made for section in SECTIONS if (made := section(report)) is not None]
    return document(report.title, header(report), sections)


def document(title: str, top: Html, sections: list[Section]) -> Html:
    """Return a page of sections below its header."""
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="dark"),
        tag("title", f"{title} · Darkroom"),
        tag("style", _resource("style.css")),
    )
    main = tag("main", [_section(i, section) for i, section in enumerate(sections, start=1)])
    footer = tag("footer", tag("p", "Darkroom · give it a folder of pictures, and it develops a latent image."))
    body = tag("body", top, _navigation(sections), main, footer, _resource("script.html"))
    return fragment(Html("<!doctype html>\n"), tag("html", head, body, lang="en"), Html("\n"))


def _navigation(sections: list[Section]) -> Html:
    links = [tag("a", section.short, href=f"#{section.anchor}") for section in sections]
    return tag("nav", tag("div", links), aria_label="Sections")


def _section(number: int, section: Section) -> Html:
    heading = tag("h2", tag("span", f"{number:02d}", class_="number", aria_hidden="true"), section.title)
    return tag(
        "section",
        tag("div", heading, tag("p", section.sentence, class_="sentence"), class_="intro"),
        section.body,
        id=section.anchor,
    )


def _resource(name: str) -> Html:
    """Return a file of this package unchanged."""
    return Html(resources.files("components.report").joinpath(name).read_text(encoding="utf-8"))
