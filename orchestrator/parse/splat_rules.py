"""rules.yaml → what a splat looks like. The format is described at the top of the shipped file.

Fails closed: a rule set that is empty, unreadable or broken is a UserError, for a check that does not work must not
look like a clean console.
"""

from __future__ import annotations

import importlib.resources
import re
import string
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from orchestrator.errors import UserError

FRAME = "frame"
"""In ``where``: the first function of the call trace that is not in ``skip_frames``."""


class _RuleText(BaseModel):
    model_config = ConfigDict(extra="forbid")

    id: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")]
    kind: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")]
    start: Annotated[str, Field(min_length=1)]
    title: Annotated[str, Field(min_length=1)]
    where: tuple[str, ...] = ()
    suffix: str = " in {where}"
    end: str | None = None
    fatal: bool = False
    joins: tuple[str, ...] = ()
    late: Annotated[int, Field(ge=0)] = 0
    nth: Annotated[int, Field(ge=1)] = 1


class _RulesText(BaseModel):
    model_config = ConfigDict(extra="forbid")

    version: Literal[1]
    rules: Annotated[tuple[_RuleText, ...], Field(min_length=1)]
    skip_frames: tuple[str, ...] = ()
    body: tuple[str, ...] = ()


@dataclass(frozen=True)
class Rule:
    """One kind of complaint; see rules.yaml for what the fields mean. A ``where`` of None is the frame."""

    id: str
    kind: str
    start: re.Pattern[str]
    title: str
    where: tuple[re.Pattern[str] | None, ...]
    suffix: str
    end: re.Pattern[str] | None
    fatal: bool
    joins: frozenset[str]
    late: int
    nth: int

    def may_join(self, other: Rule, lines_since: int, closed: bool) -> bool:
        """Whether a line of this rule belongs to a splat of the other one."""
        near = not closed or lines_since <= self.late
        return near and ("*" in self.joins or other.id in self.joins)


@dataclass(frozen=True)
class Rules:
    """A rule set: the first rule that fits a line counts."""

    rules: tuple[Rule, ...]
    skip_frames: re.Pattern[str]
    body: re.Pattern[str]

    def match(self, message: str) -> tuple[Rule, re.Match[str]] | None:
        """Return the rule that the line starts a splat of, and its match."""
        for rule in self.rules:
            if found := rule.start.search(message):
                return rule, found
        return None


def load_rules(path: Path | None = None) -> Rules:
    """Read a rule set; None is the shipped one. Raises UserError with the place when anything is wrong with it."""
    name = str(path) if path else "rules.yaml"
    try:
        text = path.read_text() if path else importlib.resources.files(__package__).joinpath("rules.yaml").read_text()
        raw = yaml.safe_load(text)
    except OSError as error:
        raise UserError(f"{name}: cannot read the splat rules: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{name}: not YAML: {error}") from error
    try:
        return _compile(_RulesText.model_validate(raw if raw is not None else {}))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise UserError(f"{name}: {place}: {first['msg']}") from error
    except _Broken as error:
        raise UserError(f"{name}: {error}") from error


class _Broken(Exception):
    pass


def of(texts: Mapping[str, Any]) -> Rules:
    """Return the rule set that this mapping, of the shape of the file, stands for. For tests and tools."""
    return _compile(_RulesText.model_validate(texts))


def _compile(texts: _RulesText) -> Rules:
    names = [rule.id for rule in texts.rules]
    for name in names:
        if names.count(name) > 1:
            raise _Broken(f"the rule {name} is there twice")
    rules = tuple(_rule(text, names) for text in texts.rules)
    return Rules(
        rules=rules,
        skip_frames=_pattern("|".join(f"(?:{part})" for part in texts.skip_frames) or r"(?!)", "skip_frames"),
        body=_pattern("|".join(f"(?:{part})" for part in texts.body) or r"(?!)", "body"),
    )


def _rule(text: _RuleText, names: list[str]) -> Rule:
    start = _pattern(text.start, f"{text.id}.start")
    if start.search(""):
        raise _Broken(f"{text.id}.start fits an empty line")
    fields = {field for _, field, _, _ in string.Formatter().parse(text.title) if field is not None}
    if unknown := fields - set(start.groupindex):
        raise _Broken(f"{text.id}.title names {sorted(unknown)[0]!r}, and start has no such group")
    if unknown := set(text.joins) - {*names, "*"}:
        raise _Broken(f"{text.id}.joins names {sorted(unknown)[0]!r}, and no rule has that id")
    return Rule(
        id=text.id,
        kind=text.kind,
        start=start,
        title=text.title,
        where=tuple(_where(part, text.id) for part in text.where),
        suffix=text.suffix,
        end=_pattern(text.end, f"{text.id}.end") if text.end else None,
        fatal=text.fatal,
        joins=frozenset(text.joins),
        late=text.late,
        nth=text.nth,
    )


def _where(text: str, rule: str) -> re.Pattern[str] | None:
    if text == FRAME:
        return None
    pattern = _pattern(text, f"{rule}.where")
    if "where" not in pattern.groupindex:
        raise _Broken(f"{rule}.where has no group called where: {text}")
    return pattern


def _pattern(text: str, place: str) -> re.Pattern[str]:
    try:
        return re.compile(text)
    except re.error as error:
        raise _Broken(f"{place} is no regular expression: {error}") from error
