"""What a tree's Kconfig files say of a symbol, so that a dropped one can be explained. Pure.

A light scan: it follows ``source``, keeps the ``if``, ``menu`` and ``choice`` around each definition, and evaluates
nothing. kconfiglib 14.1 cannot read the Kconfig files of 6.12, and to name what a symbol depends on no evaluation
is needed: the final .config has the values.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from orchestrator.kbuild.kconfig import Dropped
from orchestrator.text import wording

Reader = Callable[[str], str | None]
"""Returns the text of a file by its path in the tree, or None."""

_ENTRY = re.compile(r"(?:menu)?config\s+(\w+)$")
_SOURCE = re.compile(r'(?:or?|r)?source\s+"?([^"]+)"?$')
_TYPE = re.compile(r"(?:def_)?(?:bool|tristate|string|hex|int)\b\s*(?P<rest>.*)")
_PROMPT = re.compile(r"""(?:"(?:[^"\\]|\\.)*"|'[^']*')""")
_SELECT = re.compile(r"(?:select|imply)\s+(\w+)")
_DEFAULT = re.compile(r"(?:default|def_bool|def_tristate)\s+(.*)")
_SYMBOL = re.compile(r"(?<![\w\"'$-])(?<!\$\()(?=\d*[A-Z])[A-Z0-9][A-Z0-9_]*(?![\w\"'])")


@dataclass(frozen=True)
class Definition:
    """One place where a symbol is defined; ``depends`` are its own conditions and those of what encloses it."""

    symbol: str
    where: str
    prompt: bool = False
    depends: tuple[str, ...] = ()
    choice: bool = False
    defaults: tuple[str, ...] = ()


@dataclass(frozen=True)
class Index:
    """All definitions of a tree, and for each symbol the symbols that select it."""

    definitions: Mapping[str, tuple[Definition, ...]]
    selectors: Mapping[str, tuple[str, ...]]

    def knows(self, symbol: str) -> bool:
        """Whether any Kconfig file defines the symbol."""
        return symbol in self.definitions


@dataclass
class _Block:
    """An open ``if``, ``menu`` or ``choice``."""

    kind: str
    depends: list[str] = field(default_factory=list)


@dataclass
class _Scan:
    read: Reader
    variables: Mapping[str, str]
    definitions: dict[str, list[Definition]] = field(default_factory=dict)
    selectors: dict[str, list[str]] = field(default_factory=dict)
    blocks: list[_Block] = field(default_factory=list)
    entry: Definition | None = None


def scan(read: Reader, srcarch: str, root: str = "Kconfig") -> Index:
    """Read the Kconfig files from ``root`` on; ``srcarch`` is what ``$(SRCARCH)`` stands for (``x86``)."""
    state = _Scan(read, {"$(SRCARCH)": srcarch})
    _file(state, root)
    return Index(
        {symbol: tuple(places) for symbol, places in state.definitions.items()},
        {symbol: tuple(sorted(set(places))) for symbol, places in state.selectors.items()},
    )


def _file(state: _Scan, path: str) -> None:
    for name, value in state.variables.items():
        path = path.replace(name, value)
    text = state.read(path)
    if text is None:
        return
    for number, line in _logical_lines(text):
        if match := _SOURCE.match(line):
            _close(state)
            _file(state, match[1])
        else:
            _statement(state, line, f"{path}:{number}")
    _close(state)


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield statements with their line numbers: continued lines joined, comments and help texts left out.

    A help text ends at the first line that is indented less than its first one (scripts/kconfig/lexer.l).
    """
    lines = iter(enumerate(text.expandtabs().splitlines(), 1))
    help_indent: int | None = None
    for number, raw in lines:
        line = raw
        while line.endswith("\\"):
            line = line[:-1] + next(lines, (0, ""))[1].strip()
        if help_indent is not None and line.strip():
            indent = len(line) - len(line.lstrip())
            help_indent = indent if help_indent < 0 else help_indent
            if indent >= help_indent > 0:
                continue
            help_indent = None
        stripped = re.sub(r"(^|\s)#[^\"']*$", "", line).strip()
        if stripped in {"help", "---help---"}:
            help_indent = -1
        elif stripped:
            yield number, stripped


def _statement(state: _Scan, line: str, where: str) -> None:
    keyword = line.split(maxsplit=1)[0]
    if match := _ENTRY.match(line):
        _close(state)
        around = tuple(condition for block in state.blocks for condition in block.depends)
        state.entry = Definition(match[1], where, depends=around, choice=_in_choice(state))
    elif keyword in {"if", "menu", "choice"}:
        _close(state)
        state.blocks.append(_Block(keyword, [line[2:].strip()] if keyword == "if" else []))
    elif keyword in {"endif", "endmenu", "endchoice"}:
        _close(state)
        _end(state, keyword.removeprefix("end"))
    elif keyword in {"comment", "mainmenu"}:
        _close(state)
        state.entry = Definition("", where)
    else:
        _attribute(state, line)


def _in_choice(state: _Scan) -> bool:
    return any(block.kind == "choice" for block in state.blocks)


def _end(state: _Scan, kind: str) -> None:
    if state.blocks and state.blocks[-1].kind == kind:
        state.blocks.pop()


def _attribute(state: _Scan, line: str) -> None:
    if line.startswith("depends on "):
        condition = line.removeprefix("depends on ").strip()
        if state.entry:
            state.entry = replace(state.entry, depends=(*state.entry.depends, condition))
        elif state.blocks:
            state.blocks[-1].depends.append(condition)
        return
    if state.entry is None:
        return
    if match := _SELECT.match(line):
        state.selectors.setdefault(match[1], []).append(state.entry.symbol)
    elif line.startswith("prompt ") or ((kind := _TYPE.match(line)) and _PROMPT.match(kind["rest"])):
        # def_bool takes a value where bool takes a prompt; a quoted value there is no prompt.
        state.entry = replace(state.entry, prompt=state.entry.prompt or not line.startswith("def_"))
    elif match := _DEFAULT.match(line):
        state.entry = replace(state.entry, defaults=(*state.entry.defaults, match[1]))


def _close(state: _Scan) -> None:
    if state.entry and state.entry.symbol:
        state.definitions.setdefault(state.entry.symbol, []).append(state.entry)
    state.entry = None


def explain(index: Index, dropped: Dropped, values: Mapping[str, str]) -> str:
    """Say in one clause why a request was not kept, with the values that the symbols in its conditions have."""
    symbol = dropped.request.symbol
    definitions = index.definitions.get(symbol, ())
    if dropped.request.value == "n":
        return _held_on(index, symbol, values)
    conditions = [_conjunction(d.depends) for d in definitions if d.depends]
    clauses = [" or ".join(f"depends on {c}{_today(c, values)}" for c in dict.fromkeys(conditions))]
    if definitions and not any(d.prompt for d in definitions):
        clauses.insert(0, f"has no prompt: {_origin(index, symbol, values)}")
    if any(d.choice for d in definitions):
        clauses.append("is one of a choice that took another value")
    return "; ".join(filter(None, clauses)) or "depends on nothing: its prompt is hidden, or another symbol sets it"


def _conjunction(conditions: tuple[str, ...]) -> str:
    unique = list(dict.fromkeys(conditions))
    return " && ".join(f"({c})" if "||" in c and len(unique) > 1 else c for c in unique)


def _today(condition: str, values: Mapping[str, str]) -> str:
    return _bracketed(dict.fromkeys(_SYMBOL.findall(condition)), values)


def _bracketed(symbols: Iterable[str], values: Mapping[str, str]) -> str:
    settings = ", ".join(f"{symbol}={values.get(symbol, 'n')}" for symbol in symbols)
    return f" [{settings}]" if settings else ""


def _origin(index: Index, symbol: str, values: Mapping[str, str]) -> str:
    """Say where the value of a symbol without a prompt comes from: what selects it, and its defaults."""
    defaults = [text for d in index.definitions[symbol] for text in d.defaults]
    origins = [_selected_by(selectors, values)] if (selectors := index.selectors.get(symbol)) else []
    origins += [f"its default is {text}{_today(text, values)}" for text in dict.fromkeys(defaults)]
    return ", ".join(origins) or "nothing selects it"


def _selected_by(selectors: tuple[str, ...], values: Mapping[str, str], most: int = 6) -> str:
    return f"only selected by {wording.some(selectors, most, ' or ')}{_bracketed(selectors[:most], values)}"


def _held_on(index: Index, symbol: str, values: Mapping[str, str]) -> str:
    holders = [name for name in index.selectors.get(symbol, ()) if values.get(name, "n") != "n"]
    if holders:
        return f"is selected by {' and '.join(holders)}{_bracketed(holders, values)}"
    prompt = any(d.prompt for d in index.definitions.get(symbol, ()))
    return f"{'its prompt is hidden' if prompt else 'has no prompt'}, and its default is on"
