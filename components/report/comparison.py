"""The page of two runs side by side: the result in words, figures, what changed, and pictures."""

from __future__ import annotations

from components.report.beside import Comparison
from components.report.drawing.pictures import data_uri
from components.report.drawing.rendering import render_template
from components.report.page import render_document, render_section
from components.report.sections.differences import cells

PICTURES = {
    "generated.png": "New pictures",
    "reconstructions.png": "Held-out pictures above their reconstructions",
    "interpolation.png": "Interpolations",
    "manifold.png": "Grid of decoded codes",
    "latent.png": "Codes",
}


def render_comparison(comparison: Comparison) -> str:
    """Return the page as HTML."""
    values = {"comparison": comparison, "old": comparison.old, "new": comparison.new}
    header = render_template("comparison_header.html", **values)
    sections = [
        render_section(1, "figures", "Figures", "beside-figures.html", cells=cells(comparison), **values),
        render_section(2, "changes", "Changes", "beside-changes.html", **values),
    ]
    for name, title in PICTURES.items():
        uris = [data_uri(side.pictures[name]) if name in side.pictures else "" for side in (comparison.old, comparison.new)]
        if any(uris):
            sections.append(
                render_section(
                    len(sections) + 1,
                    name.partition(".")[0],
                    title.split(" above ")[0],
                    "beside-pictures.html",
                    uris=uris,
                    title=title,
                    **values,
                )
            )
    return render_document(f"{comparison.new.name} beside {comparison.old.name}", header, sections)
