"""Audit of running text: every count of n, percentage, interval and test statistic that can be checked by itself.

What is read, with numbers in digits or words:

- "47 of 84 (56%)", "56% (47/84)", "47 of 84 respondents, or 56 %": the percentage must follow from the count;
- "47 (56%)" in a paragraph that has said of how many: "84 respondents answered", "out of 84 respondents"; or in one
  that has not, where all paragraphs before it speak of one number of respondents or participants;
- "30% of the 84 respondents": some count must give the percentage (GRIM);
- "fifteen out of six": a count cannot exceed its n;
- "56.0% (95% CI 45.3–66.1%)": an estimate lies within its interval, and the interval's ends rise;
- "t(28) = 2.20, p = .04": see `analysis.survey.audit.teststats`.

Only what is certain counts as a contradiction, so that a sound text gives none. What is not read is not judged; what
stands in quotation marks is left out on request, since whoever quotes a wrong figure does not claim it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import pandas as pd

from analysis.stats.rounding import RULES, TIE_RULES, compatible_counts, printed_digits
from analysis.survey.audit.pages import Block, read_blocks
from analysis.survey.audit.percentages import lone_percent_test, percent_test
from analysis.survey.audit.printed import name_corrections, refuse, rule_problems
from analysis.survey.audit.teststats import KINDS, TestResult, extract_tests, judge_test

TEXT_COLUMNS = ["check", "place", "printed", "recomputed", "verdict", "correction"]
HOLDS = "holds"

_ONES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
_ONES += tuple(f"{stem}teen" for stem in ("thir", "four", "fif", "six", "seven", "eigh", "nine"))
_TENS = tuple(f"{stem}ty" for stem in ("twen", "thir", "for", "fif", "six", "seven", "eigh", "nine"))
_WORDS = {word: number for number, word in enumerate(_ONES)}
_WORDS |= {word: 10 * number for number, word in enumerate(_TENS, start=2)}
_WORDS |= {
    f"{tens}{joint}{one}": _WORDS[tens] + _WORDS[one] for tens in _TENS for one in _ONES[1:10] for joint in ("-", " ")
}
_PEOPLE = (
    r"(?:respondents?|participants?|interviewees?|people|persons?|users?|students?|practitioners?|professionals?|engineers?"
    r"|companies|organi[sz]ations|teams?|studies|papers?|articles?|sources?|answers?|responses|questionnaires?|interviews?"
    r"|patients?|subjects?|adults?|women|men|children|cases?|projects?|questions?|items?|percentages|checks|statements)"
)
_INTEGER = r"(?<![\w.,/+–-])(?:\d{1,3}(?:,\d{3})+|\d+)(?![\d/]|[.,]\d)"
_WORD = rf"\b(?:{'|'.join(sorted(_WORDS, key=len, reverse=True))})\b"
_COUNT = rf"(?:{_INTEGER}|{_WORD})"
_OF = rf"(?P<x>{_COUNT})\s+(?:out\s+of|of)\s+(?:the\s+|all\s+|our\s+|these\s+)*(?P<n>{_COUNT})"
_SLASH = r"(?<![\w.,/+–-])(?P<x>\d+)\s?/\s?(?P<n>\d+)(?![\d/]|[.,]\d)"
_PERCENT = r"(?<![\w.,–-])(?P<p>\d+(?:\.\d+)?)\s?(?:%|per\s?cent\b)"
_FEW_WORDS = r"(?:\s+[A-Za-z][\w'’-]*){0,4}"

_THEN_PERCENT = rf"{_FEW_WORDS}\s*(?:[(\[,:–—=]|\bor\b)\s*(?:that is,?\s*|i\.e\.,?\s*)?{_PERCENT}"
_COUNT_PERCENT = re.compile(_OF + _THEN_PERCENT, re.I)
_SLASH_PERCENT = re.compile(_SLASH + _THEN_PERCENT, re.I)
_PERCENT_COUNT = re.compile(rf"{_PERCENT}{_FEW_WORDS}\s*[(\[,]\s*(?:{_OF})", re.I)
_PERCENT_SLASH = re.compile(rf"{_PERCENT}{_FEW_WORDS}\s*[(\[,]\s*(?:{_SLASH})", re.I)
_OF_N = rf"of\s+(?:the\s+|all\s+|our\s+|these\s+)*(?P<n>{_COUNT})"
_PERCENT_OF = re.compile(rf"{_PERCENT}\s+{_OF_N}\s+(?:\w+\s+)?{_PEOPLE}", re.I)
_COUNT_OF = re.compile(_OF, re.I)
_BRACKETED = re.compile(rf"(?P<x>{_INTEGER})(?:\s+{_PEOPLE})?\s?\(\s?{_PERCENT}\s?\)", re.I)
_BASE = re.compile(
    rf"(?:(?:out\s+of|of|among)\s+(?:the\s+|all\s+|our\s+|these\s+)*(?P<a>{_COUNT})\b(?!\s?[(%])"
    rf"|(?P<b>{_COUNT})\s+(?:\w+\s+)?{_PEOPLE}|\b[nN]\s?=\s?(?P<c>\d[\d,]*))",
    re.I,
)
_SIGNED = r"[-−+]?\d{1,3}(?:,\d{3})+(?:\.\d+)?|[-−+]?\d*\.?\d+"
_INTERVAL = re.compile(
    rf"(?<![\w.,–−+-])(?P<value>{_SIGNED})\s?(?:%|[A-Za-z°]{{1,12}}(?:\s[a-z]{{1,10}})?)?\s?"
    r"[(\[]\s?\d+(?:\.\d+)?\s?%\s?-?\s?(?:CI|CrI|(?:confidence |credible )?interval)\s?[:=,]?\s?[(\[]?\s?"
    rf"(?P<low>{_SIGNED})\s?%?\s?(?:–|—|-|to\b|,|;|…)\s?(?P<high>{_SIGNED})"
)
_BARE_INTERVAL = re.compile(
    r"(?<![\w.,–−+-])(?P<value>\d+(?:\.\d+)?)\s?%"
    r"\s?\(\s?(?P<low>\d+(?:\.\d+)?)\s?%?\s?–\s?(?P<high>\d+(?:\.\d+)?)\s?%\s?\)"
)
_SLASH_OF = re.compile(rf"{_SLASH}\s+(?:\w+\s+)?{_PEOPLE}", re.I)
_SAMPLE = re.compile(rf"(?P<n>{_COUNT})\s+(?:\w+\s+)?(?:respondents|participants)\b", re.I)
_QUOTED = re.compile(r"“[^”]*”|\"[^\"]*\"|(?<!\w)‘[^’]{1,80}’(?!\w)")
_YEAR = re.compile(r"(?:19|20)\d\d")


def audit_text(
    path: Path, *, rules: Sequence[str] = TIE_RULES, alpha: float = 0.05, quotations: bool = True
) -> pd.DataFrame:
    """Check everything in a rendered page, PDF or text file that can be checked by itself.

    Parameters
    ----------
    path : Path
        HTML, PDF, Markdown or plain text.
    rules : sequence of str
        Rounding rules that the text may use; a percentage that only other rules explain contradicts, and this is said.
    alpha : float
        Level at which the decisions of tests are judged.
    quotations : bool
        Whether what stands in quotation marks is judged too.

    Returns
    -------
    DataFrame
        One row a statement, sound ones too: ``check``, ``place``, ``printed``, ``recomputed``, ``verdict`` ("holds" or
        "contradiction: …"), ``correction`` (the smallest change of one figure that would mend it).

    Raises
    ------
    InputError
        The file cannot be read, or an unknown rule.
    """
    return audit_blocks(read_blocks(path), rules=rules, alpha=alpha, quotations=quotations)


def audit_blocks(
    blocks: Iterable[Block], *, rules: Sequence[str] = TIE_RULES, alpha: float = 0.05, quotations: bool = True
) -> pd.DataFrame:
    """As `audit_text`, of text already cut into blocks."""
    refuse("A text cannot be audited.", rule_problems(rules))
    if not quotations:
        blocks = [Block(block.place, _QUOTED.sub("…", block.text)) for block in blocks]
    found = []
    samples: set[int] = set()
    for block in blocks:
        sample = next(iter(samples)) if len(samples) == 1 else None
        findings = (
            *_audit_counts(block.text, rules, sample),
            *_audit_intervals(block.text),
            *map(_test_finding, (judge_test(test, alpha=alpha) for test in extract_tests(block.text))),
        )
        found += [{"place": block.place, **finding} for finding in findings]
        samples |= {parse_count(match["n"]) for match in _SAMPLE.finditer(block.text)}
    return pd.DataFrame(found, columns=TEXT_COLUMNS)


def contradictions(findings: pd.DataFrame) -> pd.DataFrame:
    """The findings that cannot be right."""
    return findings[findings["verdict"].str.startswith("contradiction")].reset_index(drop=True)


def parse_count(text: str) -> int:
    """A whole number in digits or in words.

    >>> parse_count("1,024"), parse_count("Fifteen"), parse_count("eighty-four")
    (1024, 15, 84)
    """
    words = " ".join(text.lower().split())
    return _WORDS[words] if words in _WORDS else int(words.replace(",", ""))


def _audit_counts(text: str, rules: Sequence[str], sample: int | None) -> list[dict[str, str]]:
    """Counts and percentages; what one pattern has read is blanked for the next. ``sample``: n where none is said."""
    found: list[tuple[int, dict[str, str]]] = []

    def read(pattern: re.Pattern[str], judge: Callable[[re.Match[str]], dict[str, str] | None]) -> None:
        nonlocal text
        for match in pattern.finditer(text):
            finding = judge(match)
            if finding is not None:
                found.append((match.start(), finding))
                text = text[: match.start()] + "\0" * (match.end() - match.start()) + text[match.end() :]

    # Of how many is asked of the whole block, before anything is blanked out.
    bases = [(match.start(), parse_count(match["a"] or match["b"] or match["c"])) for match in _BASE.finditer(text)]

    def with_base(match: re.Match[str]) -> dict[str, str] | None:
        n = next((n for start, n in reversed(bases) if start < match.start()), sample)
        return None if n is None else _judge_percent(match, n, rules, said=False)

    def both(match: re.Match[str]) -> dict[str, str] | None:
        return _judge_percent(match, parse_count(match["n"]), rules, said=True)

    for pattern in (_COUNT_PERCENT, _SLASH_PERCENT, _PERCENT_COUNT, _PERCENT_SLASH):
        read(pattern, both)
    read(_PERCENT_OF, lambda match: _judge_lone(match, rules))
    read(_BRACKETED, with_base)
    read(_COUNT_OF, _judge_count)
    read(_SLASH_OF, _judge_count)
    return [finding for _, finding in sorted(found, key=lambda pair: pair[0])]


def _judge_percent(match: re.Match[str], n: int, rules: Sequence[str], *, said: bool) -> dict[str, str] | None:
    """``said``: n stands in the statement itself; else it may be another's, and a count above it says nothing."""
    printed, percent, count = match[0], match["p"], parse_count(match["x"])
    if n == 0 or count > n:
        return _judge_count(match) if said and n else None
    result = percent_test(percent, count, n, rules=rules)
    verdict = HOLDS
    if not result.consistent:
        verdict = f"contradiction: {count} of {n} is {result.expected} %"
        if result.rules:
            verdict += f"; {percent} only if {' or '.join(RULES[rule] for rule in result.rules)}"
    precise = f"{100 * count / n:.{printed_digits(percent) + 2}f} % of {n}"
    return _finding("percentage follows from count", printed, precise, verdict, name_corrections(result.corrections))


def _judge_lone(match: re.Match[str], rules: Sequence[str]) -> dict[str, str] | None:
    percent, n = match["p"], parse_count(match["n"])
    if n == 0 or float(percent) > 100:
        return None
    result = lone_percent_test(percent, n, rules=rules)
    counts = sorted({count for rule in rules for count in compatible_counts(percent, n, rule=rule)})
    shown = ", ".join(map(str, counts)) if len(counts) <= 3 else f"{counts[0]} to {counts[-1]}"
    verdict = HOLDS if result.consistent else f"contradiction: no count of {n} prints as {percent} %"
    recomputed = f"{shown or 'no count'} of {n}"
    correction = name_corrections(result.corrections)
    return _finding("some count gives the percentage", match[0], recomputed, verdict, correction)


def _judge_count(match: re.Match[str]) -> dict[str, str] | None:
    count, n = parse_count(match["x"]), parse_count(match["n"])
    if _YEAR.fullmatch(match["x"]) or _YEAR.fullmatch(match["n"]):
        return None
    verdict = HOLDS if count <= n else f"contradiction: {count} cannot be of {n}"
    correction = "" if count <= n else f"count {count} → {n} or less, or n {n} → {count} or more"
    return _finding("count within n", match[0], f"{count} of {n}", verdict, correction)


def _audit_intervals(text: str) -> list[dict[str, str]]:
    found = []
    for match in sorted([*_INTERVAL.finditer(text), *_BARE_INTERVAL.finditer(text)], key=lambda match: match.start()):
        value, low, high = (_decimal(match[name]) for name in ("value", "low", "high"))
        # Each number is off by half a unit of its last digit at most.
        slack = {name: 0.5 * 10.0 ** -printed_digits(match[name]) for name in ("value", "low", "high")}
        if low > high:
            verdict = "contradiction: the interval ends below where it begins"
        elif low - slack["low"] - slack["value"] <= value <= high + slack["high"] + slack["value"]:
            verdict = HOLDS
        else:
            verdict = "contradiction: the estimate lies outside its interval"
        found.append(_finding("estimate within its interval", match[0], f"{low:g} to {high:g}", verdict, ""))
    return found


def _test_finding(result: TestResult) -> dict[str, str]:
    verdict = HOLDS
    if not result.consistent:
        verdict = "contradiction: " + ("another decision" if result.decision_error else "another p")
        verdict += f"; {result.note}" if result.note else ""
    recomputed = f"p = {result.p:.4g} ({result.low:.4g} to {result.high:.4g})"
    check = f"p follows from {KINDS[result.found.kind]}"
    return _finding(check, result.found.raw, recomputed, verdict, result.correction)


def _decimal(text: str) -> float:
    return float(text.replace("−", "-").replace(",", ""))


def _finding(check: str, printed: str, recomputed: str, verdict: str, correction: str) -> dict[str, str]:
    return {
        "check": check,
        "printed": " ".join(printed.split()),
        "recomputed": recomputed,
        "verdict": verdict,
        "correction": correction,
    }
