"""One look for every figure: sizes in inches on the page, colours that survive a black-and-white printer.

Figures are drawn at the width at which they are printed, so a font size given here is the size on
paper. Colours that stand for different things differ in lightness, not only in hue; `lightness`
is what the tests check.
"""

from __future__ import annotations

from typing import Any

import matplotlib as mpl
import seaborn as sns
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

TEXT_WIDTH_IN = 6.1
"""Width of the text block on A4, in inches; no figure is wider."""

FONT_SIZE_PT = 8.5
SMALL_SIZE_PT = 7.5

PALETTE: dict[str, str] = {
    "primary": "#1f4e79",  # dark: the thing looked at
    "secondary": "#c9772b",  # middle: what it is compared with
    "tertiary": "#a9c6df",  # light: a third group
    "ink": "#222222",
    "muted": "#767676",
    "rule": "#d0d0d0",
    "paper": "#f3f1ec",  # boxes and bands behind text
    "white": "#ffffff",
}
"""Colours by role."""

SERIES: tuple[str, ...] = (PALETTE["primary"], PALETTE["secondary"], PALETTE["tertiary"])
"""Unordered groups, dark to light."""

DIVERGING: tuple[str, ...] = ("#a4561a", "#e3ad7c", "#e9e7e2", "#8db4d6", "#1f4e79")
"""Five ordered answers, from disagreement over the midpoint to agreement; each side darkens outwards."""

_RC: dict[str, Any] = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],  # ships with matplotlib: same glyphs, same layout on every machine
    "font.size": FONT_SIZE_PT,
    "axes.titlesize": FONT_SIZE_PT,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": FONT_SIZE_PT,
    "xtick.labelsize": FONT_SIZE_PT,
    "ytick.labelsize": FONT_SIZE_PT,
    "legend.fontsize": FONT_SIZE_PT,
    "legend.title_fontsize": FONT_SIZE_PT,
    "legend.frameon": False,
    "axes.edgecolor": PALETTE["muted"],
    "axes.labelcolor": PALETTE["ink"],
    "text.color": PALETTE["ink"],
    "xtick.color": PALETTE["ink"],
    "ytick.color": PALETTE["ink"],
    "grid.color": PALETTE["rule"],
    "axes.linewidth": 0.6,
    "grid.linewidth": 0.5,
    "lines.linewidth": 1.2,
    "patch.linewidth": 0.6,
    "hatch.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "figure.dpi": 110,
    "savefig.dpi": 200,
    "svg.fonttype": "path",  # letters become outlines: both renderers show the same, whatever fonts they have
}


def apply() -> None:
    """Set the theme for everything drawn from now on; calling it again changes nothing."""
    sns.set_theme(context="paper", style="ticks", palette=list(SERIES))
    mpl.rcParams.update(_RC)


def new_figure(height_in: float, **kw: Any) -> tuple[Figure, Any]:
    """A themed figure as wide as the text, and its axes.

    Parameters
    ----------
    height_in : float
        Height on paper, in inches.
    **kw
        Handed to ``Figure.subplots`` (``nrows``, ``ncols``, ``sharex``, ``width_ratios``, …);
        ``width_in`` makes a narrower figure.

    Returns
    -------
    (matplotlib.figure.Figure, Axes or array of Axes)
        Laid out by matplotlib's constrained layout. The figure is not registered with pyplot, so
        nothing has to be closed.
    """
    apply()
    width_in = kw.pop("width_in", TEXT_WIDTH_IN)
    figure = Figure(figsize=(width_in, height_in), layout="constrained")
    return figure, figure.subplots(**kw)


def lightness(colour: str) -> float:
    """Perceived lightness of a colour from 0 (black) to 1 (white): CIE L* / 100.

    This is what a colour becomes on a black-and-white printer.

    >>> lightness("white"), lightness("black")
    (1.0, 0.0)
    """
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour)]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    value = 116 * luminance ** (1 / 3) - 16 if luminance > 216 / 24389 else luminance * 24389 / 27
    return round(value / 100, 6)
