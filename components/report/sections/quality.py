"""Sample quality: the distances of generated and reconstructed pictures from held-out ones."""

from __future__ import annotations

from components.report.data import ReportData
from components.report.drawing.markup import Html, fragment, tag
from components.report.drawing.wording import count, number, percent, significant
from components.report.sections.layout import Section, note, table
from components.sample_quality.figures import Distances, Quality, Reconstruction, comparable

SHORT_HASH = 12
FIGURES = {
    "frechet_distance": ("Fréchet distance", "lower is better"),
    "kernel_distance": ("Kernel distance", "lower is better; around 0 for pictures of one kind"),
    "two_sample": (
        "Two-sample accuracy",
        "how often a classifier tells these from held-out ones; 0.5 where nothing tells them apart",
    ),
    "high_frequencies": ("High frequencies", "fine detail over that of held-out ones; below 1 blurred, above 1 noisy"),
    "label_divergence": ("Labels", "how far their shares are from those of held-out ones: 0 the same, 1 none in common"),
    "precision": ("Precision", "share of these that lie among held-out ones: are they real?"),
    "recall": ("Recall", "share of held-out ones that lie among these: does every kind come about?"),
    "density": ("Density", "how thickly held-out ones lie around these; about 1 for pictures of one kind"),
    "coverage": ("Coverage", "share of held-out ones with one of these near by"),
}
FEATURES = {
    "classifier": "a small classifier that learned the labels of these pictures",
    "self_supervised": "a small network that learned from these pictures without labels, and from no model",
    "encoder": "this model's own, for there are no labels to learn: no other model's figures compare with these",
}


def quality(report: ReportData) -> Section:
    """Return the distances of generated pictures beside the floor, and the quality of reconstructions."""
    found = report.quality
    if found is None or found.generated is None:
        body = note(f"Not measured: {found.reason}." if found and found.reason else "Sample quality was not measured.")
    else:
        tables = tag("div", _distances(found), _reconstruction(found.reconstruction), class_="quality")
        body = fragment(_key_line(found), tables)
    return Section(
        "quality",
        "Quality",
        "Sample quality",
        "How near new pictures come to held-out ones, as many of each. The floor is what the training pictures reach, being "
        "as like the held-out ones as pictures can be: what lies above it is what the model lacks.",
        body,
    )


def _key_line(found: Quality) -> Html | None:
    parts = []
    if found.to_floor is not None:
        parts.append(fragment(tag("b", significant(found.to_floor, 2), " times"), " the floor"))
    if found.to_prior is not None:
        parts.append(fragment(tag("b", significant(found.to_prior, 2), " times"), " that of the prior alone"))
    if not parts:
        return None
    return tag("p", "The Fréchet distance is ", parts[0], [(" and ", part) for part in parts[1:]], ".", class_="key-line")


def _distances(found: Quality) -> Html:
    columns = [
        ("Generated", found.generated),
        ("Last blessed", found.baseline),
        ("Prior alone", found.prior),
        ("Rebuilt", found.rebuilt),
        ("Floor", found.floor),
    ]
    # Figures on other features or another number of pictures would look like a difference between models.
    shown = [(name, figures) for name, figures in columns if comparable(found.generated, figures)]
    rows = [
        [fragment(name, tag("small", meaning)), *(_value(figures, field) for _, figures in shown)]
        for field, (name, meaning) in FIGURES.items()
        if any(getattr(figures, field) is not None for _, figures in shown)
    ]
    return tag(
        "div",
        tag("h3", "Against held-out pictures"),
        table(["", *(name for name, _ in shown)], rows),
        tag("p", _basis(found), _spread(found), class_="small"),
    )


def _value(figures: Distances, field: str) -> str:
    value = getattr(figures, field)
    if field == "kernel_distance":
        return f"{significant(value)} ± {significant(figures.kernel_distance_spread, 2)}"
    return significant(value) if field == "frechet_distance" else number(value, 3)


def _basis(found: Quality) -> Html:
    """Describe the basis of the figures: number of pictures, split and features."""
    figures, accuracy = found.generated, found.classifier_accuracy
    right = f" and names {percent(accuracy)} of held-out ones right" if accuracy is not None else ""
    return fragment(
        f"N = {count(figures.pictures, 'picture')} on either side, the held-out ones of the split {found.split}. Features: "
        f"{figures.features.replace('_', '-')} ",
        tag("code", figures.features_hash[:SHORT_HASH], title=figures.features_hash),
        f", {FEATURES[figures.features]}{right}. Figures compare only where features, pictures and N are the same.",
    )


def _spread(found: Quality) -> str:
    spread = found.spread
    if spread is None:
        return ""
    return (
        f" Another seed of the same model moves its Fréchet distance by about ±{significant(spread.frechet_distance, 2)} and its "
        f"two-sample accuracy by ±{number(spread.two_sample, 3)} (standard deviations)."
    )


def _reconstruction(found: Reconstruction | None) -> Html | None:
    if found is None:
        return None
    rows = [
        [fragment("PSNR", tag("small", "higher is better")), f"{number(found.psnr, 2)} dB"],
        [fragment("SSIM", tag("small", "likeness of structure; 1 for equal pictures")), number(found.ssim, 3)],
        [fragment("Squared error", tag("small", "of pixels from 0 to 1; lower is better")), significant(found.mse)],
    ]
    remark = tag("p", f"Means over {count(found.pictures, 'held-out picture')}.", class_="small")
    return tag("div", tag("h3", "Reconstructions"), table(["", "Rebuilt"], rows), remark)
