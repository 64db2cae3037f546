"""The header of the page: the run, its outcome, the key figures."""

from __future__ import annotations

from components.report.data import Figures, ReportData
from components.report.drawing.markup import Html, fragment, tag
from components.report.drawing.pictures import fitting_uris
from components.report.drawing.wording import count, duration, moment, nats, number
from components.report.sections.judgement import Judgement, judge
from components.report.sections.layout import aspect, has, picture

PRINT_BUDGET = 90_000  # bytes of PNG
PRINT_PICTURES = 16


def header(report: ReportData) -> Html:
    """Return the title, the verdict, a print with some generated pictures, and the key figures."""
    verdict = judge(report)
    words = tag(
        "div",
        tag("p", mark(), "Darkroom", class_="brand"),
        tag("h1", report.title or "Pictures"),
        tag("p", "Developed ", moment(report.when), f" · run {report.run_id}" if report.run_id else "", class_="when"),
        _badge(verdict),
        tag("p", _summary(report), class_="lead"),
        class_="words",
    )
    return tag(
        "header",
        tag("div", words, _print(report), class_="hero"),
        _key_figures(report),
        _how_to_read(report),
        class_="head",
    )


def mark() -> Html:
    """Return the project's logo: a safelight."""
    return tag(
        "svg",
        tag("circle", cx=12, cy=12, r=11, class_="lamp-rim"),
        tag("circle", cx=12, cy=12, r=6.5, class_="lamp"),
        viewBox="0 0 24 24",
        class_="mark-lamp",
        aria_hidden="true",
    )


def _badge(verdict: Judgement) -> Html:
    symbol = {"passed": "✓", "refused": "✕"}.get(verdict.state, "·")
    return tag("p", tag("span", symbol, class_="symbol"), tag("span", verdict.headline), class_=f"badge {verdict.state}")


def _summary(report: ReportData) -> str:
    model = report.model
    article = "An" if model.network[:1] in "aeiou" else "A"
    trained = f", trained on {count(model.pictures['train'], 'picture')}" if model.pictures.get("train") else ""
    epochs = f" for {count(model.epochs, 'epoch')}" if model.epochs else ""
    time = f" in {duration(model.seconds)}" if model.seconds is not None else ""
    return (
        f"{article} {model.network} variational autoencoder that describes each picture by "
        f"{count(model.latent_dim, 'number')}{trained}{epochs}{time}."
    )


def _print(report: ReportData) -> Html | None:
    """Return some generated pictures as a print with a white border."""
    pictures = report.answers.generated
    if not has(pictures):
        return None
    shown = PRINT_PICTURES // 2 if aspect(pictures.shape[1:]) == "tall" else PRINT_PICTURES
    uris = fitting_uris(list(pictures[:shown]), PRINT_BUDGET)
    images = [picture(uri, "", pictures.shape[1:]) for uri in uris]
    return tag("div", tag("div", images, class_="print"), class_="tray", aria_hidden="true")


def _key_figures(report: ReportData) -> Html:
    model, now, before = report.model, report.held_out, report.evaluation.baseline
    samples = f"{number(model.importance_samples)} samples" if model.importance_samples else "tighter than the ELBO"
    total = sum(report.data.pictures.values()) or sum(model.pictures.values())
    splits = report.data.pictures or model.pictures
    return tag(
        "dl",
        _figure(
            "Held-out ELBO",
            nats(now.elbo),
            "nats",
            _bits(report) or "higher is better",
            _change(now, before, "elbo"),
            main=True,
        ),
        _figure(
            "Reconstruction",
            nats(now.reconstruction),
            "nats",
            "lower is better",
            _change(now, before, "reconstruction"),
        ),
        _figure("KL divergence", nats(now.kl), "nats", "what the code tells", _change(now, before, "kl")),
        _figure(
            "Importance-weighted",
            nats(now.importance_weighted),
            "nats",
            samples,
            _change(now, before, "importance_weighted"),
        ),
        _figure("Pictures", number(total), "", " · ".join(f"{number(n)} {split}" for split, n in splits.items())),
        _figure("Training", *_split_unit(duration(model.seconds)), _epochs(report)),
        _figure("Speed", number(model.images_per_second), "images/s", "while training"),
        _figure(
            "Latent space",
            number(model.latent_dim),
            "dimensions" if model.latent_dim != 1 else "dimension",
            _network(report),
        ),
        class_="key",
    )


def _how_to_read(report: ReportData) -> Html:
    pictures = report.held_out.pictures
    over = count(pictures, "held-out picture") if pictures else "held-out pictures"
    return tag(
        "p",
        f"Figures are means over {over}, in nats per picture. The ELBO is −(reconstruction + KL), a lower bound on the "
        "log-probability of a picture: the higher (the closer to zero), the better.",
        class_="how",
    )


def _figure(name: str, value: str, unit: str, remark: str, change: Html | None = None, main: bool = False) -> Html:
    value_cell = tag("dd", value, tag("small", " ", unit) if unit else None, class_="value")
    return tag(
        "div",
        tag("dt", name),
        value_cell,
        tag("dd", change or remark, class_="remark"),
        class_="main" if main else None,
    )


def _split_unit(words: str) -> tuple[str, str]:
    """Split the unit from a short duration such as `0.8 s`; keep longer durations whole."""
    parts = words.split(" ")
    return (parts[0], parts[1]) if len(parts) == 2 else (words, "")


def _change(now: Figures, before: Figures | None, term: str) -> Html | None:
    """Return the difference from the last blessed model on the same pictures, marked better or worse if that has a meaning."""
    new, old = getattr(now, term), getattr(before, term, None)
    if new is None or old is None:
        return None
    difference = new - old
    gain = {"elbo": difference, "importance_weighted": difference, "reconstruction": -difference}.get(term, 0.0)
    style = "better" if gain > 0 else "worse" if gain < 0 else "same"
    arrow = "▲ " if difference > 0 else "▼ " if difference < 0 else ""
    return fragment(tag("span", arrow, nats(difference, sign=True), class_=f"change {style}"), " vs last blessed")


def _bits(report: ReportData) -> str:
    """Return bits per dimension if the likelihood gives probabilities of pixel levels, else ''."""
    bits = report.bits_per_dimension
    return f"{number(bits, 3)} bits per dimension" if bits is not None else ""


def _epochs(report: ReportData) -> str:
    model = report.model
    best = f", best {model.best_epoch}" if model.best_epoch else ""
    return f"{count(model.epochs, 'epoch')}{best}" if model.epochs else ""


def _network(report: ReportData) -> str:
    parameters = sum(report.model.parameters.values())
    return f"{report.model.network}, {number(parameters)} parameters" if parameters else report.model.network
