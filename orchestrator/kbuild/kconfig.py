"""Fragments of .config: read, merged with their conflicts, and compared with what Kconfig made of them. Pure.

A line of a fragment asks for one symbol: ``CONFIG_X=y``, ``=m``, ``=n``, ``="text"``, ``=123``, ``=0x1f``, or
``# CONFIG_X is not set``. A comment behind it may begin with words that change what the line means, up to a colon:

- ``# optional``: nothing is wrong when this kernel does not have it. It is said, and the build goes on.
- ``# where-known``: nothing is wrong when this tree's Kconfig has no such symbol; one that has it must keep it.
- ``# override``: an earlier fragment may ask for another value; this line wins. Without it that is a conflict.
- ``# default``: a later fragment may ask for another value without a word.

They may stand together, with a reason: ``CONFIG_SWAP=n # override: the kernel without swap``. Every other comment is
for people. A misspelt word is therefore a plain comment, and the strict reading holds.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from orchestrator.errors import UserError

_WORDS = frozenset({"default", "optional", "override", "where-known"})
_UNSET = re.compile(r"# CONFIG_(?P<symbol>\w+) is not set(?:\s+#(?P<comment>.*))?")
_SET = re.compile(r'CONFIG_(?P<symbol>\w+)=(?P<value>"(?:[^"\\]|\\.)*"|[^\s"#]+)(?:\s+#(?P<comment>.*))?')
_VALUE = re.compile(r'[ymn]|-?\d+|0[xX][0-9a-fA-F]+|".*"')


@dataclass(frozen=True)
class Request:
    """One symbol asked for; ``value`` as .config writes it (``n`` for unset), ``where`` is ``file:line``."""

    symbol: str
    value: str
    where: str
    optional: bool = False
    override: bool = False
    where_known: bool = False
    default: bool = False

    def __str__(self) -> str:
        return f"CONFIG_{self.symbol}={self.value} ({self.where})"


@dataclass(frozen=True)
class Fragment:
    """A fragment file: its requests in their order."""

    where: str
    requests: tuple[Request, ...]


@dataclass(frozen=True)
class Conflict:
    """Two fragments that ask for different values of one symbol."""

    first: Request
    second: Request

    def __str__(self) -> str:
        return f"{self.first} against {self.second}"


@dataclass(frozen=True)
class Merged:
    """What all fragments ask for together: one request a symbol, in the order of first mention."""

    requests: tuple[Request, ...]
    conflicts: tuple[Conflict, ...] = ()

    @property
    def text(self) -> str:
        """The requests as .config lines, sorted: equal requests give equal text."""
        return "".join(sorted(_line(r.symbol, r.value) for r in self.requests))


@dataclass(frozen=True)
class Dropped:
    """A request that the final .config does not hold; ``actual`` is its value there, None where it is absent."""

    request: Request
    actual: str | None

    def __str__(self) -> str:
        return f"{self.request} is {'absent' if self.actual is None else self.actual}"


def parse(text: str, where: str) -> Fragment:
    """Read a fragment; ``where`` names it in messages. Raises UserError for a line that asks for nothing clear."""
    requests = (_parse_line(line.strip(), f"{where}:{number}") for number, line in enumerate(text.splitlines(), 1))
    return Fragment(where, tuple(request for request in requests if request))


def _parse_line(line: str, where: str) -> Request | None:
    if match := _UNSET.fullmatch(line):
        return _request(match, "n", where)
    if not line or line.startswith("#"):
        return None
    match = _SET.fullmatch(line)
    if not match or not _VALUE.fullmatch(match["value"]):
        raise UserError(f'{where}: not a line of a fragment (CONFIG_X=y|m|n|"text"|number): {line}')
    return _request(match, match["value"], where)


def _request(match: re.Match[str], value: str, where: str) -> Request:
    words = set(re.split(r"[\s,]+", (match["comment"] or "").split(":")[0].strip()))
    flags = words if words <= _WORDS else set()
    return Request(
        match["symbol"],
        value,
        where,
        optional="optional" in flags,
        override="override" in flags,
        where_known="where-known" in flags,
        default="default" in flags,
    )


def merge(fragments: Iterable[Fragment]) -> Merged:
    """Put fragments together in their order.

    The same value twice is no conflict, and is optional, or where-known, only where both lines say so. Within one file
    the rule is the same as between files.
    """
    merged: dict[str, Request] = {}
    conflicts = []
    for request in (r for fragment in fragments for r in fragment.requests):
        earlier = merged.get(request.symbol)
        if earlier and earlier.value == request.value:
            merged[request.symbol] = replace(
                request if earlier.optional else earlier,
                where_known=request.where_known and earlier.where_known,
            )
            continue
        if earlier and not (request.override or earlier.default):
            conflicts.append(Conflict(earlier, request))
        merged[request.symbol] = request
    return Merged(tuple(merged.values()), tuple(conflicts))


def read(config: str) -> dict[str, str]:
    """Return the symbols of a .config; ``n`` for a line that says ``is not set``."""
    values = {}
    for line in config.splitlines():
        if match := _UNSET.fullmatch(line) or _SET.fullmatch(line):
            values[match["symbol"]] = match.groupdict().get("value") or "n"
    return values


def render(base: str, merged: Merged) -> str:
    """Return the base .config with the requests in place of its own lines for the same symbols."""
    requested = {request.symbol for request in merged.requests}
    kept = [line for line in base.splitlines(keepends=True) if not _mentions(line.strip(), requested)]
    return "".join(kept) + "".join(_line(request.symbol, request.value) for request in merged.requests)


def _mentions(line: str, symbols: set[str]) -> bool:
    match = _UNSET.fullmatch(line) or _SET.fullmatch(line)
    return match is not None and match["symbol"] in symbols


def _line(symbol: str, value: str) -> str:
    return f"# CONFIG_{symbol} is not set\n" if value == "n" else f"CONFIG_{symbol}={value}\n"


def compare(merged: Merged, config: str) -> tuple[Dropped, ...]:
    """Return what was asked for and is otherwise in the final .config. An absent symbol is as good as ``n``."""
    values = read(config)
    return tuple(
        Dropped(request, values.get(request.symbol))
        for request in merged.requests
        if not _same(request.value, values.get(request.symbol, "n"))
    )


def _same(requested: str, actual: str) -> bool:
    if requested.lower().startswith("0x") and actual.lower().startswith("0x"):
        return int(requested, 16) == int(actual, 16)
    return requested == actual


def modular(values: Mapping[str, str]) -> bool:
    """Whether a .config builds any module."""
    return "m" in values.values()
