"""expected.yaml → Expectations. Pure but for reading the file.

```yaml
columns: [stock, patched, mainline, next: mainline]  # pipeline.yaml names one for each tree and series (`expect`)
defaults:                                # letters that a test id starts with → column → expectation
  B: {stock: skip, patched: pass, mainline: pass}
tests:                                   # id, or glob over ids; the most specific one that has the column wins
  A01_feature-bit: {patched: pass, why: "the hugetlb stage is not merged"}
  "T*.hugetlb-*": {patched: skip}
needs:                                   # symbol, or symbol=n → globs over ids; `!` takes out what others took in
  SWAP: ["S*", "!S10_*"]
  SWAP=n: [Z15_noswap-kernel]
```

``next: mainline`` is a column that is like one that stands before it, where an entry does not name it.
An expectation is a status (``pass``, ``fail``, ``skip``, ``xfail``, ``error``, ``timeout``, ``crashed``, ``missing``),
or ``any`` (also written ``flaky``): recorded, not judged; or ``optional``: it must pass, or be skipped where the
machine does not offer it. Which entry counts for a test, ``expectations`` says.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from orchestrator.config import yaml_text
from orchestrator.errors import UserError
from orchestrator.model import Status, expectations
from orchestrator.model.expectations import Entry, Expectations, Expected, Need
from orchestrator.text import textfile, wording

_WORDS: Mapping[str, Expected] = {
    **{status.value: (status, True) for status in Status},
    "optional": (None, True),
    "any": (None, False),
    "flaky": (None, False),
}


def load(path: Path) -> Expectations:
    """Read a file. Raises UserError: one line with the place, and the nearest known word."""
    return parse(textfile.read(path, yaml_text.MOST_TEXT), str(path))


def parse(text: str, name: str) -> Expectations:
    """Read the text of a file; ``name`` is what messages call it. Raises UserError like ``load``."""
    top = _mapping(yaml_text.parse(text, name), name)
    _only(top, ("columns", "defaults", "tests", "needs"), name)
    like = _columns(top.get("columns"), f"{name}: columns")
    columns = list(like)
    defaults = _entries(top.get("defaults"), columns, f"{name}: defaults")
    tests = _entries(top.get("tests"), columns, f"{name}: tests")
    return Expectations(
        columns=tuple(columns),
        like=tuple((column, base) for column, base in like.items() if base),
        defaults=tuple(sorted(defaults, key=lambda entry: len(entry.pattern), reverse=True)),
        tests=tuple(sorted(tests, key=lambda entry: entry.weight, reverse=True)),
        needs=tuple(_need(key, value, f"{name}: needs") for key, value in _mapping(top.get("needs"), name).items()),
    )


def check(expected: Expectations, ids: Iterable[str], name: str) -> None:
    """Refuse an entry that is about none of the known tests: a misspelt id would expect nothing, in silence.

    Raises UserError with the place and the nearest id.
    """
    known = tuple(ids)
    for entry in expected.tests:
        if not any(entry.fits(test) for test in known):
            raise UserError(
                f"{name}: tests.{entry.pattern}: no test has this id{wording.nearest(entry.pattern, known)}"
            )
    for entry in expected.defaults:
        if not any(expectations.in_group(test, entry.pattern) for test in known):
            raise UserError(f"{name}: defaults.{entry.pattern}: no test is in this group")
    for need in expected.needs:
        for glob in need.globs:
            if not fnmatch.filter(known, glob.removeprefix("!")):
                raise UserError(f"{name}: needs.{need.symbol}: no test matches {glob}{wording.nearest(glob, known)}")


def _columns(raw: Any, place: str) -> dict[str, str | None]:
    """Return the columns in their order, each with the one before it that it is like."""
    if not isinstance(raw, list) or not raw:
        raise UserError(f"{place}: a list of names is needed, like [stock, patched]")
    columns: dict[str, str | None] = {}
    for column in raw:
        name, base = next(iter(column.items())) if isinstance(column, dict) and len(column) == 1 else (column, None)
        if not isinstance(name, str):
            raise UserError(f"{place}: {name!r}: a name is needed, or `name: column that it is like`")
        if name in columns:
            raise UserError(f"{place}: {name} stands there twice")
        if base is not None and base not in columns:
            raise UserError(
                f"{place}: {name}: no column before it is called {base}{wording.nearest(str(base), columns)}"
            )
        columns[name] = base
    return columns


def _entries(raw: Any, columns: list[str], place: str) -> list[Entry]:
    return [_entry(str(pattern), value, columns, place) for pattern, value in _mapping(raw, place).items()]


def _entry(pattern: str, raw: Any, columns: list[str], place: str) -> Entry:
    place = f"{place}.{pattern}"
    fields = _mapping(raw, place)
    _only(fields, (*columns, "why"), place)
    why = fields.pop("why", "")
    if not isinstance(why, str):
        raise UserError(f"{place}.why: a text is needed")
    return Entry(pattern, tuple((column, _status(v, f"{place}.{column}")) for column, v in fields.items()), why)


_SYMBOL = re.compile(r"(?P<symbol>[A-Z0-9_]+)(?P<absent>=n)?")


def _need(key: Any, raw: Any, place: str) -> Need:
    place = f"{place}.{key}"
    match = _SYMBOL.fullmatch(str(key))
    if not match or match["symbol"].startswith("CONFIG_"):
        raise UserError(f"{place}: not a symbol without CONFIG_, like SWAP or SWAP=n")
    if not isinstance(raw, list) or not raw or not all(isinstance(glob, str) for glob in raw):
        raise UserError(f"{place}: a list of globs over test ids is needed")
    return Need(match["symbol"], not match["absent"], tuple(raw))


def _status(raw: Any, place: str) -> Expected:
    if not isinstance(raw, str) or raw not in _WORDS:
        hint = wording.nearest(str(raw), _WORDS)
        raise UserError(f"{place}: {raw!r} is no status{hint}; known are {', '.join(_WORDS)}")
    return _WORDS[raw]


def _mapping(raw: Any, place: str) -> dict[str, Any]:
    if raw is None:
        return {}
    if not isinstance(raw, dict):
        raise UserError(f"{place}: a mapping is needed, not {type(raw).__name__}")
    return dict(raw)


def _only(fields: Mapping[str, Any], known: Iterable[str], place: str) -> None:
    for field in fields:
        if field not in (names := tuple(known)):
            raise UserError(f"{place}.{field}: not known here{wording.nearest(str(field), names)}")
