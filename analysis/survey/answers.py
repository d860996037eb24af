"""Cells of text into answers: options, booleans, numbers, dates; what cannot be an answer is collected, never guessed.

Everything works on the distinct texts of a column, so that a million rows cost hardly more than their reading.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from analysis.base.errors import Problem
from analysis.survey.importers.cells import is_text
from analysis.survey.instrument import Question
from analysis.survey.mapping import Mapping, QuestionMapping, normalise

MOST_LINES = 8
"""Lines named in one message; the rest are counted."""
MOST_TEXTS = 5
"""Different texts named for one column: more of them mean that the wrong column is mapped."""
_ZONE = re.compile(r"\s*(?:GMT|UTC)(?:([+-])(\d{1,2})(?::?(\d{2}))?)?$")
"""Time zones that `strptime` does not read as an offset, at the end of a time."""


class Findings:
    """What is wrong with the cells, by column and text, with the lines of each."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.problems: list[Problem] = []

    def note(self, column: str, lines: Iterable[int], what: str, remedy: str = "") -> None:
        lines = list(lines)
        if lines:
            self.problems.append(
                Problem(f"{self.source}, {name_lines(lines)}, column '{shorten(column, 60)}'", what, remedy)
            )

    def note_texts(self, column: str, cells: pd.Series, wrong: np.ndarray, what: str, remedy: str) -> None:
        """One problem a distinct text, at most `MOST_TEXTS` of them."""
        if not wrong.any():
            return
        found = cells[wrong].astype(str)
        groups = found.groupby(found, sort=False).groups
        for text, lines in list(groups.items())[:MOST_TEXTS]:
            shown = "a text with @ (not shown)" if "@" in text else f"'{shorten(text, 40)}'"
            self.note(column, lines, what.format(text=shown), remedy)
        if len(groups) > MOST_TEXTS:
            rest = found[~found.isin(list(groups)[:MOST_TEXTS])]
            self.note(column, rest.index, f"and {len(groups) - MOST_TEXTS} more texts of this sort",
                      "is this the right column?")  # fmt: skip


def name_lines(lines: Sequence[int]) -> str:
    """Lines as a person reads them.

    >>> name_lines([4]), name_lines([4, 9]), name_lines(range(2, 20))
    ('line 4', 'lines 4, 9', 'lines 2, 3, 4, 5, 6, 7, 8, 9 and 10 more')
    """
    named = ", ".join(str(line) for line in list(lines)[:MOST_LINES])
    more = f" and {len(lines) - MOST_LINES} more" if len(lines) > MOST_LINES else ""
    return f"line{'s' if len(lines) > 1 else ''} {named}{more}"


def shorten(text: str, most: int) -> str:
    text = " ".join(text.split())
    return text if len(text) <= most else f"{text[: most - 1]}…"


def read_question(
    question: Question, place: QuestionMapping, cells: pd.DataFrame, mapping: Mapping, findings: Findings
) -> dict[str, pd.Series]:
    """The typed columns of one question.

    Returns
    -------
    dict of str to Series
        ``Q5``: a categorical (ordered where the question is), a nullable boolean, a nullable number or text; of a
        multiple choice ``Q6.<option>``, booleans; words beside "other" as ``Q6.text``. Missing where not answered.
    """
    reader = {
        "single": _read_single,
        "likert": _read_single,
        "multiple": _read_multiple,
        "yes_no": _read_boolean,
        "consent": _read_boolean,
        "number": _read_number,
        "text": _read_text,
    }[question.kind]
    columns, answered = reader(question, place, cells, mapping, findings)
    if question.required and not answered.all():
        named = place.column or ", ".join(place.columns.values())
        findings.note(
            named, cells.index[~answered], f"{question.id} must be answered", "see the form; or set `required: false`"
        )
    return columns


def read_times(column: str, cells: pd.Series, mapping: Mapping, findings: Findings) -> pd.Series:
    """When each row was submitted, without time zone (one that is given is turned into UTC).

    "GMT+1" at the end, as Google Forms writes it, is a time zone whether or not the form of the date asks for one.
    """
    texts = cells.astype("str").str.strip()
    for old, new in mapping.date_texts.items():
        texts = texts.str.replace(old, new, regex=False)
    shape = mapping.date_format or "ISO8601"
    empty = texts == "" if mapping.missing == {""} else texts.str.casefold().isin(mapping.missing)
    times = _parse_times(texts.where(~empty), shape)
    if (times.isna() & ~empty).any():  # asked only then, since a million times are usually plain
        offsets = texts.str.replace(_ZONE, _write_offset, regex=True)
        zoned, texts = offsets != texts, offsets
        if mapping.date_format and "%z" not in shape and (zoned | empty).all():
            shape += " %z"
        times = _parse_times(texts.where(~empty), shape)
    wrong = (times.isna() & ~empty).to_numpy()
    findings.note_texts(column, cells, wrong, f"{{text}} is no date of the form {shape}", "correct `submitted.format`")
    days = times.dt.normalize()
    if mapping.first_day is not None:
        early = (days < pd.Timestamp(mapping.first_day)).to_numpy()
        findings.note(column, cells.index[early], f"before the first day, {mapping.first_day}", "see `submitted`")
    if mapping.last_day is not None:
        late = (days > pd.Timestamp(mapping.last_day)).to_numpy()
        findings.note(column, cells.index[late], f"after the last day, {mapping.last_day}", "see `submitted`")
    return times


def _parse_times(texts: pd.Series, shape: str) -> pd.Series:
    times = pd.to_datetime(texts, format=shape, errors="coerce", utc="%z" in shape or None)
    if getattr(times.dt, "tz", None) is not None:
        times = times.dt.tz_convert("UTC").dt.tz_localize(None)
    return times


def _write_offset(match: re.Match[str]) -> str:
    """``GMT+1`` and ``UTC-03:30`` as ``+0100`` and ``-0330``."""
    sign, hours, minutes = match.groups()
    return f" {sign or '+'}{int(hours or 0):02d}{minutes or '00'}"


def read_boolean(cells: pd.Series, mapping: Mapping) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Where a cell says yes, says no, and is empty."""
    return is_text(cells, mapping.yes), is_text(cells, mapping.no), is_text(cells, mapping.missing)


def _distinct(cells: pd.Series) -> tuple[np.ndarray, list[str]]:
    """Codes and texts of a column; an empty cell is the text ''."""
    if not isinstance(cells.dtype, pd.CategoricalDtype):
        cells = cells.astype("category")
    texts = [str(text) for text in cells.cat.categories]
    codes = cells.cat.codes.to_numpy().astype("int32")
    if (codes < 0).any():
        codes[codes < 0] = len(texts)
        texts.append("")
    return codes, texts


def _categorical(question: Question, codes: np.ndarray, index: pd.Index) -> pd.Series:
    kind = pd.CategoricalDtype(list(question.option_ids), ordered=question.ordered)
    return pd.Series(pd.Categorical.from_codes(codes, dtype=kind), index=index)


def _texts(values: np.ndarray, index: pd.Index) -> pd.Series:
    return pd.Series(values, index=index, dtype="string")


def _read_single(question, place, cells, mapping, findings):
    column = cells[place.column]
    codes, texts = _distinct(column)
    order = {option: number for number, option in enumerate(question.option_ids)}
    prefix = normalise(place.other_prefix)
    options, words = [], []
    for text in texts:
        key = normalise(text)
        said = ""
        if key in mapping.missing:
            option = -1
        elif key in place.options:
            option = order[place.options[key]]
        elif question.other and prefix and key.startswith(prefix):
            option, said = order[question.other], text.strip()[len(place.other_prefix.strip()) :].strip()
        elif question.other and place.other_cell:
            option, said = order[question.other], text.strip()
        else:
            option = -2
        options.append(option)
        words.append(said)
    chosen = np.array(options, dtype="int16")[codes]
    findings.note_texts(
        place.column, column, chosen == -2, f"{{text}} is no answer to {question.id}", _option_remedy(place)
    )
    columns = {question.id: _categorical(question, np.maximum(chosen, -1), cells.index)}
    if question.other:
        if place.other_column:
            beside = cells[place.other_column].astype("str").str.strip()
            empty = is_text(cells[place.other_column], mapping.missing)
            stray = ~empty & (chosen != order[question.other])
            findings.note(
                place.other_column,
                cells.index[stray],
                "words beside an answer that asks for none",
                "which one holds?",
            )
            columns[f"{question.id}.text"] = _texts(beside.mask(empty, None).to_numpy(), cells.index)
        else:
            spoken = np.array([said or None for said in words], dtype=object)[codes]
            columns[f"{question.id}.text"] = _texts(spoken, cells.index)
    return columns, chosen != -1


def _option_remedy(place: QuestionMapping) -> str:
    known = sorted(place.options)
    return f"add it to the mapping, or correct it; known: {shorten(', '.join(known), 160)}"


def split_answers(text: str, options: Sequence[str], separator: str) -> list[str]:
    """Answers joined in one cell; an option that holds the separator itself is still one answer.

    ``options`` are normalised; so are the parts that come back as options. What is no option comes back as it stands.

    >>> split_answers("Yes, always, No, at times", ["yes, always", "no"], ",")
    ['yes, always', 'no', 'at times']
    """
    mark = separator.strip() or " "
    parts = [part.strip() for part in text.split(mark)]
    known, longest = set(options), 1 + max((option.count(mark.casefold()) for option in options), default=0)
    answers: list[str] = []
    at = 0
    while at < len(parts):
        for size in range(min(longest, len(parts) - at), 0, -1):
            loose, tight = (normalise(between.join(parts[at : at + size])) for between in (f"{mark} ", mark))
            if loose in known or tight in known:
                answers.append(loose if loose in known else tight)
                at += size
                break
        else:
            if parts[at]:
                answers.append(parts[at])
            at += 1
    return answers


def _read_multiple(question, place, cells, mapping, findings):
    ids = question.option_ids
    chosen = np.zeros((len(cells), len(ids)), dtype=bool)
    answered = np.zeros(len(cells), dtype=bool)
    words = np.full(len(cells), None, dtype=object)
    if place.columns:
        for number, option in enumerate(ids):
            if option not in place.columns:
                continue
            name = place.columns[option]
            own = {normalise(option), normalise(question.label_of(option))}
            yes, no, empty = read_boolean(cells[name], mapping)
            yes |= is_text(cells[name], own)
            findings.note_texts(
                name, cells[name], ~(yes | no | empty), f"{{text}} is neither yes nor no to {question.id}.{option}",
                "see `booleans` in the mapping",
            )  # fmt: skip
            chosen[:, number] = yes
            answered |= yes | no
    else:
        codes, texts = _distinct(cells[place.column])
        table = np.zeros((len(texts), len(ids)), dtype=bool)
        spoken = np.full(len(texts), None, dtype=object)
        for row, text in enumerate(texts):
            if normalise(text) in mapping.missing:
                continue
            said, unknown = [], []
            for part in split_answers(text, list(place.options), place.separator):
                if (key := normalise(part)) in place.options:
                    table[row, ids.index(place.options[key])] = True
                elif place.other_prefix and key.startswith(normalise(place.other_prefix)):
                    said.append(part[len(place.other_prefix.strip()) :].strip())
                elif place.other_cell:
                    said.append(part)
                else:
                    unknown.append(part)
            if said:
                table[row, ids.index(question.other)] = True
                spoken[row] = f"{place.separator.strip()} ".join(said)
            for part in unknown:
                shown = "a text with @ (not shown)" if "@" in part else f"'{shorten(part, 40)}'"
                findings.note(place.column, cells.index[codes == row], f"{shown} is no answer to {question.id}",
                              _option_remedy(place))  # fmt: skip
            if not said and not unknown and not table[row].any():
                findings.note(place.column, cells.index[codes == row], f"separators and no answer to {question.id}")
        chosen, words = table[codes], spoken[codes]
        answered = ~is_text(cells[place.column], mapping.missing)
    if question.other and place.other_column:
        empty = is_text(cells[place.other_column], mapping.missing)
        words = cells[place.other_column].astype("str").str.strip().mask(empty, None).to_numpy(dtype=object)
        number = ids.index(question.other)
        if question.other not in place.columns and not (place.column and question.other in place.options.values()):
            chosen[:, number] = ~empty
            answered |= ~empty
        else:
            findings.note(
                place.other_column, cells.index[~empty & ~chosen[:, number]],
                f"words, and yet {question.id}.{question.other} is not chosen", "which one holds?",
            )  # fmt: skip
    columns = {
        f"{question.id}.{option}": pd.Series(
            pd.arrays.BooleanArray(chosen[:, number].copy(), ~answered), index=cells.index
        )
        for number, option in enumerate(ids)
    }
    if question.other:
        columns[f"{question.id}.text"] = _texts(words, cells.index)
    none = ~chosen.any(axis=1) if place.columns and question.required else False  # every box left unticked
    return columns, answered & ~np.asarray(none)


def _read_boolean(question, place, cells, mapping, findings):
    column = cells[place.column]
    yes, no, empty = read_boolean(column, mapping)
    findings.note_texts(
        place.column, column, ~(yes | no | empty), f"{{text}} is neither yes nor no to {question.id}",
        "see `booleans` in the mapping",
    )  # fmt: skip
    return {question.id: pd.Series(pd.arrays.BooleanArray(yes, ~(yes | no)), index=cells.index)}, ~empty


def _read_number(question, place, cells, mapping, findings):
    column = cells[place.column]
    codes, texts = _distinct(column)
    plain = [text.strip().replace("\u00a0", "").replace(" ", "") for text in texts]
    if mapping.decimal == ",":
        plain = [text.replace(".", "").replace(",", ".") for text in plain]
    empty = np.array([normalise(text) in mapping.missing for text in texts])
    values = pd.to_numeric(pd.Series(plain, dtype="object"), errors="coerce").to_numpy(dtype=float, na_value=np.nan)
    values = np.where(empty, np.nan, values)  # -99 for no answer is no number
    finite = np.isfinite(values)
    bad = (~finite & ~empty)[codes]
    findings.note_texts(place.column, column, bad, f"{{text}} is no number for {question.id}", "see `decimal`")
    with np.errstate(invalid="ignore"):
        broken = finite & (values != np.floor(values)) if question.integer else np.zeros_like(finite)
        low = finite & (values < question.low) if question.low is not None else np.zeros_like(finite)
        high = finite & (values > question.high) if question.high is not None else np.zeros_like(finite)
    for wrong, rule in (
        (broken, "must be a whole number"),
        (low, f"must be at least {question.low}"),
        (high, f"must be at most {question.high}"),
    ):
        findings.note_texts(place.column, column, wrong[codes], f"{question.id} {rule}, got {{text}}", "correct it")
    known = np.where(finite, values, 0.0)[codes]
    kept = pd.arrays.FloatingArray(known, ~finite[codes])
    series = pd.Series(kept, index=cells.index)
    return {question.id: series.round().astype("Int64") if question.integer else series}, ~empty[codes]


def _read_text(question, place, cells, mapping, findings):
    column = cells[place.column]
    empty = is_text(column, mapping.missing)
    return {question.id: _texts(column.astype("str").str.strip().mask(empty, None).to_numpy(), cells.index)}, ~empty
