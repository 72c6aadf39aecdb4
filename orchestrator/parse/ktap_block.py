"""YAML blocks of TAP 13 and 14: they stand behind a result and are about it."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from orchestrator.model import TestResult
from orchestrator.parse.ktap_level import MOST_DIAGNOSTICS, Level
from orchestrator.parse.ktap_lines import Line
from orchestrator.parse.reasons import LONGEST

_WHY = re.compile(r"(?:message|error): *(?P<folded>[|>][+-]?\d?$)?['\"]?(?P<text>.*?)['\"]?$")
_DURATION = re.compile(r"duration_ms: ([0-9]{1,9}(?:\.[0-9]{1,9})?)$")


@dataclass
class Block:
    """A block while it is read: about the last test of a level, and how its lines begin."""

    level: Level
    hashes: int
    indent: int
    folded: bool = False  # the next line says why

    @staticmethod
    def opened(line: Line, last: Line | None, level: Level) -> Block | None:
        """Return the block that a line opens: deeper than the result before it, and behind as many ``#``."""
        if line.content != "---" or last is None or line.indent <= last.indent or line.hashes != last.hashes:
            return None
        return Block(level, line.hashes, line.indent)

    @property
    def test(self) -> str:
        """The name of the test that it is about."""
        return self.level.tests[-1].name

    def holds(self, text: str) -> bool:
        """Whether a line may be part of it: indented as its first line, or blank."""
        before = text[: self.indent]
        return not text.strip(" #") or (not before.strip(" #") and before.count("#") == self.hashes)

    def take(self, text: str) -> bool:
        """Take a line that it holds; return whether it was the last one. A result in it is a quotation."""
        content = text[self.indent :].rstrip()[:LONGEST]
        if content == "...":
            return True
        result = self.level.tests[-1]
        result = replace(result, diagnostics=(*result.diagnostics, content)[-MOST_DIAGNOSTICS:])
        if match := _DURATION.match(content):
            result = replace(result, seconds=float(match[1]) / 1000)
        self.level.tests[-1] = replace(result, reason=self._why(content, result))
        return False

    def _why(self, content: str, result: TestResult) -> str:
        """Return the reason of a result behind which that line of its block stands."""
        match = _WHY.match(content)
        folded, self.folded = self.folded, bool(match and match["folded"])
        if result.reason or not result.status.broken:
            return result.reason
        return content.strip() if folded else match["text"] if match else ""
