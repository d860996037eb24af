"""Network: named boxes joined by lines, thicker for more, laid out so that no box covers another.

Parts that no line joins are laid out each by itself: networkx's force-directed layout from several seeded starts, boxes
then pushed apart, and of these the one in which the fewest lines run behind a box that they do not belong to and, among
those, the fewest cross. Seeded random moves of single boxes then better it by the same measure.
Lines that are well supported are solid and dark, others dashed and lighter: the picture reads without colour.
"""

from __future__ import annotations

from textwrap import wrap

import networkx as nx
import numpy as np
import pandas as pd
from matplotlib.colors import LinearSegmentedColormap, to_hex
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import FancyBboxPatch, Patch

from analysis.base.errors import InputError, Problem
from analysis.plots import theme
from analysis.plots.labels import text_height, text_width

PAGE_HEIGHT_IN = 8.9
"""Height of the text block on A4 less a caption of three lines."""

_WRAP = 17
_PAD_PT = 3.5
_GAP_PT = 9.0
_LINK_PT = 17.0  # between boxes that are joined: room for their line
_PART_PT = 20.0  # between parts that no line joins
_CLEAR_PT = 2.5  # between a line and a box that it does not join
_STARTS = 8
_ROUNDS = 200
_MOVES = 70  # a box
_LEGEND_IN = 0.55
_FILLS = LinearSegmentedColormap.from_list("sizes", [theme.PALETTE["white"], theme.PALETTE["tertiary"]])
_WIDTHS_PT = (0.7, 4.2)


def draw_network(
    nodes: pd.DataFrame,
    edges: pd.DataFrame,
    *,
    seed: int,
    weight_label: str,
    firm_label: str,
    loose_label: str,
    size_label: str,
) -> Figure:
    """Draw nodes as boxes with their names and edges as lines between them.

    Parameters
    ----------
    nodes : DataFrame
        ``key``, ``label`` (broken into lines where long), ``size``: the fill, from white to a light tint.
    edges : DataFrame
        ``first``, ``second`` (keys), ``weight`` (thickness), ``firm`` (boolean: solid, else dashed).
    seed : int
        Of the layout.
    weight_label, firm_label, loose_label, size_label : str
        Legend: what thickness, solid and dashed lines, and fill mean.

    Returns
    -------
    matplotlib.figure.Figure
        As wide as the text, as high as the boxes need.

    Raises
    ------
    InputError
        No node or edge, repeated keys or edges, an edge to itself or to an unknown node, a weight that is not
        positive (these listed together), or more boxes than fit on a page.
    """
    _check(nodes, edges)
    labels = ["\n".join(wrap(str(label), _WRAP, break_long_words=False)) for label in nodes["label"]]
    sizes = np.array([[text_width(w) + 2 * _PAD_PT, text_height(w) + 2 * _PAD_PT - 1.5] for w in labels])
    width = 72 * theme.TEXT_WIDTH_IN - 10
    keys = list(nodes["key"])
    ends = np.array([[keys.index(edge.first), keys.index(edge.second)] for edge in edges.itertuples()])
    weights = edges["weight"].to_numpy(dtype=float)
    places, height = place_boxes(sizes, ends, weights, width, seed)
    height_in = (height + 8) / 72 + _LEGEND_IN
    if height_in > PAGE_HEIGHT_IN:
        what = f"{height_in:.1f} inches high, a page has {PAGE_HEIGHT_IN}"
        raise InputError("The network does not fit.", [Problem("nodes", what, "draw fewer nodes or edges")])
    figure, axes = theme.new_figure(height_in)
    largest = weights.max()
    for (i, j), weight, firm in zip(ends, weights, edges["firm"], strict=True):
        style = (
            {"color": theme.PALETTE["primary"]} if firm else {"color": theme.PALETTE["muted"], "linestyle": (0, (3, 2))}
        )
        axes.plot(*places[[i, j]].T, linewidth=_thickness(weight, largest), zorder=1, solid_capstyle="butt", **style)
    most = float(nodes["size"].max())
    for words, centre, extent, size in zip(labels, places, sizes, nodes["size"], strict=True):
        axes.add_patch(
            FancyBboxPatch(
                tuple(centre - extent / 2),
                *extent,
                boxstyle="round,pad=0,rounding_size=3",
                facecolor=to_hex(_FILLS(float(size) / most)),
                edgecolor=theme.PALETTE["ink"],
                linewidth=0.7,
                zorder=2,
            )
        )
        axes.text(
            *centre, words, ha="center", va="center", fontsize=theme.SMALL_SIZE_PT, linespacing=1.15, zorder=3
        )  # fmt: skip
    axes.set_xlim(-2, width + 2)
    axes.set_ylim(-2, height + 2)
    axes.set_aspect("equal")
    axes.set_axis_off()
    figure.legend(
        handles=_legend(weights, float(nodes["size"].min()), most, edges["firm"], weight_label, firm_label, loose_label,
                        size_label),
        loc="outside lower center", ncols=3, columnspacing=1.4, handlelength=2.6,
    )  # fmt: skip
    return figure


def place_boxes(
    sizes: np.ndarray, ends: np.ndarray, weights: np.ndarray, width: float, seed: int
) -> tuple[np.ndarray, float]:
    """Centres of boxes so that none overlaps another, and the height that they need.

    Every connected part is laid out by itself; the parts are then set side by side in rows, the highest first.

    Parameters
    ----------
    sizes : array, shape (boxes, 2)
        Width and height of each box.
    ends : array, shape (edges, 2)
        Places of the boxes that each edge joins.
    weights : array
        Of the edges; heavier ones pull more.
    width : float
        Of the area, in the unit of the sizes.
    seed : int

    Raises
    ------
    InputError
        A connected part cannot be laid out within the width.
    """
    graph = nx.Graph()
    graph.add_nodes_from(range(len(sizes)))
    pull = zip(ends.tolist(), (weights / weights.max()).tolist(), strict=True)
    graph.add_weighted_edges_from([(i, j, weight) for (i, j), weight in pull])
    parts = []
    for members in nx.connected_components(graph):
        chosen = np.array(sorted(members))
        inside = np.searchsorted(chosen, ends[np.isin(ends[:, 0], chosen)])
        placed = _place_part(nx.convert_node_labels_to_integers(graph.subgraph(chosen.tolist()), ordering="sorted"),
                             sizes[chosen], inside, width, seed)  # fmt: skip
        if placed is None:
            what = f"{len(chosen)} joined boxes on {width / 72:.1f} inches"
            raise InputError("The network does not fit.", [Problem("nodes", what, "draw fewer nodes or edges")])
        corner = (placed - sizes[chosen] / 2).min(axis=0)
        extent = (placed + sizes[chosen] / 2).max(axis=0) - corner
        parts.append((chosen, placed - corner, extent))
    return _pack(parts, len(sizes), width)


def _place_part(graph: nx.Graph, sizes: np.ndarray, ends: np.ndarray, width: float, seed: int) -> np.ndarray | None:
    """The best of several layouts of one connected part; None where none comes apart within the width."""
    roomy = sizes + 2 * _GAP_PT
    needed = 1.5 * roomy.prod(axis=1).sum()
    across = min(width, max(sizes[:, 0].max(), np.sqrt(needed * 1.3))) if len(sizes) > 2 else sizes[:, 0].max()
    gaps = np.full((len(sizes), len(sizes)), _GAP_PT)
    gaps[ends[:, 0], ends[:, 1]] = gaps[ends[:, 1], ends[:, 0]] = _LINK_PT
    best, least = None, (np.inf, np.inf, np.inf)
    for growth in (1.0, 1.25, 1.6, 2.1):
        area = np.array([min(width, across * np.sqrt(growth)), roomy[:, 1].max() + needed * growth / across])
        found = []
        for start in range(_STARTS if len(sizes) > 2 else 1):
            layout = nx.spring_layout(graph, seed=seed + start, k=2.0 / np.sqrt(len(sizes)), iterations=80)
            raw = np.array([layout[node] for node in range(len(sizes))])
            spread = np.ptp(raw, axis=0)
            unit = (raw - raw.min(axis=0)) / np.where(spread > 0, spread, 1)
            placed = push_apart(sizes / 2 + unit * (area - sizes), sizes, area, gaps)
            if placed is None:
                continue
            found.append((_cost(placed, sizes, ends), start, placed))
        if found:
            better = _better(min(found)[2], sizes, ends, gaps, area, np.random.default_rng(seed))
            if (cost := _cost(better, sizes, ends)) < least:
                best, least = better, cost
            if least[0] == 0:
                break
    return best


def _better(
    placed: np.ndarray,
    sizes: np.ndarray,
    ends: np.ndarray,
    gaps: np.ndarray,
    area: np.ndarray,
    rng: np.random.Generator,
) -> np.ndarray:
    """The layout after random moves of single boxes, each kept where it lowers `_cost` and brings no box too near."""
    placed, least = placed.copy(), _cost(placed, sizes, ends)
    moves = _MOVES * len(sizes)
    for move in range(moves):
        box = int(rng.integers(len(sizes)))
        reach = area * (0.5 - 0.45 * move / moves)
        centre = np.clip(placed[box] + rng.normal(size=2) * reach / 2, sizes[box] / 2, area - sizes[box] / 2)
        near = np.abs(placed - centre) < (sizes + sizes[box]) / 2 + gaps[box][:, None]
        near[box] = False
        if near.all(axis=1).any():
            continue
        before = placed[box].copy()
        placed[box] = centre
        cost = _cost(placed, sizes, ends)
        if cost < least:
            least = cost
        else:
            placed[box] = before
    return placed


def _cost(placed: np.ndarray, sizes: np.ndarray, ends: np.ndarray) -> tuple[int, int, float]:
    """Lines behind boxes, lines that cross, and the length of all lines, in order of weight."""
    length = np.linalg.norm(placed[ends[:, 0]] - placed[ends[:, 1]], axis=1).sum()
    return _hidden_lines(placed, sizes, ends), _crossings(placed, ends), float(length)


def _pack(parts: list[tuple[np.ndarray, np.ndarray, np.ndarray]], boxes: int, width: float) -> tuple[np.ndarray, float]:
    """Parts in rows from the top, the highest first, spread over the width; and the height of all rows."""
    rows: list[list[tuple[np.ndarray, np.ndarray, np.ndarray]]] = []
    for part in sorted(parts, key=lambda part: (-part[2][1], -part[2][0])):
        for row in rows:
            if sum(other[2][0] + _PART_PT for other in row) + part[2][0] <= width:
                row.append(part)
                break
        else:
            rows.append([part])
    heights = [max(part[2][1] for part in row) for row in rows]
    height = sum(heights) + _PART_PT * (len(rows) - 1)
    centres, top = np.zeros((boxes, 2)), height
    for row, tall in zip(rows, heights, strict=True):
        free = (width - sum(part[2][0] for part in row)) / (len(row) + 1)
        left = free
        for chosen, placed, extent in row:
            centres[chosen] = placed + np.array([left, top - (tall + extent[1]) / 2])
            left += extent[0] + free
        top -= tall + _PART_PT
    return centres, float(height)


def push_apart(centres: np.ndarray, sizes: np.ndarray, area: np.ndarray, gaps: np.ndarray) -> np.ndarray | None:
    """Centres moved until no two boxes are nearer than their gap; None where they do not come apart in the area.

    Boxes that are too near move along the direction in which less is missing, by half of it each, and stay in the area.
    """
    placed = centres.astype(float).copy()
    low, high = sizes / 2, area - sizes / 2
    if np.any(low > high):
        return None
    needed = (sizes[:, None] + sizes[None]) / 2 + gaps[:, :, None]
    upper = np.triu(np.ones(needed.shape[:2], dtype=bool), k=1)
    for _ in range(_ROUNDS):
        missing = needed - np.abs(placed[:, None] - placed[None])
        pairs = np.argwhere(upper & (missing > 1e-6).all(axis=2))
        if len(pairs) == 0:
            return placed
        for i, j in pairs:
            away = placed[i] - placed[j]
            lack = needed[i, j] - np.abs(away)
            if np.any(lack <= 0):
                continue
            along = int(np.argmin(lack))
            step = lack[along] / 2 + 0.05
            sign = 1.0 if away[along] > 0 or (away[along] == 0 and i > j) else -1.0
            placed[i, along] += sign * step
            placed[j, along] -= sign * step
            placed[[i, j]] = np.clip(placed[[i, j]], low[[i, j]], high[[i, j]])
    return None


def _hidden_lines(places: np.ndarray, sizes: np.ndarray, ends: np.ndarray) -> int:
    """How often a line passes behind or touches a box that it does not join (slab test of lines against boxes)."""
    sizes = sizes + 2 * _CLEAR_PT
    start, along = places[ends[:, 0]][:, None], (places[ends[:, 1]] - places[ends[:, 0]])[:, None]
    safe = np.where(np.abs(along) > 1e-9, along, 1e-9)
    near = (places - sizes / 2 - start) / safe
    far = (places + sizes / 2 - start) / safe
    enter = np.minimum(near, far).max(axis=2)
    leave = np.maximum(near, far).min(axis=2)
    hit = (enter < leave) & (leave > 0) & (enter < 1)
    hit[np.arange(len(ends))[:, None], ends] = False
    return int(hit.sum())


def _crossings(places: np.ndarray, ends: np.ndarray) -> int:
    """How many pairs of lines cross; lines that meet in a box do not count."""

    def side(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
        return (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0])

    one, other = np.triu_indices(len(ends), k=1)
    apart = (ends[one][:, :, None] != ends[other][:, None]).all(axis=(1, 2))
    (a, b), (c, d) = (places[ends[which[apart]]].transpose(1, 0, 2) for which in (one, other))
    return int(((side(a, b, c) * side(a, b, d) < 0) & (side(c, d, a) * side(c, d, b) < 0)).sum())


def _thickness(weight: float, largest: float) -> float:
    return _WIDTHS_PT[0] + (_WIDTHS_PT[1] - _WIDTHS_PT[0]) * weight / largest


def _legend(
    weights: np.ndarray,
    fewest: float,
    most: float,
    firm: pd.Series,
    weight_label: str,
    firm_label: str,
    loose_label: str,
    size_label: str,
) -> list[Line2D | Patch]:
    dark = theme.PALETTE["primary"]
    handles: list[Line2D | Patch] = [
        Line2D([], [], color=dark, linewidth=_thickness(w, weights.max()), label=f"{w:g} {weight_label}")
        for w in sorted({weights.min(), weights.max()})
    ]
    if firm.any():
        handles.append(Line2D([], [], color=dark, linewidth=1.6, label=firm_label))
    if not firm.all():
        style = {"color": theme.PALETTE["muted"], "linestyle": (0, (3, 2)), "linewidth": 1.6}
        handles.append(Line2D([], [], label=loose_label, **style))
    handles += [
        Patch(facecolor=to_hex(_FILLS(size / most)), edgecolor=theme.PALETTE["ink"], label=f"{size:g} {size_label}")
        for size in sorted({fewest, most})
    ]
    return handles


def _check(nodes: pd.DataFrame, edges: pd.DataFrame) -> None:
    problems = [
        Problem(name, "there is none", "give one or more")
        for name, frame in (("nodes", nodes), ("edges", edges))
        if frame.empty
    ]
    keys = set(nodes["key"])
    problems += [
        Problem("nodes", f"'{key}' comes twice", "one row each") for key in nodes.loc[nodes["key"].duplicated(), "key"]
    ]
    seen: set[frozenset] = set()
    for edge in edges.itertuples():
        pair, where = frozenset((edge.first, edge.second)), f"edge {edge.first}, {edge.second}"
        problems += [Problem(where, f"unknown node '{end}'", "add it") for end in sorted(pair - keys)]
        if len(pair) == 1:
            problems.append(Problem(where, "joins a node with itself", "leave it out"))
        if pair in seen:
            problems.append(Problem(where, "comes twice", "one row each"))
        if not edge.weight > 0:
            problems.append(Problem(where, f"a weight of {edge.weight:g}", "more than 0"))
        seen.add(pair)
    if problems:
        raise InputError("The network cannot be drawn.", problems)
