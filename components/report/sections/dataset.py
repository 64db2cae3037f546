"""The data: samples of each label, the number of pictures, and the rejected files."""

from __future__ import annotations

from components.report.data import DataSet, ReportData
from components.report.drawing.markup import Html, fragment, tag
from components.report.drawing.pictures import fitting_uris
from components.report.drawing.wording import count, natural, number, percent
from components.report.sections.layout import Section, note, picture, table

SAMPLES_BUDGET = 330_000  # bytes of PNG
MOST_ROWS = 12
MOST_LISTED = 200
MOST_REJECTS = 20


def dataset(report: ReportData) -> Section:
    """Return strips of samples by label with counts, and facts about the files."""
    data = report.data
    body = fragment(_strips(data), _more_labels(data), facts(data, report.model.conditional))
    return Section(
        "data",
        "Data",
        "What it was shown",
        "Pictures from the training split as the model sees them, brought to its size; the bar under each label says "
        "how many there are of it. A rare label is a label the model has hardly met.",
        body,
    )


def facts(data: DataSet, seen: bool) -> Html:
    """Return the splits, the files and the rejected pictures; `seen`: whether the model is trained with the labels."""
    return tag("div", _splits(data, seen), _files(data), _rejects(data), class_="facts")


def _strips(data: DataSet) -> Html:
    strips = sorted(data.samples[:MOST_ROWS], key=lambda strip: natural(strip.label))
    if not strips:
        return note("No sample pictures could be read.")
    uris = iter(fitting_uris([p for strip in strips for p in strip.pictures], SAMPLES_BUDGET))
    totals = data.label_counts()
    largest = max(totals.values(), default=1)
    rows = []
    for strip in strips:
        alt = f"sample of {strip.label}" if strip.label else "sample"
        images = [tag("li", picture(next(uris), alt, strip.pictures.shape[1:])) for _ in strip.pictures]
        total = totals.get(strip.label)
        head = None
        if strip.label:
            bar = tag("span", class_="bar", style=f"width:{100 * (total or 0) / largest:.1f}%")
            head = tag(
                "div",
                tag("b", strip.label, title=strip.label),
                tag("small", _by_split(data, strip.label)),
                bar,
                class_="label",
            )
        rows.append(tag("div", head, tag("ul", images), class_="label-row" if head else "label-row unlabelled"))
    return tag("div", rows, class_="label-rows")


def _by_split(data: DataSet, label: str) -> str:
    """Return the number of pictures of a label in each split."""
    counts = [(split, by_label.get(label, 0)) for split, by_label in data.labels.items()]
    return " · ".join(f"{number(n)} {split}" for split, n in counts if n)


def _more_labels(data: DataSet) -> Html | None:
    """Return all labels in a collapsed table, if the strips do not show them all."""
    totals = data.label_counts()
    hidden = len(totals) - len([s for s in data.samples[:MOST_ROWS] if s.label])
    if hidden <= 0 or len(totals) <= 1:
        return None
    splits = list(data.labels)
    listed = list(totals.items())[:MOST_LISTED]
    rows = [[label, *(number(data.labels[s].get(label, 0)) for s in splits), number(total)] for label, total in listed]
    rest = totals if len(totals) <= MOST_LISTED else None
    remark = None if rest else tag("p", f"and {count(len(totals) - MOST_LISTED, 'rarer label')}.")
    summary = tag("summary", f"{count(hidden, 'more label')}, {number(len(totals))} in all")
    return tag("details", summary, table(["Label", *splits, "All"], rows), remark)


def _splits(data: DataSet, seen: bool) -> Html:
    total = sum(data.pictures.values())
    rows = [[split, number(n), percent(n / total) if total else ""] for split, n in data.pictures.items()]
    labels = data.label_counts()
    remark = (
        f"{count(len(labels), 'label')}. "
        + ("The model sees them." if seen else "The model never sees them: they only sort this page.")
        if labels
        else "The pictures have no labels."
    )
    return tag("div", tag("h3", "Splits"), table(["Split", "Pictures", "Share"], rows), tag("p", remark, class_="small"))


def _files(data: DataSet) -> Html:
    sizes = sorted(data.sizes.items(), key=lambda item: -item[1])
    shown = [[name.replace("x", " × "), number(n)] for name, n in sizes[:5]]
    if len(sizes) > 5:
        shown.append(["other sizes", number(sum(n for _, n in sizes[5:]))])
    formats = [[name.upper(), number(n)] for name, n in sorted(data.formats.items(), key=lambda item: -item[1])]
    if not formats and not shown:
        return tag("div", tag("h3", "Files"), tag("p", "Formats and sizes were not recorded.", class_="small"))
    return tag(
        "div",
        tag("h3", "Files"),
        table(["Format", "Files"], formats),
        table(["Height × width × channels", "Files"], shown),
    )


def _rejects(data: DataSet) -> Html:
    if not data.rejected:
        return tag("div", tag("h3", "Rejects"), tag("p", "Every picture could be read; none was refused.", class_="small"))
    reasons = sorted(data.rejects_by_reason.items(), key=lambda item: -item[1])
    rows = [[reason, number(n)] for reason, n in reasons]
    listed = [tag("li", tag("code", path), " ", reason) for path, reason in data.rejects[:MOST_REJECTS]]
    files = tag("details", tag("summary", "Which files"), tag("ul", listed, class_="files")) if listed else None
    table_ = table(["Reason", "Files"], rows) if rows else None
    return tag("div", tag("h3", "Rejects"), tag("p", f"{count(data.rejected, 'file')} refused.", class_="small"), table_, files)
