"""A matrix → rows of a table. Pure. Cells have no closing tag: HTML needs none, and there are thousands."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from markupsafe import Markup, escape

from orchestrator.history.classify import Change
from orchestrator.site import gather, strip
from orchestrator.site.values import Column, Matrix
from orchestrator.text import plain
from orchestrator.text.wording import STAGES
from orchestrator.verdict.gone import Key


def head(matrix: Matrix) -> Markup:
    """Return the two rows that name the columns: variants, and below them base and series."""
    variants: dict[str, int] = {}
    for column in matrix.columns:
        variants[column.job.variant] = variants.get(column.job.variant, 0) + 1
    series = {column.job.series for column in matrix.columns if column.job.series}
    above = "".join(f'<th colspan="{n}" class="group">{_shown(v)}' for v, n in variants.items())
    below = "".join(
        f'<th class="side{_edge(matrix, n)}" title="{_shown(c.job.name)}">{_side(c, len(series))}'
        for n, c in enumerate(matrix.columns)
    )
    return Markup(f'<tr><th class="first">{above}<tr><th class="first">{below}')


def body(matrix: Matrix, keys: Iterable[Key], pages: Mapping[Key, str]) -> Markup:
    """Return a row for each of these tests: its name leads to its page."""
    return Markup("\n".join(_row(matrix, key, pages) for key in keys))


def name(key: Key) -> str:
    """Return a test in one word. A stage that is judged like a test says what it asks."""
    suite, test = key
    return _STAGES.get(test, test) if suite == STAGES else f"{suite}/{test}"


_STAGES = {"series": "applies", "build": "builds", "boot": "boots"}


def _row(matrix: Matrix, key: Key, pages: Mapping[Key, str]) -> str:
    cells = "".join(_cell(column, key, _edge(matrix, n)) for n, column in enumerate(matrix.columns))
    return f'<tr><th class="first"><a href="{pages[key]}">{_shown(name(key))}</a>{cells}'


def _cell(column: Column, key: Key, edge: str) -> str:
    test, finding = column.tests.get(key), column.findings.get(key)
    if test is None:
        gone = finding is not None and finding.change is Change.MISSING
        return f'<td class="{"f news" if gone else "o"}{edge}">{"?" if gone else "·"}'
    kind = strip.CLASSES.get(test.status, "f" if key in column.charged else "x")
    if finding and finding.change in gather.LOUD:
        words = f"{finding.change.value}: {strip.describe(test)}"
        return f'<td class="{kind} news{edge}" title="{escape(words)}">{strip.letter(test)}'
    title = f' title="{escape(strip.describe(test))}"' if kind in "fx" else ""
    return f'<td class="{kind}{edge}"{title}>{strip.letter(test)}'


def _edge(matrix: Matrix, number: int) -> str:
    """Return the class of the first column of a variant."""
    columns = matrix.columns
    return " edge" if not number or columns[number - 1].job.variant != columns[number].job.variant else ""


def _side(column: Column, series: int) -> Markup:
    if column.job.series is None:
        return Markup("base")
    return _shown(column.job.series) if series > 1 else Markup("series")


def _shown(words: str) -> Markup:
    return escape(plain.visible(words))
