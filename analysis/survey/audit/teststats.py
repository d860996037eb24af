"""Test statistics found in running text, with their p recomputed from statistic and degrees of freedom.

The idea and the rules of judgement are those of statcheck (M. B. Nuijten and others (2016), Behavior Research Methods
48, 1205–1226; R package statcheck 1.6): a statistic may have been rounded, so every p within its rounding is right; p
equal to zero is not; an error that moves p across alpha changes the decision. Reading is more tolerant: semicolons,
square brackets, effect sizes between statistic and p, minus signs of any kind, and R's own output are understood.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import inf, isfinite, sqrt

from scipy import stats

from analysis.survey.audit.printed import step_printed

KINDS: dict[str, str] = {"t": "t", "F": "F", "r": "r", "z": "z", "chi2": "χ²", "Q": "Q"}
"""Kind of statistic → its sign in print. Q has the chi-squared distribution (heterogeneity, Cochran)."""

_TWO_SIDED = ("t", "r", "z")
_ONE_TAILED = re.compile(r"one.?(?:tailed|sided)|directional", re.IGNORECASE)
_NOT_ONE_TAILED = re.compile(r"non.?directional|(?:not|never|than) (?:a )?one.?(?:tailed|sided)", re.IGNORECASE)

_COMPARE = r"(?P<{0}>=|<|>)"
_VALUE = r"(?P<value>-?\d{1,3}(?:,\d{3})+(?:\.\d+)?|-?\d*\.?\d+)"
_DF = r"\d*\.?\d+"
_P = (
    rf"(?:\b[pP](?:[ -]?values?)?\s*{_COMPARE.format('p_is')}\s*(?P<p>0?\.\d+(?:e-?\d+)?|1\.0+(?!\d)|[01](?!\.?\d))"
    r"|\b(?P<ns>n\.?s\b))"
)
_KIND = (
    rf"(?:(?<![A-Za-z])(?P<t>t)\s*[(\[]\s*(?P<t_df>{_DF})\s*[)\]]"
    rf"|(?<![A-Za-z])(?P<r>r)\s*[(\[]\s*(?P<r_df>{_DF})\s*[)\]]"
    rf"|(?<![A-Za-z])(?P<F>F)\s*[(\[]\s*(?P<F_df1>[Il]|{_DF})\s*[,;]\s*(?P<F_df2>{_DF})\s*[)\]]"
    rf"|(?<![A-Za-z])(?P<chi2>chi2)\s*[(\[]\s*(?P<chi2_df>{_DF})\s*(?:,\s*[nN]\s*=\s*[\d,]+\s*)?[)\]]"
    rf"|(?<![A-Za-z])(?P<Q>Q)\s?-?\s?(?:w(?:ithin)?|b(?:etween)?)?\s*[(\[]\s*(?P<Q_df>{_DF})\s*[)\]]"
    r"|(?<![A-Za-z])(?P<z>[zZ]))"
)
_START = r"(?<![A-Za-z])(?:[trFQ]|chi2)\s?[(\[]|(?<![A-Za-z])[zZ]\s?[=<>]"
_GAP = rf"(?:(?!{_START}|[.!?]\s+[A-Z]|\b[pP]\s*[=<>]).){{0,80}}?"
_APA = re.compile(rf"{_KIND}\s*{_COMPARE.format('is')}\s*{_VALUE}(?!\d|\.\d)\s*[,;]?{_GAP}[\s,;(]{_P}", re.DOTALL)
_R_OUTPUT = re.compile(
    rf"(?<![A-Za-z])(?P<kind>t|chi2)\s*{_COMPARE.format('is')}\s*{_VALUE}\s*,\s*df\s*=\s*(?P<df>{_DF})\s*,\s*{_P}"
)
_SPELLINGS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile("[\u2212\u2013\u2014\u2010\u2011\uff0d]\\s*(?=[\\d.])"), "-"),
    (re.compile("[\u00a0\u2009\u202f\u2007]"), " "),
    (re.compile("[*_](?=[tFrzZQpP\u03c7]\\b)|(?<=\\b[tFrzZQpP])[*_]"), ""),
    (
        re.compile(
            r"(?<![A-Za-z])(?:χ|Χ|𝜒|[Cc]hi|[xX](?=\s?[²2(^]|-squared))"
            r"(?:_|\^|\s)?-?(?:²|2|squared?)?(?=\s?[(\[]|\s?=)"
        ),
        "chi2",
    ),
    (re.compile("≤|<="), "<"),
    (re.compile("≥|>="), ">"),
)


@dataclass(frozen=True, slots=True)
class FoundTest:
    """A test statistic as a text reports it: ``value`` and ``p`` as printed, ``p`` empty where it says n.s."""

    raw: str
    kind: str
    df1: float | None
    df2: float | None
    comparison: str
    value: str
    p_comparison: str
    p: str
    one_tailed: bool


@dataclass(frozen=True, slots=True)
class TestResult:
    """Judgement of a reported test.

    Attributes
    ----------
    p : float
        Recomputed, two-sided for t, r and z unless the sentence says one-tailed.
    low, high : float
        p over all statistics that print as this one.
    consistent : bool
        What is printed can be right.
    decision_error : bool
        What is printed and what is recomputed lie on different sides of alpha (and it is not consistent).
    note : str
        What else would explain it, such as a one-tailed test that is not said to be one.
    correction : str
        The smallest change that would mend it; empty where nothing needs mending.
    """

    __test__ = False  # not a test of pytest's

    found: FoundTest
    p: float
    low: float
    high: float
    consistent: bool
    decision_error: bool
    note: str
    correction: str


def extract_tests(text: str) -> list[FoundTest]:
    """Every t, F, χ², r, z and Q with its p in a text.

    A correlation above 1 is not taken for one. Whether a test is one-tailed is asked of its own sentence.

    Examples
    --------
    >>> [(test.kind, test.df2, test.value, test.p) for test in extract_tests("It rose, t(28) = 2.20; p = .036.")]
    [('t', 28.0, '2.20', '.036')]
    >>> [test.kind for test in extract_tests("χ²(1, N = 84) = 3.25, p = .07, and Z = −2.42, p = 0.016")]
    ['chi2', 'z']
    """
    for pattern, plain in _SPELLINGS:
        text = pattern.sub(plain, text)
    found = []
    for match in sorted([*_APA.finditer(text), *_R_OUTPUT.finditer(text)], key=lambda match: match.start()):
        groups = match.groupdict()
        kind = groups.get("kind") or next(name for name in KINDS if groups.get(name))
        if kind == "r" and abs(float(groups["value"])) > 1:
            continue
        df = groups.get("df") or groups.get(f"{kind}_df")
        first, second = {
            "F": (groups.get("F_df1"), groups.get("F_df2")),
            "t": (None, df),
            "r": (None, df),
            "z": (None, None),
        }.get(kind, (df, None))
        sentence = _sentence(text, match.start(), match.end())
        found.append(
            FoundTest(
                " ".join(match[0].split()),
                kind,
                1.0 if first in ("I", "l") else _number(first),  # set in type, 1 has been read as a letter
                _number(second),
                groups["is"],
                groups["value"].replace(",", ""),
                ">" if groups["ns"] else groups["p_is"],
                "" if groups["ns"] else groups["p"],
                bool(_ONE_TAILED.search(_NOT_ONE_TAILED.sub("", sentence))),
            )
        )
    return found


def compute_p(kind: str, value: float, df1: float | None, df2: float | None, *, tails: int = 2) -> float:
    """Probability of a statistic at least as far out; ``tails`` matters for t, r and z alone.

    >>> round(compute_p("t", 2.20, None, 28), 4), round(compute_p("F", 2.20, 2, 28), 4)
    (0.0362, 0.1296)
    """
    if kind == "t":
        p = stats.t.sf(abs(value), df2)
    elif kind == "r":
        p = stats.t.sf(abs(value) * sqrt(df2 / (1 - value**2)) if abs(value) < 1 else inf, df2)
    elif kind == "z":
        p = stats.norm.sf(abs(value))
    elif kind == "F":
        p = stats.f.sf(value, df1, df2)
    else:
        p = stats.chi2.sf(value, df1)
    return float(p * (tails if kind in _TWO_SIDED else 1))


def judge_test(found: FoundTest, *, alpha: float = 0.05) -> TestResult:
    """Recompute p and compare it with what is printed.

    Parameters
    ----------
    found : FoundTest
        From `extract_tests`.
    alpha : float
        Level at which decisions are judged and which n.s. refers to; p = alpha counts as significant.

    Examples
    --------
    >>> result = judge_test(extract_tests("t(28) = 2.20, p = .06")[0])
    >>> result.consistent, result.decision_error, result.correction
    (False, True, 'p = .06 → p = .04')
    """
    tails = 1 if found.one_tailed and found.kind in _TWO_SIDED else 2
    p, low, high = _range(found, tails)
    consistent = _fits(found, low, high, alpha)
    note = ""
    if not consistent and found.kind in _TWO_SIDED:
        other = _range(found, 3 - tails)
        if _fits(found, *other[1:], alpha):
            note = "it would follow from a one-tailed test" if tails == 2 else "it would follow from a two-tailed test"
    if _zero(found):
        note = "a p is never zero"
    wrong = not consistent and _decides_otherwise(found, p, alpha)
    return TestResult(found, p, low, high, consistent, wrong, note, "" if consistent else _correction(found, p))


def _range(found: FoundTest, tails: int) -> tuple[float, float, float]:
    """p of the statistic as printed, and of the ends of its rounding."""
    half = 0.5 * 10.0 ** -_digits(found.value)
    size = abs(float(found.value))
    near, far = max(0.0, size - half), size + half
    if found.kind == "r":
        far = min(far, 1.0)

    def p_of(value: float) -> float:
        return compute_p(found.kind, value, found.df1, found.df2, tails=tails)

    return p_of(size), p_of(far), p_of(near)


def _fits(found: FoundTest, low: float, high: float, alpha: float) -> bool:
    """Whether some p from low to high makes the printed comparison true; the rules are statcheck's."""
    if _zero(found):
        return False
    printed = alpha if not found.p else float(found.p)
    half = 0.5 * 10.0 ** -_digits(found.p) if found.p_comparison == "=" else 0.0
    slack = 1e-12
    if found.comparison == "<":  # the statistic is smaller, so p is larger than `high` would say
        high, low = inf, high
    elif found.comparison == ">":
        high, low = low, 0.0
    if found.p_comparison == "=":
        return low - half - slack <= printed <= high + half + slack
    return printed >= low - slack if found.p_comparison == "<" else printed <= high + slack


def _decides_otherwise(found: FoundTest, p: float, alpha: float) -> bool:
    printed = alpha if not found.p else float(found.p)
    if found.p_comparison == "=":
        return (printed <= alpha) != (p <= alpha)
    if found.p_comparison == "<":
        return printed <= alpha < p
    return p <= alpha <= printed


def _correction(found: FoundTest, p: float) -> str:
    """The p that follows, at the printed precision; or the other sign where the comparison points the wrong way."""
    printed = f"p {found.p_comparison} {found.p}" if found.p else "n.s."
    if found.comparison != "=" or not isfinite(p):
        return ""
    if found.p_comparison != "=" and found.p and not _zero(found):
        return f"{printed} → p {'>' if found.p_comparison == '<' else '<'} {found.p}"
    digits = max(2, _digits(found.p)) if found.p else 3
    if round(p, digits) == 0:
        return f"{printed} → p < {_lead(step_printed('0.' + '0' * digits, 1), found)}"
    return f"{printed} → p = {_lead(f'{p:.{digits}f}', found)}"


def _lead(number: str, found: FoundTest) -> str:
    """With or without the zero before the point, as the source writes it."""
    return number.removeprefix("0") if not found.p or found.p.startswith(".") else number


def _zero(found: FoundTest) -> bool:
    return bool(found.p) and float(found.p) <= 0


def _digits(number: str) -> int:
    mantissa, _, exponent = number.lower().partition("e")
    return len(mantissa.partition(".")[2]) - int(exponent or 0)


def _number(text: str | None) -> float | None:
    return None if text is None else float(text)


def _sentence(text: str, start: int, end: int) -> str:
    """What surrounds a match up to full stops, other clauses with a test of their own, and line ends."""
    before = re.split(rf"[.!?]\s+(?=[A-Z])|\n|{_P}", text[:start])[-1] or ""
    after = re.split(rf"[.!?]\s+(?=[A-Z])|\n|{_START}|\bbut\b", text[end:])[0] or ""
    return before + text[start:end] + after
