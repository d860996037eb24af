from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.backends.backend_agg import FigureCanvasAgg

from analysis.base.errors import InputError
from analysis.base.schemas import FORM_ROLES
from analysis.plots import theme
from analysis.plots.heat import draw_heat_map
from analysis.plots.matrix import draw_dot_matrix
from analysis.requirements.challenge_display import build_support_cells
from analysis.requirements.evolution import STATE_NAMES, build_evolution_table, compute_evolution, draw_evolution
from analysis.requirements.form import STAGE_NAMES
from analysis.requirements.traceability import KIND_NAMES, build_trace_matrix

from .conftest import DOCUMENTS


def test_evolution_is_that_of_the_published_changes(form):
    table = compute_evolution(form).set_index(["version", "stage"])
    # Table 5.2 by part: added, deleted and roles changed.
    assert table.loc[2, "added"].to_dict() == {"scoping": 5, "data": 7, "modeling": 0, "deployment": 0}
    assert table.loc[2, "dropped"].to_dict() == {"scoping": 1, "data": 0, "modeling": 0, "deployment": 0}
    assert table.loc[2, "roles_changed"].to_dict() == {"scoping": 2, "data": 3, "modeling": 6, "deployment": 7}
    # Table 5.3: three questions added, nothing else.
    assert table.loc[3, "added"].to_dict() == {"scoping": 1, "data": 2, "modeling": 0, "deployment": 0}
    assert table.loc[3, ["roles_changed", "dropped"]].to_numpy().sum() == 0


def test_sums_are_printed(form):
    sums = build_evolution_table(form).query("Part == 'All'")
    assert sums["Asked"].tolist() == [23, 34, 37]  # Tables A.1; A.2 and A.3; 4.1 to 4.4
    assert sums["As before"].tolist() == [23, 4, 34]


roles = st.lists(st.sampled_from(list(FORM_ROLES)), min_size=1, max_size=3, unique=True)
versions = st.dictionaries(st.integers(0, 37), roles, max_size=12)


@settings(deadline=None, max_examples=20)
@given(st.lists(versions, min_size=3, max_size=3))
def test_what_is_asked_follows_from_what_changed(form, drawn):
    names = list(form.questions["question"])
    rows = [
        (number, names[place], position, ";".join(asked), "Table", None)
        for number, version in enumerate(drawn, start=1)
        for position, (place, asked) in enumerate(version.items(), start=1)
    ]
    made = pd.DataFrame(rows, columns=list(form.form_questions.columns)).astype({"version": int, "position": int})
    table = compute_evolution(replace(form, form_questions=made))
    assert (table[["kept", "roles_changed", "added", "dropped"]] >= 0).all(axis=None)
    assert (table["kept"] + table["roles_changed"] + table["added"] == table["asked"]).all()
    before = table.groupby("stage")["asked"].shift()
    later = table["version"] > 1
    assert (table["asked"] - before == table["added"] - table["dropped"])[later].all()
    assert table["asked"].sum() == len(made)


def test_every_count_is_drawn_where_it_belongs(form):
    evolution = compute_evolution(form)
    figure = draw_evolution(evolution)
    assert figure.get_size_inches()[0] == theme.TEXT_WIDTH_IN
    assert [axes.get_title(loc="left") for axes in figure.axes] == list(STAGE_NAMES.values())
    for axes, stage in zip(figure.axes, STAGE_NAMES, strict=True):
        own = evolution[evolution["stage"] == stage]
        asked = [text.get_text() for text in axes.texts if text.get_gid() == "asked"]
        assert asked == [str(count) for count in own["asked"]]
        heights = {bars.get_label(): [bar.get_height() for bar in bars] for bars in axes.containers}
        assert heights[STATE_NAMES["added"]] == list(own["added"])
        assert heights[STATE_NAMES["dropped"]] == [-count for count in own["dropped"]]
        inside = sorted(text.get_text() for text in axes.texts if text.get_gid() != "asked")
        states = own[list(STATE_NAMES)].to_numpy().ravel()
        assert inside == sorted(str(count) for count in states if count)


def test_nothing_to_draw_is_refused(form):
    evolution = compute_evolution(form)
    with pytest.raises(InputError, match="no rows"):
        draw_evolution(evolution.head(0))
    with pytest.raises(InputError, match="negative counts: added"):
        draw_evolution(evolution.assign(added=-1))


def _clashes(figure) -> list[tuple[str, str]]:
    """Labels that overlap each other on paper."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    renderer = canvas.get_renderer()
    texts = [text for axes in figure.axes for text in (*axes.texts, *axes.get_yticklabels()) if text.get_text()]
    boxes = [(text.get_text(), text.get_window_extent(renderer)) for text in texts]
    return [(a, b) for n, (a, one) in enumerate(boxes) for b, other in boxes[:n] if one.overlaps(other)]


def test_the_pictures_of_the_room_fit_a_page(form, tables, support):
    cells, rows, columns = build_support_cells(support, tables, dict.fromkeys(DOCUMENTS, "Document"))
    figures = [
        draw_evolution(compute_evolution(form)),
        draw_dot_matrix(*build_trace_matrix(form), row_groups=STAGE_NAMES, column_groups=KIND_NAMES),
        draw_heat_map(cells, rows=rows, columns=columns, bar_label="Passages", share=False),
    ]
    for figure in figures:
        width, height = figure.get_size_inches()
        assert width == theme.TEXT_WIDTH_IN and height <= 9.0
        assert _clashes(figure) == []


def test_cells_hold_the_counts(support, tables):
    cells, rows, columns = build_support_cells(support, tables, dict.fromkeys(DOCUMENTS, "Document"))
    assert len(cells) == len(rows) * len(columns) == 18 * 10
    assert cells["value"].sum() == support["elsewhere"].sum()
    lost = cells[cells["value"].isna()]
    assert set(lost["row"]) == {"CH12"} and len(lost) == 5  # Table 2, model development 3
    assert set(lost["text"]) == {""}
