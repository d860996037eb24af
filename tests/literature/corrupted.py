"""Records whose duplicates are known: works invented from the field's words, and what databases make of them.

Each work appears in one to four databases, with the damage that exports show: slips of the pen, titles cut short,
subtitles dropped, authors in another order or form, diacritics lost, DOIs and pages missing, venues abbreviated, years
one apart, preprints. Beside them stand works that look like duplicates and are none: journal versions of conference
papers, parts I and II, the same study of another subject, titles that many use, editorials.
"""

from __future__ import annotations

import random
import unicodedata
from dataclasses import dataclass, replace

import pandas as pd

from analysis.literature.bibliographic import build_records

_DATABASES = ("Scopus", "Web of Science", "IEEE Xplore", "ACM Digital Library", "SpringerLink")
_WHAT = (
    "survey review taxonomy framework architecture benchmark toolkit pipeline platform method model approach analysis "
    "evaluation comparison experience roadmap vision catalogue dataset study replication prototype language protocol "
    "strategy process practice mapping guideline reference simulator"
)
_HOW = (
    "automated continuous scalable incremental federated distributed supervised unsupervised probabilistic Bayesian "
    "causal declarative reactive explainable robust secure lightweight adaptive hybrid serverless collaborative "
    "reproducible transparent energy-aware cost-aware data-centric model-driven test-driven human-centred verified "
    "asynchronous synchronous static dynamic online offline transferable privacy-preserving fault-tolerant hierarchical"
)
_OBJECTS = (
    "deployment monitoring retraining testing validation versioning packaging serving orchestration provenance lineage "
    "labelling augmentation compression pruning quantisation drift-detection rollback observability governance "
    "auditing debugging logging tracing scheduling caching forecasting anomaly-detection segmentation classification "
    "ranking recommendation translation summarisation retrieval localisation planning control inspection calibration"
)
_THINGS = (
    "machine-learning-models neural-networks recommender-systems data-pipelines feature-stores edge-devices "
    "microservices containers robots vehicles satellites hospitals banks telecommunication-networks power-grids "
    "factories supply-chains language-models image-classifiers object-detectors knowledge-graphs time-series sensors "
    "wearables drones ships farms mines railways airports payment-systems search-engines compilers spreadsheets "
    "notebooks repositories issue-trackers build-systems code-reviews release-trains digital-twins smart-contracts"
)
_CONDITIONS = (
    "regulated-industries scarce-labels concept-drift tight-budgets safety-constraints small-teams legacy-code "
    "noisy-data strict-latency limited-bandwidth multiple-tenants frequent-releases audit-obligations open-source "
    "public-administrations startups medical-practice embedded-platforms automotive-software cloud-migration"
)
_FIRST = "Anna Jörg Wei Priya Carlos Ingrid Tomáš Yuki Fatima Liam Zoë André Olga Siddharth Chloé Magnus"
_LAST = (
    "Wang Li Zhang Chen Liu Müller Schröder García-Márquez Nowák Kowalski Søndergård Þórsson Nguyen Kim Park Singh "
    "Patel Rossi Ferrari Dubois Lefèvre Çelik Yılmaz Ivanov Petrova Olsson Bosch John O'Brien McDonald Smith Johnson "
    "Tanaka Suzuki Silva Oliveira Hernández López Weiß Großmann Łukaszewicz Škoda Gutiérrez Andersen Virtanen Popescu"
)
_SYLLABLES = "ka mo ri tes lu dan vel no qui ra pho zen bri tor ga mil sa xo del pra fi wu ber lin"
_JOURNALS = (
    ("Journal of Systems and Software", "J. Syst. Softw."),
    ("IEEE Transactions on Software Engineering", "IEEE Trans. Softw. Eng."),
    ("Empirical Software Engineering", "Empir. Softw. Eng."),
    ("Information and Software Technology", "Inf. Softw. Technol."),
    ("Journal of Machine Learning Research", "J. Mach. Learn. Res."),
    ("Future Generation Computer Systems", "Future Gener. Comput. Syst."),
)
_MEETINGS = (
    "International Conference on Software Engineering",
    "Conference on Machine Learning and Systems",
    "Euromicro Conference on Software Engineering and Advanced Applications",
    "International Conference on Product-Focused Software Process Improvement",
    "Symposium on Operating Systems Design",
)


@dataclass(frozen=True)
class Work:
    """A work as it really is."""

    number: int
    title: str
    subtitle: str
    authors: tuple[tuple[str, str], ...]
    year: int
    kind: str
    venue: tuple[str, str]
    volume: str
    start: int
    doi: str


def generate(size: int, seed: int) -> tuple[pd.DataFrame, pd.Series]:
    """About ``size`` records as a checked table, and the number of the work of each record by its id."""
    rng = random.Random(seed)
    rows: list[dict[str, object]] = []
    number = 0
    while len(rows) < size:
        works = [_work(rng, number)]
        if rng.random() < 0.18:
            works.append(_lookalike(rng, works[0], number + 1))
        number += len(works)
        for work in works:
            copies = rng.choices((1, 2, 3, 4), (0.5, 0.28, 0.16, 0.06))[0]
            for database in rng.sample(_DATABASES, copies):
                rows.append(_record(rng, work, database))
            if rng.random() < 0.05 and work.kind != "editorial":
                rows.append(_preprint(rng, work))
    rng.shuffle(rows)
    rows = rows[:size]
    for line, row in enumerate(rows, start=1):
        row["line"] = line
    frame = pd.DataFrame(rows)
    table = build_records(frame.drop(columns="work"))
    work_of_line = frame.set_index("line")["work"]
    return table, pd.Series(table["line"].map(work_of_line).to_numpy(), index=table["record"].to_list())


def pairs_of(groups: pd.Series) -> int:
    """Pairs of records within one group."""
    sizes = groups.value_counts()
    return int((sizes * (sizes - 1) // 2).sum())


def compute_quality(found: pd.Series, truth: pd.Series) -> dict[str, float]:
    """Precision and recall over pairs of records, and the counts behind them."""
    both = pd.Series(list(zip(found, truth.loc[found.index], strict=True)), index=found.index)
    right, said, true = pairs_of(both), pairs_of(found), pairs_of(truth)
    shares = {"precision": right / said, "recall": right / true}
    return shares | {"wrong": said - right, "missed": true - right, "pairs": true}


def _work(rng: random.Random, number: int) -> Work:
    what, how, task, thing, under = (rng.choice(words.split()).replace("-", " ") for words in
                                     (_WHAT, _HOW, _OBJECTS, _THINGS, _CONDITIONS))  # fmt: skip
    name = "".join(rng.sample(_SYLLABLES.split(), 3)).capitalize()
    title, subtitle = rng.choice((
        (f"{how.capitalize()} {task} of {thing} under {under}", f"A {what}"),
        (f"Towards {how} {task} for {thing}", f"{what.capitalize()} and lessons from {under}"),
        (f"{name}", f"{how.capitalize()} {task} for {thing} in {under}"),
        (f"A {what} of {how} {task} in {thing}", ""),
        (f"How {under} shapes {task} of {thing}", f"An empirical {what}"),
        (f"On the {task} of {how} {thing}", f"{what.capitalize()} with {name}"),
    ))  # fmt: skip
    if rng.random() < 0.01:
        title, subtitle, kind = "Editorial", "", "editorial"
    else:
        kind = rng.choice(("article", "conference"))
    meeting = rng.choice(_MEETINGS)
    year = rng.randint(2012, 2024)
    venue = rng.choice(_JOURNALS) if kind != "conference" else (f"{year} {meeting}", f"Proceedings of the {meeting}")
    authors = tuple((rng.choice(_FIRST.split()), rng.choice(_LAST.split())) for _ in range(rng.randint(1, 5)))
    volume = str(year - 1990) if kind != "conference" else ""
    doi = f"10.{rng.randint(1000, 9999)}/w{number}"
    return Work(number, title, subtitle, authors, year, kind, venue, volume, rng.randint(2, 900), doi)


def _lookalike(rng: random.Random, work: Work, number: int) -> Work:
    """Another work that is easily taken for ``work``."""
    other = _work(rng, number)
    how = rng.choice(("version", "version", "part", "subject", "title", "author"))
    if how == "version":  # the journal version of a conference paper, or the other way round
        kind = "article" if work.kind == "conference" else "conference"
        meeting = rng.choice(_MEETINGS)
        venue = rng.choice(_JOURNALS)
        if kind == "conference":
            venue = (f"{work.year} {meeting}", f"Proceedings of the {meeting}")
        return replace(work, number=number, kind=kind, venue=venue, year=work.year + rng.randint(0, 2),
                       start=other.start, volume="12" if kind == "article" else "", doi=other.doi)  # fmt: skip
    if how == "part":
        subtitle = f"{work.subtitle} part II".strip()
        return replace(work, number=number, subtitle=subtitle, start=other.start, doi=other.doi)
    if how == "subject":  # the same team, method and year, another subject
        old, new = (thing.replace("-", " ") for thing in rng.sample(_THINGS.split(), 2))
        changed = work.title.replace(old, new) if old in work.title else f"{work.title} in {new}"
        return replace(work, number=number, title=changed, start=other.start, doi=other.doi)
    if how == "title":  # a title that others use as well
        return replace(other, title=work.title, subtitle=work.subtitle, year=work.year)
    return replace(other, authors=work.authors, year=work.year, venue=work.venue, kind=work.kind)


def _record(rng: random.Random, work: Work, database: str) -> dict[str, object]:
    title = work.title + (f": {work.subtitle}" if work.subtitle else "")
    roll = rng.random()
    if roll < 0.05 and work.subtitle and work.title.count(" ") > 3:
        title = work.title
    elif roll < 0.08 and title.count(" ") > 6:
        title = title[: int(len(title) * rng.uniform(0.7, 0.95))]
    if rng.random() < 0.15:
        title = _slips(rng, title, rng.randint(1, 2))
    if rng.random() < 0.1:
        title = rng.choice((title.upper(), title.title(), title.replace(":", " -"), title.replace(" ", "  ")))
    authors = list(work.authors)
    if len(authors) > 1 and rng.random() < 0.04:
        rng.shuffle(authors)
    names = _names(rng, authors, database)
    if rng.random() < 0.03:
        names = _slips(rng, names, 1)
    if rng.random() < 0.02:
        names = ""
    year = work.year + (rng.choice((-1, 1)) if rng.random() < 0.04 else 0)
    return {
        "database": database,
        "file": f"{database}.csv",
        "line": 1,
        "kind": "article" if work.kind == "editorial" else work.kind if rng.random() > 0.05 else "not_stated",
        "title": title,
        "authors": names or None,
        "year": year if rng.random() > 0.01 else None,
        "venue": rng.choices((work.venue[0], work.venue[1], None), (0.6, 0.35, 0.05))[0],
        "volume": work.volume or None,
        "issue": None,
        "pages": f"{work.start}-{work.start + 11}" if rng.random() < 0.8 else None,
        "doi": work.doi if rng.random() < 0.7 else None,
        "issn": None, "isbn": None, "url": None, "language": None,
        "abstract": f"Abstract of {database}" if rng.random() < 0.5 else None,
        "keywords": None,
        "raw_id": f"{database[:2]}{work.number}",
        "work": work.number,
    }  # fmt: skip


def _preprint(rng: random.Random, work: Work) -> dict[str, object]:
    row = _record(rng, work, "Scopus")
    stated = rng.random() < 0.6
    return row | {
        "database": "arXiv", "file": "arXiv.bib", "kind": "preprint", "venue": "arXiv", "volume": None, "pages": None,
        "doi": f"10.48550/arxiv.{2000 + work.number % 100}.{work.number:05d}" if stated else None,
        "year": work.year - rng.randint(0, 1), "raw_id": f"arXiv:{work.number}",
    }  # fmt: skip


def _names(rng: random.Random, authors: list[tuple[str, str]], database: str) -> str:
    if database in ("Scopus", "Web of Science"):
        names = [f"{last}, {first[0]}." if rng.random() < 0.5 else f"{last}, {first}" for first, last in authors]
    elif database == "IEEE Xplore":
        names = [f"{first[0]}. {last}" for first, last in authors]
    else:
        names = [f"{first} {last}" for first, last in authors]
    text = "; ".join(names)
    roll = rng.random()
    if roll < 0.2:
        text = "".join(ch for ch in unicodedata.normalize("NFKD", text) if not unicodedata.combining(ch))
    elif roll < 0.3:
        text = text.replace("ü", "ue").replace("ö", "oe").replace("ä", "ae").replace("ß", "ss")
    return text


def _slips(rng: random.Random, text: str, count: int) -> str:
    """A letter left out, doubled, changed, or swapped with the next one."""
    letters = list(text)
    for _ in range(count):
        places = [n for n, letter in enumerate(letters[:-1]) if letter.isalpha() and letters[n + 1].isalpha()]
        if not places:
            break
        at = rng.choice(places)
        kind = rng.choice(("drop", "double", "change", "swap"))
        if kind == "drop":
            del letters[at]
        elif kind == "double":
            letters.insert(at, letters[at])
        elif kind == "change":
            letters[at] = rng.choice("abcdefghijklmnopqrstuvwxyz")
        else:
            letters[at], letters[at + 1] = letters[at + 1], letters[at]
    return "".join(letters)
