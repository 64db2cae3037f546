"""Serve the stand-in for web workers with the site itself, in place of one from the network."""

from mkdocs.utils import get_relative_url

_SHIM = "https://unpkg.com/iframe-worker/shim"


def on_post_page(output: str, page, config) -> str:
    """Replace the address in a page."""
    return output.replace(_SHIM, get_relative_url("worker.js", page.url))


def on_post_template(output: str, template_name: str, config) -> str:
    """Replace the address in the page for addresses that do not exist."""
    return output.replace(_SHIM, "worker.js")
