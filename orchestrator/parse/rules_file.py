"""rules.yaml read into a rule set. The format is described at the top of the shipped file.

Fails closed: a rule set that is empty, unreadable or broken is a UserError, for a check that does not work must not
look like a clean console.
"""

from __future__ import annotations

import importlib.resources
import re
import string
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, field_validator

from orchestrator.config import yaml_text
from orchestrator.config.scalars import A_NUMBER, Integer
from orchestrator.config.strict import Strict
from orchestrator.errors import UserError
from orchestrator.parse.splat_rules import ALWAYS, GROUPS, WORDS, Rule, Rules, Source


class _RuleText(Strict):
    id: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")]
    kind: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")]
    start: Annotated[str, Field(min_length=1)]
    title: Annotated[str, Field(min_length=1)]
    aliases: tuple[str, ...] = ()
    where: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()
    suffix: str = " in {where}"
    end: str | None = None
    fatal: bool = False
    joins: tuple[str, ...] = ()
    late: Annotated[Integer, Field(ge=0)] = 0
    nth: Annotated[Integer, Field(ge=1)] = 1
    least: Annotated[Integer, Field(ge=1)] = 1
    headless: bool = False
    names: bool = False
    aside: bool = False
    any_caller: bool = False
    bare: bool = False
    unexplained: bool = False
    loses: bool = False
    harmless: str | None = None


class _RulesText(Strict):
    version: Annotated[Literal[1], A_NUMBER]
    rules: Annotated[tuple[_RuleText, ...], Field(min_length=1)]
    wordings: tuple[tuple[str, ...], ...] = ()
    quotes: tuple[str, ...] = ()
    skip_frames: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    entries: tuple[str, ...] = ()
    body: tuple[str, ...] = ()

    @field_validator("skip_frames", mode="before")
    @classmethod
    def _one_list(cls, value: Any) -> Any:
        return {ALWAYS: value} if isinstance(value, list) else value


def load_rules(path: Path | None = None) -> Rules:
    """Read a rule set; None is the shipped one. Raises UserError with the place when anything is wrong with it."""
    name = str(path) if path else "rules.yaml"
    shipped = importlib.resources.files(__package__).joinpath("rules.yaml")
    raw = yaml_text.read(path) if path else yaml_text.parse(shipped.read_text(), name)
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
    rules = tuple(_rule(text, names, texts.skip_frames) for text in texts.rules)
    starts = [rule.start.pattern for rule in rules]
    return Rules(
        rules=rules,
        at_start=_one_of(start for start in starts if _anchored(start)),
        anywhere=_one_of(start for start in starts if not _anchored(start)),
        wordings=texts.wordings,
        quotes=_any_of(texts.quotes, "quotes"),
        reporting=_any_of(texts.skip_frames.get(ALWAYS, ()), "skip_frames"),
        entries=_any_of(texts.entries, "entries"),
        body=_any_of(texts.body, "body"),
    )


def _rule(text: _RuleText, names: list[str], lists: Mapping[str, tuple[str, ...]]) -> Rule:
    start = _pattern(text.start, f"{text.id}.start")
    if start.search(""):
        raise _Broken(f"{text.id}.start fits an empty line")
    for title in (text.title, *text.aliases):
        fields = {field for _, field, _, _ in string.Formatter().parse(title) if field is not None}
        _known(fields - {"where"}, start.groupindex, f"{text.id}.title names {{}}, and start has no such group")
    _known(text.joins, {*names, "*"}, f"{text.id}.joins names {{}}, and no rule has that id")
    _known(text.skip, lists, f"{text.id}.skip names {{}}, and skip_frames has no such list")
    skipped = [part for name in (ALWAYS, *text.skip) for part in lists.get(name, ())]
    same = text.model_dump(exclude={"start", "where", "skip", "end", "joins"})
    return Rule(
        **same,
        start=start,
        where=tuple(_where(part, text.id) for part in text.where),
        skip=_any_of(skipped, "skip_frames"),
        end=_pattern(text.end, f"{text.id}.end") if text.end else None,
        joins=frozenset(text.joins),
    )


def _known(names: Iterable[str], known: Iterable[str], message: str) -> None:
    if unknown := sorted(set(names) - set(known)):
        raise _Broken(message.format(repr(unknown[0])))


def _where(text: str, rule: str) -> Source:
    if text in WORDS:
        return Source(text)
    pattern = _pattern(text, f"{rule}.where")
    if not GROUPS & set(pattern.groupindex):
        raise _Broken(f"{rule}.where has no group called where: {text}")
    return Source("", pattern)


def _any_of(parts: Iterable[str], place: str) -> re.Pattern[str]:
    """Return a pattern that fits what one of the parts fits; nothing, where there is none."""
    return _pattern("|".join(f"(?:{part})" for part in parts) or r"(?!)", place)


def _anchored(pattern: str) -> bool:
    """Whether a pattern fits at the start of a line only."""
    outside = re.sub(r"\\.|\[[^\]]*\]", "", pattern)
    while (inner := re.sub(r"\([^()]*\)", "", outside)) != outside:
        outside = inner
    return outside.startswith("^") and "|" not in outside


def _one_of(patterns: Iterable[str]) -> re.Pattern[str]:
    """Return a pattern that fits wherever one of the patterns does, and perhaps elsewhere."""
    parts = [re.sub(r"\(\?P<\w+>", "(?:", pattern) for pattern in patterns]
    if any(re.search(r"\\[1-9]|\(\?P=|\(\?[aiLmsux]+\)", part) for part in parts):
        return re.compile("")  # they refer to groups, or hold flags: together they would mean something else
    return _any_of(parts, "start")


def _pattern(text: str, place: str) -> re.Pattern[str]:
    try:
        return re.compile(text)
    except re.error as error:
        raise _Broken(f"{place} is no regular expression: {error}") from error
