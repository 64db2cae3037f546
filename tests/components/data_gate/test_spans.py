"""Spans that are judged one by one: what is odd about one is not lost among the others."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from components.data_gate.config import ValidationConfig
from components.data_gate.spans import divergence, parse_spans, pooled, span_anomalies
from components.image_example_gen.writing.by_span import count_picture
from components.image_example_gen.writing.example import Row

LABELS = ("cat", "dog", "hen", "fox")


def span(seed: int, n: int = 400, refused: int = 0, labels=LABELS, mean=(70, 20), std=(80, 10), exposure="usual"):
    """What is counted of a span of pictures."""
    rng = np.random.default_rng(seed)
    features: dict[str, Counter[str]] = {}
    for _ in range(n - refused):
        levels = [float(np.clip(rng.normal(*each), 0, 255)) for each in (mean, std)]
        count_picture(features, Row(b"", "png", "", str(rng.choice(labels)), "p", "", 28, 28, 1, *levels, exposure))
    for _ in range(refused):
        count_picture(features, None)
    return features


BEFORE = {"span-1": span(1), "span-2": span(2)}


def test_spans_like_those_before_pass_small_ones_too():
    for n in (20, 50, 400):
        for seed in range(10):
            odd, far = span_anomalies({**BEFORE, "span-3": span(10 + seed, n)}, BEFORE, ValidationConfig())
            assert not odd and max(far.values()) < 0.2, (n, seed)


@pytest.mark.parametrize(
    ("poison", "words"),
    [
        ({"mean": (185, 20)}, ["span-3: brightness (mean pixel) drifted from the last accepted pictures", "0.3 is allowed"]),
        ({"std": (0, 1), "exposure": "near-constant"}, ["span-3: contrast", "span-3: the shares of nearly black"]),
        (
            {"labels": ("cat",)},
            ["span-3: the labels drifted", "span-3: 3 labels have vanished: the last accepted pictures have 'dog'"],
        ),
        ({"refused": 40}, ["span-3: 10.0% of the pictures (40) cannot be used, up from 0.0% of the last accepted ones"]),
    ],
    ids=["inverted", "constant", "one class", "corrupt"],
)
@pytest.mark.parametrize("window", [1, 6])
def test_one_odd_span_is_named_however_many_good_ones_are_with_it(poison, words, window):
    before = {f"span-{-i}": span(i) for i in range(window)}
    odd, _ = span_anomalies({**before, "span-3": span(3, **poison)}, before, ValidationConfig())
    text = "; ".join(anomaly.sentence for anomaly in odd)
    for word in words:
        assert word in text, text
    assert all(anomaly.drifted and anomaly.sentence.startswith("span-3: ") for anomaly in odd)


def test_what_was_accepted_is_not_refused_again_and_what_was_not_is():
    odd_one = span(3, mean=(185, 20))
    accepted = {**BEFORE, "span-3": odd_one}
    assert not span_anomalies({"span-2": BEFORE["span-2"], "span-3": odd_one, "span-4": span(4)}, accepted, ValidationConfig())[0]
    odd, _ = span_anomalies({"span-3": odd_one, "span-4": span(4)}, BEFORE, ValidationConfig())
    assert odd and {anomaly.sentence.partition(":")[0] for anomaly in odd} == {"span-3"}, "the good one behind it is not blamed"


def test_what_is_not_asked_for_is_not_judged():
    lenient = ValidationConfig(drift_labels=None, label_set="free", drift_brightness=None, max_rejects_rise=None)
    poisons = {"span-3": span(3, labels=("cat",)), "span-4": span(4, mean=(185, 20)), "span-5": span(5, refused=50)}
    assert not span_anomalies({**BEFORE, **poisons}, BEFORE, lenient)[0]
    assert span_anomalies({"span-3": poisons["span-3"]}, BEFORE, ValidationConfig()) == ([], {}), "one span: its statistics say it"
    assert span_anomalies({**BEFORE, **poisons}, {}, ValidationConfig()) == ([], {})


def test_the_divergence_is_zero_on_average_between_samples_of_one_distribution():
    rng = np.random.default_rng(0)
    shares = rng.dirichlet(np.ones(10))
    raw = []
    for _ in range(500):
        one, other = (Counter(map(str, rng.choice(10, n, p=shares))) for n in (60, 400))
        n, m = one.total(), other.total()
        noise = 9 / (8 * np.log(2)) * (1 / n + 1 / m)
        p, q = ({value: counts[value] / counts.total() for value in map(str, range(10))} for counts in (one, other))
        middle = {value: (p[value] + q[value]) / 2 for value in p}
        js = sum(each[v] * np.log2(each[v] / middle[v]) / 2 for each in (p, q) for v in each if each[v])
        assert divergence(one, other) == pytest.approx(max(0.0, js - noise), abs=noise)
        raw.append(js - noise)
    assert abs(np.mean(raw)) < 3 * np.std(raw) / np.sqrt(500) + 0.15 * noise
    assert divergence(Counter(a=10_000), Counter(b=10_000)) == pytest.approx(1, abs=1e-3)
    assert divergence(Counter(), Counter(a=1)) == 0


def test_counts_survive_json_and_add_up():
    import json

    again = parse_spans(json.loads(json.dumps(BEFORE)))
    assert again == BEFORE and span_anomalies({**BEFORE, "span-3": span(3)}, again, ValidationConfig())[0] == []
    total = pooled(again)
    assert total["image/label"].total() == 800 and total["pictures"]["pictures"] == 800
