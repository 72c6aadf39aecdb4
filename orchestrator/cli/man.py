"""The manual page, made from the help of the commands: roff, as ``man -l`` reads it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from orchestrator.errors import MEANINGS

_EXITS = tuple((str(code.value), meaning) for code, meaning in MEANINGS.items())
_FILES = (
    ("./pipeline.yaml", "the pipeline file, where it is there"),
    ("~/.config/wpci/pipeline.yaml", "yours"),
    ("~/.cache/wpci", "sources, kernels and work trees; WPCI_CACHE names another folder"),
    ("~/.local/state/wpci", "results of runs inside a kernel tree"),
)


def page(group: Any, version: str) -> str:
    """Return the page of a group of commands (click's); what is hidden is left out."""
    return "".join(f"{line}\n" for line in _lines(group, version))


def _lines(group: Any, version: str) -> Iterator[str]:
    shown = {name: command for name, command in group.commands.items() if not command.hidden}
    yield f'.TH WPCI 1 "" "wpci {_text(version)}" "User Commands"'
    yield from (".SH NAME", _text(f"wpci - {_sentence(group.help)}"))
    yield from (".SH SYNOPSIS", ".B wpci", ".I COMMAND", "[OPTION]... [ARGUMENT]...")
    yield from (".SH DESCRIPTION", *_paragraphs(group.help))
    yield ".SH OPTIONS"
    yield from _options(group)
    yield ".SH COMMANDS"
    for name, command in shown.items():
        yield f'.SS "wpci {_text(name)}{_text(_arguments(command))}"'
        yield from _paragraphs(command.help)
        yield from _options(command)
    for heading, rows in (("EXIT STATUS", _EXITS), ("FILES", _FILES)):
        yield f".SH {heading}"
        for what, text in rows:
            yield from (".TP", f".B {_text(what)}", _text(text))


def _sentence(text: str) -> str:
    first = " ".join(text.split()).partition(". ")[0].rstrip(".")
    return first[:1].lower() + first[1:]


def _paragraphs(text: str) -> Iterator[str]:
    for number, paragraph in enumerate(re.split(r"\n\s*\n", (text or "").strip())):
        yield from ([".PP"] if number else [])
        yield _text(" ".join(paragraph.split()))


def _arguments(command: Any) -> str:
    return "".join(f" {_argument(parameter)}" for parameter in _of(command, "argument"))


def _argument(parameter: Any) -> str:
    """Return an argument as the help shows it: in brackets where it may be left out."""
    name = parameter.metavar or parameter.name.upper()
    return name if parameter.required or name.startswith("[") else f"[{name}]"


def _options(command: Any) -> Iterator[str]:
    for option in _of(command, "option"):
        names = ", ".join((*option.opts, *option.secondary_opts))
        value = "" if option.is_flag else f" {option.name.upper().replace('_', '-')}"
        yield from (".TP", f'.B "{_text(names + value)}"', _text(option.help or ""))


def _of(command: Any, kind: str) -> list[Any]:
    return [p for p in command.params if p.param_type_name == kind and not getattr(p, "hidden", False)]


def _text(text: str) -> str:
    """Return text that no line of is taken for a request, and in which hyphens can be copied."""
    escaped = text.replace("\\", "\\e").replace("-", "\\-").replace('"', "\\(dq")
    return f"\\&{escaped}" if escaped[:1] in (".", "'") else escaped
