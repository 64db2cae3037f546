"""The verdict: the checks and decisions of each gate, the configuration, and the locations of the artifacts."""

from __future__ import annotations

from components.report.data import TERMS, Evaluation, Figures, ReportData, Serving
from components.report.drawing.markup import Html, fragment, tag
from components.report.drawing.wording import NOTHING, nats, number, significant
from components.report.sections.judgement import Gate, gates, judge
from components.report.sections.layout import Section, table

NAMES = {
    "elbo": "ELBO",
    "reconstruction": "Reconstruction",
    "kl": "KL divergence",
    "importance_weighted": "Importance-weighted bound",
    "gain": "Gain over the mean picture",
}
MOST_LABELS = 15


def verdict(report: ReportData) -> Section:
    """Return the gates as cards, then their figures, then configuration and artifacts."""
    body = fragment(
        tag("p", judge(report).headline, class_="headline"),
        tag("ol", [_card(gate) for gate in gates(report)], class_="gates"),
        _overall(report.evaluation),
        tag("div", _by_label(report.evaluation), _serving(report.serving), class_="halves"),
        _problems(report.answers.problems),
        _config(report.config),
        _locations(report.locations),
    )
    return Section(
        "verdict",
        "Verdict",
        "The verdict",
        "A model is pushed only if every gate says yes: the data fit to train on, the model good enough and no worse "
        "than the last one, and the exported file giving the very answers that the trainer's model gave.",
        body,
    )


def _card(gate: Gate) -> Html:
    symbol = {"passed": "✓", "refused": "✕", "forced": "!"}.get(gate.state, "–")
    reasons = tag("ul", [tag("li", reason) for reason in gate.reasons]) if gate.reasons else None
    state = {"unknown": "no record", "skipped": "not reached", "forced": "overruled"}.get(gate.state, gate.state)
    return tag(
        "li",
        tag("span", symbol, class_="symbol"),
        tag("h3", gate.name),
        tag("p", state, class_="state"),
        tag("p", gate.sentence),
        reasons,
        class_=gate.state,
    )


def _overall(evaluation: Evaluation) -> Html | None:
    candidate, baseline = evaluation.candidate, evaluation.baseline
    terms = [term for term in TERMS if getattr(candidate, term) is not None]
    if not terms:
        return None
    if baseline is None:
        rows = [[NAMES[term], nats(getattr(candidate, term))] for term in terms]
        return tag("div", tag("h3", "Evaluator"), table(["Nats per picture", "This model"], rows), class_="evaluator")
    rows = [
        [
            NAMES[term],
            nats(getattr(candidate, term)),
            nats(getattr(baseline, term)),
            _difference(candidate, baseline, term),
        ]
        for term in terms
    ]
    head = ["Nats per picture", "This model", "Last blessed", "Difference"]
    return tag("div", tag("h3", "Evaluator"), table(head, rows), class_="evaluator")


def _difference(candidate: Figures, baseline: Figures, term: str) -> str:
    new, old = getattr(candidate, term), getattr(baseline, term)
    return NOTHING if new is None or old is None else nats(new - old, sign=True)


def _by_label(evaluation: Evaluation) -> Html | None:
    """Return the figures by label, lowest ELBO first."""
    scored = {label: f for label, f in evaluation.by_label.items() if f.elbo is not None}
    if not scored:
        return None
    ranked = sorted(scored.items(), key=lambda item: item[1].elbo)
    rows = [
        [label or "(no label)", nats(f.elbo), nats(f.reconstruction), nats(f.kl), number(f.pictures)]
        for label, f in ranked[:MOST_LABELS]
    ]
    hidden = len(ranked) - MOST_LABELS
    remark = tag("p", f"The {MOST_LABELS} hardest of {number(len(ranked))} labels.", class_="small") if hidden > 0 else None
    head = ["Label, hardest first", "ELBO", "Reconstr.", "KL", "Pictures"]
    return tag("div", tag("h3", "By label"), table(head, rows), remark)


def _serving(serving: Serving | None) -> Html | None:
    if serving is None or not serving.signatures:
        return None
    rows = [
        [
            tag("code", check.name),
            tag("span", "✓ same" if check.ok else "✕ differs", class_="better" if check.ok else "worse"),
            significant(check.max_difference),
            significant(check.milliseconds),
        ]
        for check in serving.signatures
    ]
    return tag("div", tag("h3", "Serving check"), table(["Signature", "Answer", "Largest difference", "ms"], rows))


def _problems(problems: list[str]) -> Html | None:
    """List the requests that the model did not answer."""
    if not problems:
        return None
    return tag("div", tag("h3", "Unanswered"), tag("ul", [tag("li", problem) for problem in problems]), class_="unanswered")


def _config(config: str) -> Html | None:
    return tag("details", tag("summary", "Configuration"), tag("pre", config)) if config.strip() else None


def _locations(locations: dict[str, str]) -> Html | None:
    if not locations:
        return None
    rows = [fragment(tag("dt", name), tag("dd", tag("code", place))) for name, place in locations.items()]
    return tag("details", tag("summary", "Where the artifacts lie"), tag("dl", rows, class_="locations"))
