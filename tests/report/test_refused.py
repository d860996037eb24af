"""What lies outside the subset is refused with file and line, by the offline engine and before Quarto runs."""

from __future__ import annotations

import pytest

from analysis.base.errors import ReportError
from analysis.reporting.constructs import check_constructs
from analysis.reporting.sources import read_document

FRONT = '---\ntitle: "Refused"\n---\n\n# Only {#sec-only}\n\n'
FIRST = FRONT.count("\n") + 1

# Text, part of the message, and the line of the text that is named, where it is not the first.
REFUSED_BY_LINE = {
    "code cell": ("```{python}\n1 + 1\n```", "code cell {python}"),
    "raw block": ("```{=html}\n<b>x</b>\n```", "raw block {=html}"),
    "raw inline": ("A `#v(1em)`{=typst} gap", "raw inline {=typst}"),
    "raw HTML": ("A <b>bold</b> word", "raw HTML <b>"),
    "raw TeX": (r"A \newpage break", r"raw TeX \newpage"),
    "foreign shortcode": ("{{< video a.mp4 >}}", "shortcode 'video'"),
    "broken shortcode": ("A {{< var survey.n", "broken shortcode"),
    "embed within a line": ("See {{< embed build/notebooks/nb.ipynb#fig-plot >}}", "line of its own"),
    "unknown div": ("::: {.panel-tabset}\nx\n:::", "div '{.panel-tabset}'"),
    "layout": ("::: {layout-ncol=2}\nx\n:::", "div '{layout-ncol=2}'"),
    "unknown callout": ("::: {.callout-danger}\nx\n:::", "div '{.callout-danger}'"),
    "collapsed callout": ('::: {.callout-note collapse="true"}\nx\n:::', "div '{.callout-note"),
    "other format": ('::: {.content-visible when-format="latex"}\nx\n:::', "div '{.content-visible"),
    "unknown class": ("A [word]{.smallcaps} here", "span attribute .smallcaps"),
    "image attribute": ("![x](picture.svg){#fig-x fig-align=left}", "image attribute fig-align"),
    "wrong label": ("![x](picture.svg){#tbl-x}", "image label 'tbl-x' is not a fig- label"),
    "shortcode in a code block": ("```\n{{< var survey.n >}}\n```", "within code or a formula", 1),
    "shortcode in a code span": ("A `{{< var survey.n >}}` here", "within code or a formula"),
    "shortcode in a formula": ("A $n = {{< var survey.n >}}$ here", "within code or a formula"),
    "shortcode in a long formula": ("$$\nn = {{< var survey.n >}}\n$$", "within code or a formula", 1),
    "escaped shortcode": (r"A \{{< var survey.n >}} here", "escaped shortcode"),
    "label of a code block": ("```{.python #lst-x}\nx\n```", "of a code block"),
    "YAML block": ("---\ntoc: true\n---", "YAML block in the text"),
    "emoji": ("A word \U0001f600", "no font of the PDF"),
    "width without a unit": ("![x](picture.svg){#fig-x width=200}", "width '200'"),
    "width in pixels": ("![x](picture.svg){#fig-x width=200px}", "width '200px'"),
    "column widths in words": (
        '| A |\n|---|\n| x |\n\n: Words {#tbl-x tbl-colwidths="auto"}',
        "tbl-colwidths 'auto'",
        4,
    ),
    "braces": ("A set {a, b} here", "belong to nothing"),
    "label on a line of its own": ("![x](picture.svg)\n{#fig-x}", "belong to nothing", 1),
    "table attribute": ("| A |\n|---|\n| x |\n\n: Words {#tbl-x .striped}", "table attribute .striped", 4),
}


@pytest.mark.parametrize("case", REFUSED_BY_LINE)
def test_refused_construct_names_file_and_line(case, project):
    text, message, *line = REFUSED_BY_LINE[case]
    document = read_document(project.write(FRONT + "Words before.\n\n" + text + "\n"))
    problems = check_constructs(document)
    assert len(problems) == 1, problems
    assert message in problems[0].what
    assert problems[0].where.endswith(f"thesis.qmd:{FIRST + 2 + sum(line)}")
    assert problems[0].remedy


REFUSED_BY_TREE = {
    "unknown reference": ("See @fig-nothing.", "@fig-nothing: the target does not exist"),
    "label twice": (
        "![a](picture.svg){#fig-x}\n\n![b](picture.svg){#fig-x}",
        "#fig-x: the label is given twice",
    ),
    "reference to an unnumbered heading": (
        "## Inner {#sec-inner .unnumbered}\n\nSee @sec-inner.",
        "is a heading without a number",
    ),
    "citation mixed with a reference": ("See [@knuth1984; @sec-only].", "in separate brackets"),
    "figure without a label": ("![Some words](picture.svg)", "figure with a caption and without a label"),
    "table without a label": ("| A |\n|---|\n| x |\n\n: Words", "table with a caption and without a label"),
    "unknown citation": ("As @nobody2020 says.", "citation @nobody2020 is not in the bibliography"),
    "unknown key": ("There are {{< var survey.m >}}.", "no result has the key 'survey.m'"),
    "unknown cell": ("{{< embed build/notebooks/nb.ipynb#fig-plott >}}", "no cell 'fig-plott' in nb.ipynb"),
    "notebook not run": ("{{< embed build/notebooks/zz.ipynb#fig-plot >}}", "has not been run"),
    "number of column widths": (
        '| A |\n|---|\n| x |\n\n: Words {#tbl-x tbl-colwidths="[20, 80]"}',
        "tbl-colwidths [20, 80] for 1 columns",
    ),
    "label without a caption": ("| A |\n|---|\n| x |\n\n: {#tbl-x}", "label and without a caption"),
    "labelled image without a caption": ('![](picture.svg){#fig-x fig-alt="x"}', "#fig-x: an image with a label"),
    "labelled image in a sentence": ("See ![x](picture.svg){#fig-x} here.", "#fig-x: an image with a label"),
    "labelled formula in a sentence": ("See $$ a $$ {#eq-x} here.", "#eq-x: a formula with a label"),
    "labelled formula after a line": ("As follows\n$$ a $$ {#eq-x}", "#eq-x: a formula with a label"),
    "labelled callout title": ("::: {.callout-note}\n## A title {#sec-t}\nx\n:::", "A title: the title of a callout"),
    "heading in a callout": ("::: {.callout-note}\nx\n\n## Later on\n\nx\n:::", "Later on: a heading within"),
    "heading in a quotation": ("> ## Quoted words\n>\n> x", "Quoted words: a heading within"),
    "image on the web": ('![x](https://example.org/a.png){#fig-x fig-alt="x"}', "no such image file"),
    "image outside": ('![x](/picture.svg){#fig-x fig-alt="x"}', "/picture.svg: no such image file"),
    "missing image": ('![x](nowhere.svg){#fig-x fig-alt="x"}', "nowhere.svg"),
}


@pytest.mark.parametrize("case", REFUSED_BY_TREE)
def test_unresolved_names_its_line(case, project):
    text, message = REFUSED_BY_TREE[case]
    project.write(FRONT.replace('"\n---', '"\nbibliography: references.bib\n---') + text + "\n")
    with pytest.raises(ReportError) as error:
        project.render("offline")
    assert message in str(error.value)
    assert "thesis.qmd:" in str(error.value)
    assert not project.pdf.exists()


def test_every_problem_is_reported_at_once(project):
    project.write(FRONT + "A <b>x</b>.\n\n{{< video a >}}\n\nA {{< var survey.m >}}.\n")
    with pytest.raises(ReportError) as error:
        project.render("offline")
    assert len(error.value.problems) == 3


def test_error_in_an_included_file_names_that_file(project):
    (project.folder / "parts" / "part.txt").write_text("Fine.\n\nA <b>x</b>.\n", encoding="utf-8")
    project.write(FRONT + "{{< include parts/part.txt >}}\n")
    with pytest.raises(ReportError, match=r"parts/part\.txt:3: raw HTML <b>"):
        project.render("offline")


@pytest.mark.parametrize(
    ("front", "message"),
    [
        ("title: x\ntoc: true", "front matter key 'toc'"),
        ("title: x\ndate: November 2026", "would print differently"),
        ("title: x\nlang: de", "only English words"),
        ("title: x\nauthor:\n  - name: A. One", "an author with parts"),
    ],
)
def test_front_matter_outside_the_subset_is_refused(front, message, project):
    document = read_document(project.write(f"---\n{front}\n---\n\n# Only\n"))
    assert [message in problem.what for problem in check_constructs(document)] == [True]


def test_a_failed_render_leaves_the_earlier_outputs(project):
    project.write(FRONT + "Words.\n")
    project.render("offline")
    before = project.pdf.read_bytes(), project.html.read_bytes()
    project.write(FRONT + "See @fig-nothing.\n")
    with pytest.raises(ReportError):
        project.render("offline")
    assert (project.pdf.read_bytes(), project.html.read_bytes()) == before


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"Words.\n\n```\nnever closed\n", "part.txt:3: no closing fence"),
        ("Words.\n\ncaf\u00e9\n".encode("latin-1"), "part.txt:3: byte 0xe9 is not UTF-8"),
    ],
)
def test_a_file_that_cannot_be_read_is_named_with_its_line(content, message, project):
    (project.folder / "parts" / "part.txt").write_bytes(content)
    path = project.write(FRONT + "{{< include parts/part.txt >}}\n")
    with pytest.raises(ReportError) as error:
        read_document(path)
    assert message in str(error.value)
