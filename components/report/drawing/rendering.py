"""Render the templates in `components/report/templates/`. Every value is escaped, unless it is `Markup`."""

from __future__ import annotations

import functools
from pathlib import Path

import jinja2
from markupsafe import Markup

from components.report.drawing import formatting, pictures


@functools.cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parents[1] / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: formatting.short(value) if isinstance(value, float) else value,  # coordinates of drawings
    )
    for function in (
        formatting.count,
        formatting.duration,
        formatting.moment,
        formatting.nats,
        formatting.number,
        formatting.percent,
        formatting.significant,
        pictures.aspect,
        pictures.pixelated,
    ):
        environment.filters[function.__name__] = function
    return environment


def render_template(name: str, /, **values: object) -> Markup:
    """Return the text of a template as markup. A variable that the template uses and that is missing is an error."""
    return Markup(_environment().get_template(name).render(values))
