"""Sheets of the model's pictures: generated, reconstructed and interpolated."""

from __future__ import annotations

from components.report.data import Interpolation, ReportData
from components.report.drawing.markup import Html, fragment, tag
from components.report.drawing.pictures import fitting_uris
from components.report.sections.layout import Section, aspect, has, note, picture

GENERATED_BUDGET = 440_000  # bytes of PNG
PAIRS_BUDGET = 260_000
INTERPOLATION_BUDGET = 260_000


def generated(report: ReportData) -> Section:
    """Return the contact sheet of generated pictures."""
    pictures = report.answers.generated
    if has(pictures):
        uris = fitting_uris(list(pictures), GENERATED_BUDGET)
        frames = [tag("li", picture(uri, f"generated picture {i + 1}", pictures.shape[1:])) for i, uri in enumerate(uris)]
        body = tag("ol", frames, class_=f"film sheet {aspect(pictures.shape[1:])}")
    else:
        body = note("The model gave no pictures.")
    return Section(
        "generated",
        "Generated",
        "Developed from noise",
        "No picture here was ever photographed: each frame is a random point of the latent space that the decoder "
        "turned into a picture. The more they could pass for the data below, the better the model.",
        body,
    )


def by_label(report: ReportData) -> Section | None:
    """Return new pictures of each label in rows; None for an unconditional model."""
    samples = report.answers.by_label
    if not samples:
        return None
    uris = iter(fitting_uris([picture for row in samples for picture in row.pictures], GENERATED_BUDGET))
    rows = []
    for row in samples:
        shape = row.pictures.shape[1:]
        frames = [tag("li", picture(next(uris), f"generated {row.label} {i + 1}", shape)) for i in range(len(row.pictures))]
        strip = tag("ol", frames, class_="film strip", style=f"--frames:{len(frames)}")
        rows.append(tag("div", tag("p", row.label, class_="way-name"), strip, class_="way"))
    return Section(
        "by-label",
        "By label",
        "The same codes, label by label",
        "This model was told what its pictures show. Each row is developed from the same random points with another label: what "
        "stays the same down a column is what the code says, what changes is what the label says.",
        fragment(rows),
    )


def denoising(report: ReportData) -> Section | None:
    """Return corrupted held-out pictures, denoised ones and originals; None if the model was not trained to denoise."""
    found = report.training.denoising
    if found is None:
        return None
    shape = found.clean.shape[1:]
    rows = (
        (f"spoilt ({found.corruption.replace('_', ' ')}, {found.level:g})", found.spoilt, found.spoilt_psnr),
        ("denoised", found.denoised, found.denoised_psnr),
        ("original", found.clean, None),
    )
    uris = iter(fitting_uris([picture for _, pictures, _ in rows for picture in pictures], PAIRS_BUDGET))
    strips = []
    for name, pictures, psnr in rows:
        frames = [tag("li", picture(next(uris), f"{name} picture {i + 1}", shape)) for i in range(len(pictures))]
        told = f"{name} · {psnr:.1f} dB" if psnr is not None else name
        strip = tag("ol", frames, class_="film strip", style=f"--frames:{len(frames)}")
        strips.append(tag("div", tag("p", told, class_="way-name"), strip, class_="way"))
    return Section(
        "denoising",
        "Denoising",
        "What it makes of spoilt pictures",
        "The model was trained to give clean pictures where it sees spoilt ones. Decibels are the peak signal-to-noise ratio to "
        "the original, mean over held-out pictures: the higher, the nearer.",
        fragment(strips),
    )


def reconstructions(report: ReportData) -> Section:
    """Return held-out pictures above their reconstructions."""
    answers = report.answers
    if has(answers.originals) and has(answers.reconstructions):
        n = len(answers.originals)
        uris = fitting_uris([*answers.originals, *answers.reconstructions], PAIRS_BUDGET)
        shape = answers.originals.shape[1:]
        labels = answers.labels or [""] * n
        pairs = [_pair(uris[i], uris[n + i], labels[i], shape) for i in range(n)]
        body = fragment(
            tag("p", tag("b", "Above"), " the original, ", tag("b", "below"), " its reconstruction.", class_="key-line"),
            tag("ul", pairs, class_=f"pairs {aspect(shape)}"),
        )
    else:
        body = note("The model rebuilt no pictures.")
    return Section(
        "reconstructions",
        "Reconstructions",
        "Original and reconstruction",
        "Pictures the model never trained on, squeezed through the latent code and back: what survives in the lower "
        "picture is what the code can say, what is blurred or changed is what it cannot.",
        body,
    )


def _pair(original: str, rebuilt: str, label: str, shape: tuple[int, ...]) -> Html:
    named = f" ({label})" if label else ""
    return tag(
        "li",
        picture(original, f"held-out picture{named}", shape),
        picture(rebuilt, f"its reconstruction{named}", shape),
        tag("span", label, title=label) if label else None,
    )


def interpolation(report: ReportData) -> Section:
    """Return interpolations between held-out pictures; a slider moves along the first one."""
    ways = report.answers.interpolations
    if ways:
        budget = INTERPOLATION_BUDGET // len(ways)
        body = fragment(_way(way, budget, first=i == 0) for i, way in enumerate(ways))
    else:
        body = note("The model did not interpolate.")
    return Section(
        "interpolation",
        "Interpolation",
        "From one picture to another",
        "The model encodes the two pictures at the ends, walks from one code to the other in even steps, and develops "
        "each stop: in a good latent space every stop is a plausible picture of its own.",
        body,
    )


def _way(way: Interpolation, budget: int, *, first: bool) -> Html:
    shape = way.frames.shape[1:]
    uris = fitting_uris([*way.ends, *way.frames], budget)
    ends, frames = uris[:2], uris[2:]
    names = [label or default for label, default in zip(way.labels, ("first picture", "last picture"))]
    stops = [tag("li", picture(uri, f"stop {i + 1} of {len(frames)}", shape)) for i, uri in enumerate(frames)]
    strip = tag("ol", stops, class_="film strip", style=f"--frames:{len(frames)}")
    if not first:
        named = (names[0], tag("span", " → ", class_="arrow"), names[1]) if all(way.labels) else "Another pair"
        title = tag("p", named, class_="way-name")
        return tag("div", title, strip, class_="way")
    middle = len(frames) // 2
    enlarger = tag(
        "div",
        tag(
            "figure",
            picture(ends[0], f"original: {names[0]}", shape),
            tag("figcaption", names[0], tag("small", "original")),
        ),
        tag(
            "figure",
            picture(frames[middle], "the stop that the slider is at", shape),
            tag("figcaption", tag("span", f"stop {middle + 1} of {len(frames)}"), tag("small", "decoded")),
            class_="lit",
        ),
        tag(
            "figure",
            picture(ends[1], f"original: {names[1]}", shape),
            tag("figcaption", names[1], tag("small", "original")),
        ),
        class_=f"enlarger {aspect(shape)}",
    )
    slider = tag(
        "input",
        type="range",
        min=0,
        max=len(frames) - 1,
        value=middle,
        class_="slider",
        hidden=True,
        aria_label="Position between the two pictures",
    )
    return tag("div", enlarger, slider, strip, class_="way main-way")
