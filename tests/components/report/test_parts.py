"""The parts that the page is made of."""

from __future__ import annotations

import io
import math
import re
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from components.report.data import Layer
from components.report.drawing import colors, formatting, networks
from components.report.drawing.charts import Line, bar_chart, line_chart, nice_scale, starts_outside
from components.report.drawing.pictures import aspect, fitting_rows, fitting_sheet, fitting_uris, png, sheet, shrink
from components.report.drawing.projection import project, spread_apart, window
from components.report.drawing.scatter import evenly, scatter
from tests.components.report.made import pictures
from tests.components.report.reading import open_uri


def test_drawings_escape_values_and_write_short_coordinates() -> None:
    drawn = bar_chart([2 / 3, 1e-9], ['<b> & "', "2"], width=200, height=100, name="<loss>", threshold=0.05)
    root = ElementTree.fromstring(drawn)
    assert root.find("title").text == "<loss>" and '<b> & "' in [text.text for text in root.iter("text")]
    written = [value for element in root.iter() for value in element.attrib.values()]
    assert not [value for value in written if re.search(r"\d\.\d{3}|\de-|-0$|\.0$", value)]
    assert (formatting.short(1.5), formatting.short(-0.001), formatting.short(2.0)) == ("1.5", "0", "2")
    line = Line('a"<', '"<script>', [1.0, 2.0])
    chart = ElementTree.fromstring(line_chart([1, 2], [line], width=200, height=100, name="x"))
    assert next(g.get("class") for g in chart.iter("g")) == 'line a"<' and '"<script> 1' in "".join(chart.itertext())


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (formatting.number(-1234.5, 1), "−1,234.5"),
        (formatting.number(math.nan), "–"),
        (formatting.number(-0.001, 2), "0.00"),
        (formatting.nats(1.0, sign=True), "+1.00"),
        (formatting.nats(None), "–"),
        (formatting.significant(0.00123456), "0.00123"),
        (formatting.significant(1.5e-7), "1.50e−7"),
        (formatting.significant(123456), "123,456"),
        (formatting.significant(0), "0"),
        (formatting.duration(0.84), "0.8 s"),
        (formatting.duration(192), "3 min 12 s"),
        (formatting.duration(7500), "2 h 05 min"),
        (formatting.count(1, "picture"), "1 picture"),
        (formatting.listing(["a", "b", "c"]), "a, b and c"),
        (formatting.percent(0.034), "3.4\u202f%"),
    ],
)
def test_numbers_are_worded(written: str, expected: str) -> None:
    assert written == expected


def test_labels_are_sorted_as_people_do() -> None:
    assert sorted(["b10", "b2", "10", "A1", "2", ""], key=formatting.natural) == ["", "2", "10", "A1", "b2", "b10"]


@pytest.mark.parametrize("shape", [(3, 5, 1), (3, 5, 3)])
def test_png_keeps_every_pixel(shape: tuple[int, int, int]) -> None:
    picture = pictures(1, shape)[0]
    read = np.asarray(Image.open(io.BytesIO(png(picture))))
    np.testing.assert_array_equal(read.reshape(shape), picture)


def test_pictures_shrink_to_the_budget_and_are_never_enlarged() -> None:
    noise = list(pictures(6, (100, 50, 3)))
    small = [open_uri(uri) for uri in fitting_uris(noise, 9_000)]
    assert len({image.size for image in small}) == 1
    width, height = small[0].size
    assert height == pytest.approx(2 * width, abs=2) and height < 50
    assert open_uri(fitting_uris(noise, 10**9)[0]).size == (50, 100)
    assert shrink(noise[0], 1000).shape == (100, 50, 3)
    assert open_uri(fitting_sheet(np.stack(noise), 3, 10**9)).size == (150, 200)
    rows = fitting_rows([noise[:2], noise[2:]], 9_000)
    assert [len(row) for row in rows] == [2, 4] and [uri for row in rows for uri in row] == fitting_uris(noise, 9_000)


def test_sheet_fills_rows_from_the_left() -> None:
    made = sheet(np.full((3, 2, 2, 1), 255, np.uint8), 2, gap=1)
    assert made.shape == (7, 7, 1)
    assert made[1, 1, 0] == made[1, 4, 0] == made[4, 1, 0] == 255
    assert made[4, 4, 0] == made[0, 0, 0] == 0


@pytest.mark.parametrize("values", [[1.0], [0.0], [-5.0, -5.0], [1e-9, 2e-9], [0, 1e9], []])
def test_scales_hold_their_values(values: list[float]) -> None:
    scale = nice_scale(values, 100, 0)
    assert all(scale.low <= v <= scale.high for v in values)
    assert scale.low < scale.high and 2 <= len(scale.ticks) <= 12


@pytest.mark.parametrize("epochs", [1, 2, 30, 500])
def test_line_charts_are_well_formed(epochs: int) -> None:
    values = [300 / (i + 1) for i in range(epochs)]
    values[epochs // 2] = math.nan
    lines = [Line("train", "a & b", values), Line("held-out", "none", [None] * epochs)]
    drawn = line_chart(range(1, epochs + 1), lines, width=400, height=200, name="<loss>", mark=epochs)
    root = ElementTree.fromstring(drawn)
    assert "nan" not in drawn
    assert 1 <= len(root.findall("g[@class='hover']")) <= 100
    assert f"best: {epochs}" in drawn


def test_first_epochs_that_would_flatten_the_rest_are_left_outside() -> None:
    steep = [Line("train", "t", [900.0, *(10 - i / 10 for i in range(20))])]
    assert starts_outside(steep) == 900
    assert "900" not in line_chart(range(1, 22), steep, width=400, height=200, name="x").split("hover")[0]
    assert starts_outside([Line("train", "t", [12.0, 11, 10, 9, 8, 7, 6])]) is None
    assert starts_outside([Line("train", "t", [None] * 7)]) is None


def test_idle_dimensions_are_drawn_pale() -> None:
    root = ElementTree.fromstring(bar_chart([2.0, 0.001], ["3", "1"], width=300, height=100, name="kl", threshold=0.05))
    assert [bar.get("class") for bar in root.iter("rect")] == ["bar", "bar idle"]


def test_labels_beyond_twelve_become_others() -> None:
    labels = [f"l{i:02d}" for i in range(20) for _ in range(20 - i)]
    groups = colors.group_by_label(labels)
    assert groups[0].name == colors.OTHER_NAME and not groups[0].is_label
    assert [g.name for g in groups[1:]] == [f"l{i:02d}" for i in range(12)]
    assert len({g.color for g in groups}) == 13
    assert sorted(np.concatenate([g.members for g in groups])) == list(range(len(labels)))
    assert colors.group_by_label(["", ""]) == []


def test_density_has_five_shades() -> None:
    points = np.random.default_rng(0).standard_normal((200, 2))
    groups = colors.group_by_density(points)
    assert [len(g.members) for g in groups] == [40] * 5
    spread = [np.abs(points[g.members]).mean() for g in groups]
    assert spread[0] > spread[-1]


def test_principal_axes_keep_the_origin_and_explain_the_spread() -> None:
    rng = np.random.default_rng(0)
    means = rng.standard_normal((500, 5)) * [0.1, 3.0, 0.1, 1.0, 0.1]
    made = project(means)
    assert np.abs(np.corrcoef(made.points[:, 0], means[:, 1])[0, 1]) > 0.99
    assert made.shares[0] == pytest.approx(0.9, abs=0.03)
    assert "% of the spread" in made.axes[0]
    np.testing.assert_array_equal(project(means[:, :2]).points, means[:, :2])
    assert project(means[:, :1]).points.shape == (500, 2)


def test_window_is_a_square_with_the_first_ring() -> None:
    center, half = window(np.zeros((10, 2)))
    np.testing.assert_array_equal(center, [0, 0])
    assert half >= 1
    assert window(np.empty((0, 2)))[1] == 1.0


def test_names_are_moved_apart() -> None:
    placed = spread_apart(np.zeros((4, 2)), height=10, width=50)
    gaps = np.diff(np.sort(placed[:, 1]))
    assert (gaps > 9).all()


def test_scatter_pictures_as_many_as_the_budget_allows() -> None:
    points = np.random.default_rng(0).standard_normal((900, 2))
    groups = colors.group_by_label(["a", "b", "c"] * 300)
    drawn = scatter(points, groups, pictures(900, (32, 32, 3)))
    plot = drawn[drawn.index("<svg") : drawn.index("</svg>") + 6]
    paths = list(ElementTree.fromstring(plot).iter("path"))
    assert [path.get("d").count("M") for path in paths] == [300] * 3
    pictured = [int(path.get("data-pictures")) for path in paths]
    assert all(0 < n < 300 for n in pictured)
    assert [int(path.get("data-first")) for path in paths] == [0, pictured[0], sum(pictured[:2])]
    assert len(drawn) < 700_000
    assert list(evenly(np.arange(10), 3)) == [0, 3, 6]


def test_networks_are_drawn_with_their_sizes() -> None:
    layers = [
        Layer("picture", "InputLayer", (28, 28, 1), 0),
        Layer("down_1", "Conv2D", (14, 14, 32), 320, "32 filters, relu"),
        Layer("act", "Activation", (14, 14, 32), 0),
        Layer("mean", "Dense", (16,), 100),
        Layer("log_variance", "Dense", (16,), 100),
    ]
    drawn = networks.drawing(layers, "Drawing of the encoder")
    svg = ElementTree.fromstring(drawn[drawn.index("<svg") : drawn.index("</svg>") + 6])
    shapes = [text.text for text in svg.iter("text") if text.get("class") == "shape"]
    assert shapes == ["28×28×1", "14×14×32", "2 × 16"]
    assert len(list(svg.iter("polygon"))) == 2
    many = [Layer(f"l{i}", "Dense", (2 + i // 3,), 1) for i in range(120)]
    assert networks.drawing(many, "deep").count('class="shape"') <= 2 * 41


@pytest.mark.parametrize(("shape", "expected"), [((8, 8, 1), "even"), ((30, 5, 1), "tall"), ((5, 30, 1), "broad")])
def test_aspect(shape: tuple[int, int, int], expected: str) -> None:
    assert aspect(shape) == expected
