"""Diverging bars: no answer is lost at any length of scale, zero lies at the midpoint, no texts overlap."""

from __future__ import annotations

from itertools import combinations, pairwise

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.colors import to_hex

from analysis.base.errors import InputError
from analysis.plots.likert import OPEN_HATCH, draw_likert, place_segments, scale_colours
from analysis.plots.theme import TEXT_WIDTH_IN, lightness


def segments_of(items: dict[str, list[int]]) -> pd.DataFrame:
    rows = [
        (item, place, place, count, sum(counts))
        for item, counts in items.items()
        for place, count in enumerate(counts, start=1)
    ]
    return pd.DataFrame(rows, columns=["item", "first", "last", "count", "n"])


def beside_of(items) -> pd.DataFrame:
    return pd.DataFrame({"item": list(items), "share": 0.8, "low": 0.7, "high": 0.9, "text": "80.0% (70.0–90.0%)"})


def drawn(items: dict[str, list[int]], **options):
    k = len(next(iter(items.values())))
    return draw_likert(
        segments_of(items), beside_of(items), [f"answer {place}" for place in range(1, k + 1)], **options
    )


def count_texts(figure):
    return [text for text in figure.axes[0].texts if text.get_gid() == "count"]


@pytest.mark.parametrize("k", range(2, 10))
def test_no_answer_is_lost_at_any_length_of_scale(k):
    """Odd scales too: sjPlot #354 dropped a category there."""
    counts = list(range(3, 3 + k))
    figure = drawn({"item": counts})
    assert [text.get_text() for text in count_texts(figure)] == [str(count) for count in counts]
    assert len(figure.axes[0].patches) == k
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert sorted(names) == sorted(f"answer {place}" for place in range(1, k + 1))
    assert sum(bar.get_width() for bar in figure.axes[0].patches) == pytest.approx(1)


FIVE = ["Strongly disagree", "Disagree", "Neither agree nor disagree", "Agree", "Strongly agree"]


@pytest.mark.parametrize("midpoint", [0.5, 1.0, 2.5, 3.0, 3.5, 5.0, 5.5])
def test_five_points_keep_their_order_at_every_midpoint(midpoint):
    """All five, lowest to highest, wherever the midpoint lies (sjPlot #952); one within it is split, not dropped."""
    counts = [4, 8, 15, 16, 23]
    figure = draw_likert(segments_of({"item": counts}), beside_of(["item"]), FIVE, midpoint=midpoint)
    bars = figure.axes[0].patches
    assert [round(66 * bar.get_width()) for bar in bars] == counts
    assert [to_hex(bar.get_facecolor()) for bar in bars] == list(scale_colours(5))
    starts = [bar.get_x() for bar in bars]
    assert starts == sorted(starts)
    whole = int(midpoint - 0.5)
    left = sum(counts[:whole]) + (midpoint - 0.5 - whole) * (counts[whole] if whole < 5 else 0)
    assert starts[0] == pytest.approx(-left / 66)
    assert sorted(text.get_text() for text in figure.legends[0].get_texts()) == sorted(FIVE)


def test_the_legend_reads_in_the_order_of_the_scale():
    figure = draw_likert(segments_of({"item": [4, 8, 15, 16, 23]}), beside_of(["item"]), FIVE)
    figure.draw_without_rendering()
    boxes = [(text.get_text(), text.get_window_extent()) for text in figure.legends[0].get_texts()]
    assert [name for name, box in sorted(boxes, key=lambda pair: (-round(pair[1].y0), pair[1].x0))] == FIVE


def test_every_item_has_its_share_with_an_interval():
    items = {"one": [1, 2, 3, 4, 5], "two": [5, 4, 3, 2, 1]}
    figure = draw_likert(segments_of(items), beside_of(items), FIVE)
    whiskers = [line for line in figure.axes[1].lines if len(line.get_xdata()) == 2]
    assert [tuple(line.get_xdata()) for line in whiskers] == [(0.7, 0.9)] * 2
    assert [text.get_text() for text in figure.axes[1].texts] == ["80.0% (70.0–90.0%)"] * 2


def test_an_answer_that_nobody_gave_stays_in_the_legend():
    figure = drawn({"item": [0, 5, 13, 47, 19]})
    assert len(figure.legends[0].get_texts()) == 5
    assert len(count_texts(figure)) == 4


@pytest.mark.parametrize(
    ("midpoint", "left"),
    [(3.0, 5 + 6.5), (3.5, 5 + 13), (2.5, 5), (0.5, 0), (5.5, 84), (3.25, 5 + 13 * 0.75)],
)
def test_zero_lies_at_the_midpoint(midpoint, left):
    placed = place_segments(segments_of({"Q6": [0, 5, 13, 47, 19]}), midpoint)
    assert placed["start"].min() == pytest.approx(-left / 84)


@given(st.lists(st.integers(0, 50), min_size=2, max_size=9).filter(any), st.floats(0.5, 9.5))
def test_pieces_touch_and_fill_the_bar(counts, midpoint):
    placed = place_segments(segments_of({"item": counts}), midpoint)
    assert placed["width"].sum() == pytest.approx(1)
    ends = placed["start"] + placed["width"]
    assert ends.iloc[:-1].to_numpy() == pytest.approx(placed["start"].iloc[1:].to_numpy())
    assert -1 - 1e-9 <= placed["start"].min() <= 1e-9


def test_default_midpoint_is_the_middle_of_the_scale():
    for counts, left in (([10, 20, 30], 20 / 60), ([10, 20, 30, 40], 0.3)):
        figure = drawn({"item": counts})
        assert min(bar.get_x() for bar in figure.axes[0].patches) == pytest.approx(-left)


def with_open_piece() -> pd.DataFrame:
    return pd.DataFrame(
        [("Q8", 1, 3, 15, 84), ("Q8", 4, 4, 28, 84), ("Q8", 5, 5, 41, 84)],
        columns=["item", "first", "last", "count", "n"],
    )


def test_what_is_not_broken_down_is_one_hatched_piece():
    figure = draw_likert(with_open_piece(), beside_of(["Q8"]), list("abcde"), midpoint=3.5)
    first = figure.axes[0].patches[0]
    assert first.get_hatch() == OPEN_HATCH
    assert (first.get_x(), first.get_width()) == pytest.approx((-15 / 84, 15 / 84))
    assert [text.get_text() for text in figure.legends[0].get_texts()].count("Not broken down") == 1


def test_what_is_not_broken_down_is_never_split():
    with pytest.raises(InputError, match=r"up to 0\.5 or from 3\.5"):
        place_segments(with_open_piece(), 3.0)


def overlaps(figure) -> list[tuple[str, str]]:
    """Pairs of texts whose boxes share more than a point of ink in both directions."""
    figure.draw_without_rendering()
    texts = [*figure.legends[0].get_texts()]
    for axes in figure.axes:
        low, high = axes.get_xlim()
        ticks = zip(axes.get_xticklabels(), axes.get_xticks(), strict=True)
        texts += [label for label, place in ticks if low <= place <= high]  # matplotlib keeps one beyond each end
        texts += [*axes.texts, *axes.get_yticklabels(), axes.xaxis.label]
    boxes = [(text.get_text(), text.get_window_extent()) for text in texts if text.get_visible() and text.get_text()]
    return [
        (a, b)
        for (a, first), (b, second) in combinations(boxes, 2)
        if min(first.x1, second.x1) - max(first.x0, second.x0) > 1
        and min(first.y1, second.y1) - max(first.y0, second.y0) > 1
    ]


@pytest.mark.parametrize(
    "items",
    [
        {"Q6: what MLOps\nis about": [0, 5, 13, 47, 19], "Q7: overall\nfeeling": [0, 3, 12, 34, 35]},
        {"three thin ones": [1, 1, 1, 1, 1000], "thin in the middle": [500, 1, 1, 1, 501]},
        {"thin ends": [1, 2000, 3, 2000, 1], "one": [0, 0, 1, 0, 0]},
        {f"row {place}": [10, 10, 10, 10, 10] for place in range(8)},
        {"nine": [120, 4, 4, 4, 4, 4, 4, 4, 120]},
    ],
)
def test_no_two_texts_overlap(items):
    assert overlaps(drawn(items)) == []


def test_long_names_do_not_overlap():
    figure = draw_likert(
        segments_of({"Q6: whether it is more\nabout working together": [4, 8, 15, 16, 23]}),
        beside_of(["Q6: whether it is more\nabout working together"]),
        [
            "Strongly disagree, very negative",
            "Disagree, negative",
            "Neither of both, neutral",
            "Agree, positive",
            FIVE[4],
        ],
    )
    assert overlaps(figure) == []
    figure.draw_without_rendering()
    assert all(text.get_window_extent().x0 >= 0 for text in figure.legends[0].get_texts())
    assert all(text.get_window_extent().x1 <= figure.bbox.x1 for text in figure.legends[0].get_texts())


def test_thin_pieces_lift_their_counts_above_the_bar():
    figure = drawn({"item": [1, 1, 1, 1, 1000]})
    lifted = [text for text in count_texts(figure) if text.get_va() == "bottom"]
    assert [text.get_text() for text in lifted] == ["1"] * 4
    assert all(text.get_position()[1] < -0.25 for text in lifted)


def test_the_line_at_zero_never_crosses_a_count():
    """With the midpoint on an answer its count lies on the line, on a patch of its own colour and above it."""
    figure = drawn({"item": [4, 8, 15, 38, 45]}, midpoint=3.0)
    neutral = next(text for text in count_texts(figure) if text.get_text() == "15")
    line = figure.axes[0].lines[0]
    assert abs(neutral.get_position()[0]) < 0.01 and neutral.get_zorder() > line.get_zorder()
    assert to_hex(neutral.get_bbox_patch().get_facecolor()) == to_hex(figure.axes[0].patches[2].get_facecolor())


def test_width_is_the_text_block():
    assert drawn({"item": [1, 2, 3]}).get_figwidth() == TEXT_WIDTH_IN


def test_greyscale_tells_neighbours_apart_and_sides_by_hatch():
    for k in (3, 4, 5, 6, 7):
        bars = drawn({"item": [10] * k}).axes[0].patches
        assert [to_hex(bar.get_facecolor()) for bar in bars] == list(scale_colours(k))
        for first, second in pairwise(bars):
            difference = abs(lightness(to_hex(first.get_facecolor())) - lightness(to_hex(second.get_facecolor())))
            assert difference > 0.08 or first.get_hatch() != second.get_hatch()
    patches = drawn({"item": [4, 5, 6, 7, 8]}).axes[0].patches
    assert [bool(bar.get_hatch()) for bar in patches] == [True, True, False, False, False]


def test_counts_can_be_read_on_their_colour():
    figure = drawn({"item": [20, 21, 22, 23, 24]})
    for bar, text in zip(figure.axes[0].patches, count_texts(figure), strict=True):
        assert abs(lightness(to_hex(bar.get_facecolor())) - lightness(to_hex(text.get_color()))) > 0.45


def test_marks_follow_the_count():
    segments = segments_of({"item": [10, 20]}).assign(mark=["*", ""])
    figure = draw_likert(segments, beside_of(["item"]), ["no", "yes"])
    assert [text.get_text() for text in count_texts(figure)] == ["10*", "20"]


def test_wrong_tables_are_refused_with_every_fault():
    bad = segments_of({"a": [1, -1], "b": [1, 2]})
    bad.loc[2:, "n"] = 5
    with pytest.raises(InputError) as error:
        place_segments(bad, 1.5)
    assert [problem.where for problem in error.value.problems] == ["a", "b"]
    with pytest.raises(InputError, match=r"several n: \[3, 4\]"):
        place_segments(segments_of({"a": [1, 2]}).assign(n=[3, 4]), 1.5)
    with pytest.raises(InputError, match="nothing to draw"):
        place_segments(segments_of({"a": [1, 2]}).head(0), 1.5)
    with pytest.raises(InputError, match="share or interval is missing"):
        draw_likert(segments_of({"a": [1, 2]}), beside_of(["a"]).assign(low=float("nan")), ["no", "yes"])
    twice = pd.concat([segments_of({"a": [1, 2]})] * 2).assign(n=6)
    with pytest.raises(InputError, match="cover the same answer"):
        place_segments(twice, 1.5)
    with pytest.raises(InputError) as error:
        draw_likert(segments_of({"a": [1, 2, 3]}), beside_of(["b"]), ["no", "yes"])
    assert len(error.value.problems) == 2
