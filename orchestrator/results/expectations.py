"""What each test must show on each kernel: expected.yaml → Expectations. Pure but for reading the file.

```yaml
columns: [stock, patched, mainline]      # kernels; pipeline.yaml names the column of each tree and series (`expect`)
defaults:                                # letters that a test id starts with → column → expectation
  B: {stock: skip, patched: pass, mainline: pass}
tests:                                   # id, or glob over ids; the most specific one that has the column wins
  A01_feature-bit: {patched: pass, why: "the hugetlb stage is not merged"}
  "T*.hugetlb-*": {patched: skip}
needs:                                   # symbol, or symbol=n → globs over ids; `!` takes out what others took in
  SWAP: ["S*", "!S10_*"]
  SWAP=n: [Z15_noswap-kernel]
```

An expectation is a status (``pass``, ``fail``, ``skip``, ``xfail``, ``error``, ``timeout``, ``crashed``, ``missing``),
or ``any`` (also written ``flaky``): recorded, not judged; or ``optional``: it must pass, or be skipped where the
machine does not offer it. A full id is the most specific, then the glob with the most
characters that are not wildcards, then the one that stands first; a default stands behind all of them, the longest
group first. A column that is left out of an entry is taken from the next entry that fits.

What a test needs stands before all of them: on a kernel whose .config lacks the symbol (``=n``: has it) the test must
be skipped, in every column. So a variant needs no entry of its own.
"""

from __future__ import annotations

import difflib
import fnmatch
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from orchestrator.errors import UserError
from orchestrator.model import Status

Wanted = tuple[Status | None, bool]
"""The status that a test must show, None for pass or skip; and whether the outcome counts at all."""

_WORDS: Mapping[str, Wanted] = {
    **{status.value: (status, True) for status in Status},
    "optional": (None, True),
    "any": (None, False),
    "flaky": (None, False),
}
_WILD = re.compile(r"[*?\[]")


@dataclass(frozen=True)
class Entry:
    """What one id, glob or group must show, by column. ``why`` is for people."""

    pattern: str
    statuses: tuple[tuple[str, Wanted], ...]
    why: str = ""

    def fits(self, test: str) -> bool:
        """Whether the entry is about this test."""
        return self.pattern == test or fnmatch.fnmatchcase(test, self.pattern)

    @property
    def weight(self) -> tuple[bool, int]:
        """How specific the pattern is; more is more."""
        return not _WILD.search(self.pattern), len(re.sub(r"\[[^]]*\]|[*?]", "", self.pattern))


@dataclass(frozen=True)
class Need:
    """Tests that run only where a symbol is in the .config, or only where it is not."""

    symbol: str
    present: bool
    globs: tuple[str, ...]

    def __str__(self) -> str:
        return f"CONFIG_{self.symbol}" + ("" if self.present else "=n")

    def fits(self, test: str) -> bool:
        """Whether the test has this need."""
        taken = (g for g in self.globs if not g.startswith("!"))
        left = (g[1:] for g in self.globs if g.startswith("!"))
        return any(fnmatch.fnmatchcase(test, g) for g in taken) and not any(fnmatch.fnmatchcase(test, g) for g in left)

    def met(self, symbols: frozenset[str]) -> bool:
        """Whether a kernel with these symbols has what is needed."""
        return (self.symbol in symbols) is self.present


@dataclass(frozen=True)
class Expectations:
    """The expectations of one suite. ``defaults`` and ``tests`` are in the order in which they are asked.

    ``symbols`` are those of the kernel that is judged; None where it is not known, and then no need counts.
    """

    columns: tuple[str, ...] = ()
    defaults: tuple[Entry, ...] = ()
    tests: tuple[Entry, ...] = ()
    needs: tuple[Need, ...] = ()
    symbols: frozenset[str] | None = None

    def on(self, symbols: Iterable[str]) -> Expectations:
        """Return what holds on a kernel with these symbols, built in or modules."""
        return replace(self, symbols=frozenset(symbols))

    def lacking(self, test: str) -> Need | None:
        """Return what the test needs and this kernel has not."""
        if self.symbols is None:
            return None
        return next((need for need in self.needs if need.fits(test) and not need.met(self.symbols)), None)

    def of(self, test: str, column: str | None) -> Status | None:
        """Return the status that the test must show in this column; None where nothing is expected."""
        return (self._find(test, column) or _NOTHING)[0]

    def judged(self, test: str, column: str | None) -> bool:
        """Whether the outcome counts at all: False for ``any``."""
        return (self._find(test, column) or _NOTHING)[1]

    def mentions(self, test: str, column: str | None) -> bool:
        """Whether anything is said of this test in this column."""
        return self._find(test, column) is not None

    def why(self, test: str) -> str:
        """Return what the test lacks here, else the reason of the most specific entry that has one."""
        if need := self.lacking(test):
            return f"needs {need}"
        return next((entry.why for entry in self._entries(test) if entry.why), "")

    def _entries(self, test: str) -> Iterator[Entry]:
        yield from (entry for entry in self.tests if entry.fits(test))
        yield from (entry for entry in self.defaults if _in_group(test, entry.pattern))

    def _find(self, test: str, column: str | None) -> Wanted | None:
        if column in self.columns and self.lacking(test):
            return Status.SKIP, True
        for entry in self._entries(test):
            for name, wanted in entry.statuses:
                if name == column:
                    return wanted
        return None


_NOTHING: Wanted = (None, True)
NONE = Expectations()
"""Nothing is expected: a test is judged by its own words alone."""


def _in_group(test: str, group: str) -> bool:
    """Whether a test id starts with these letters, and no more letters follow: ``G01`` is in G, ``GUP1`` is not."""
    return test.startswith(group) and not test[len(group) : len(group) + 1].isalpha()


def load(path: Path) -> Expectations:
    """Read a file. Raises UserError: one line with the place, and the nearest known word."""
    try:
        return parse(path.read_text(), str(path))
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not UTF-8 text") from error


def parse(text: str, name: str) -> Expectations:
    """Read the text of a file; ``name`` is what messages call it. Raises UserError like ``load``."""
    try:
        raw = yaml.load(text, _Loader)
    except yaml.YAMLError as error:
        raise UserError(f"{name}: not YAML: {error}") from error
    top = _mapping(raw, name)
    _only(top, ("columns", "defaults", "tests", "needs"), name)
    columns = top.get("columns")
    if not isinstance(columns, list) or not columns or not all(isinstance(c, str) for c in columns):
        raise UserError(f"{name}: columns: a list of names is needed, like [stock, patched]")
    defaults = _entries(top.get("defaults"), columns, f"{name}: defaults")
    tests = _entries(top.get("tests"), columns, f"{name}: tests")
    return Expectations(
        columns=tuple(columns),
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
            raise UserError(f"{name}: tests.{entry.pattern}: no test has this id{_hint(entry.pattern, known)}")
    for entry in expected.defaults:
        if not any(_in_group(test, entry.pattern) for test in known):
            raise UserError(f"{name}: defaults.{entry.pattern}: no test is in this group")
    for need in expected.needs:
        for glob in need.globs:
            if not fnmatch.filter(known, glob.removeprefix("!")):
                raise UserError(f"{name}: needs.{need.symbol}: no test matches {glob}{_hint(glob, known)}")


class _Loader(yaml.SafeLoader):
    """Refuses a key that comes twice, which YAML takes as: the last one wins."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key, _ in node.value:
            if key.value in seen:
                raise yaml.constructor.ConstructorError(None, None, f"{key.value} is there twice", key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


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
    found = _SYMBOL.fullmatch(str(key))
    if not found or found["symbol"].startswith("CONFIG_"):
        raise UserError(f"{place}: not a symbol without CONFIG_, like SWAP or SWAP=n")
    if not isinstance(raw, list) or not raw or not all(isinstance(glob, str) for glob in raw):
        raise UserError(f"{place}: a list of globs over test ids is needed")
    return Need(found["symbol"], not found["absent"], tuple(raw))


def _status(raw: Any, place: str) -> Wanted:
    if not isinstance(raw, str) or raw not in _WORDS:
        raise UserError(f"{place}: {raw!r} is no status{_hint(str(raw), _WORDS)}; known are {', '.join(_WORDS)}")
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
            raise UserError(f"{place}.{field}: not known here{_hint(str(field), names)}")


def _hint(word: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(word, list(known), 1)
    return f" (did you mean {near[0]}?)" if near else ""
