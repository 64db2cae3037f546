"""The search for hyperparameters: a table of trials."""

from __future__ import annotations

from components.report.data import ReportData, Search, Trial
from components.report.drawing.markup import Html, fragment, tag
from components.report.drawing.wording import NOTHING, count, duration, nats, number, significant
from components.report.sections.layout import Section, table

LIKELIHOOD = "model.likelihood"
MOST_TRIALS = 30


def search(report: ReportData) -> Section | None:
    """Return the best values and all trials, best first; None without a search."""
    found = report.search
    if found is None:
        return None
    epochs = f" for {count(found.epochs, 'epoch')} at the most" if found.epochs else ""
    pictures = f" on {count(found.pictures, 'picture')}" if found.pictures else ""
    return Section(
        "search",
        "Search",
        "Hyperparameter search",
        f"Before the training proper {count(len(found.trials), 'model')} with other values were trained{epochs}{pictures} and "
        "compared on held-out ones. The best one's values, in the marked row, then trained the model of this page.",
        fragment(_key_line(found), _table(found), _failures(found)),
    )


def _key_line(found: Search) -> Html | None:
    best = found.trials[0]
    if best.score is None:
        return None
    values = ", ".join(f"{_name(name)} {_value(value)}" for name, value in best.values.items())
    remark = ""
    if found.objective == "bits_per_dimension":
        remark = " Bits are those of a code for pictures of 256 levels, a measure that all likelihoods share."
    return tag("p", "Best: ", tag("b", _score(found, best)), f" with {values}.{remark}", class_="key-line")


def _table(found: Search) -> Html:
    names = list(found.trials[0].values)
    is_word = {name: any(not isinstance(trial.values.get(name), (int, float)) for trial in found.trials) for name in names}
    words, numbers = ([name for name in names if is_word[name] == wanted] for wanted in (True, False))
    by_bits = found.objective == "bits_per_dimension"
    # ELBOs of different likelihoods are not comparable.
    elbo = "ELBO, own units" if LIKELIHOOD in names else "ELBO"
    head = ["Rank", *map(_name, words), *map(_name, numbers), *(["Bits per value"] if by_bits else []), elbo]
    rows = [
        [
            tag("b", rank) if rank == 1 else str(rank) if trial.score is not None else NOTHING,
            *(_value(trial.values.get(name)) for name in (*words, *numbers)),
            *([number(trial.score, 3)] if by_bits else []),
            nats(trial.elbo),
            number(trial.epochs),
            duration(trial.seconds),
            number(trial.number),
            tag("span", "✓ done", class_="better") if trial.score is not None else tag("span", "✕ failed", class_="worse"),
        ]
        for rank, trial in enumerate(found.trials[:MOST_TRIALS], start=1)
    ]
    marked = 0 if found.trials[0].score is not None else None
    drawn = table([*head, "Epochs", "Time", "Trial", "State"], rows, numbers_from=1 + len(words), marked=marked)
    hidden = len(found.trials) - MOST_TRIALS
    remark = tag("p", f"The best {MOST_TRIALS} of {number(len(found.trials))} trials.", class_="small") if hidden > 0 else None
    return fragment(drawn, remark)


def _failures(found: Search) -> Html | None:
    failed = [trial for trial in found.trials if trial.reason]
    if not failed:
        return None
    told = [tag("li", f"Trial {trial.number} failed: {trial.reason}.") for trial in failed[:MOST_TRIALS]]
    return tag("div", tag("h3", "Failed trials"), tag("ul", told), class_="unanswered")


def _score(found: Search, trial: Trial) -> str:
    if found.objective == "bits_per_dimension":
        return f"{number(trial.score, 3)} bits per value"
    return f"ELBO {nats(trial.score)} nats"


def _name(name: str) -> str:
    """Return a field's name as words: `model.latent_dim` becomes `latent dim`."""
    return name.split(".")[-1].replace("_", " ")


def _value(value: object) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: NOTHING}[value]
    if isinstance(value, (int, float)):
        return significant(value) if isinstance(value, float) else number(value)
    if isinstance(value, (list, tuple)):
        return " · ".join(map(_value, value))
    return str(value).replace("_", " ")
