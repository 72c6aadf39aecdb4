"""Durations → an inline SVG that scales to its box. Pure."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from orchestrator.history import classify
from orchestrator.site.values import Track

_STEP, _HEIGHT = 10, 40
_LEAST = 2
"""Points that a plot needs; fewer are a number."""


@dataclass(frozen=True)
class Point:
    """How long a test took. ``place`` counts runs from the oldest."""

    place: int
    seconds: float
    broken: bool


def points(track: Track) -> tuple[Point, ...]:
    """Return the durations of a test, oldest first, of the newest setting only: others do not compare."""
    known = [
        (number, cell.test, cell.job.identity)
        for number, cell in enumerate(reversed(track.seen))
        if cell.test and cell.job and cell.test.seconds is not None
    ]
    newest = next((identity for _, _, identity in reversed(known) if identity), None)
    return tuple(
        Point(number, test.seconds, test.status.broken)
        for number, test, identity in known
        if test.seconds is not None
        and (identity is None or newest is None or classify.setting(identity) == classify.setting(newest))
    )


def words(points: Sequence[Point]) -> str:
    """Return the durations in words."""
    seconds = [point.seconds for point in points]
    if not seconds:
        return ""
    middle = f", median {short(statistics.median(seconds))}" if len(seconds) > 1 else ""
    most = f", most {short(max(seconds))}" if len(seconds) > 1 else ""
    return f"last {short(seconds[-1])}{middle}{most}"


def short(seconds: float) -> str:
    """Return a duration in three digits or so."""
    if seconds < 0.01:
        return f"{seconds * 1000:.1f} ms"
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.3g} s" if seconds < 600 else f"{seconds:.0f} s"


def svg(points: Sequence[Point], runs: int) -> Markup:
    """Return the plot of so many runs, from 0 to the most, as wide as their strip.

    A dot for each run, a bar where the test was broken; nothing for one point.
    """
    if len(points) < _LEAST:
        return Markup("")
    most = max(point.seconds for point in points) or 1.0
    width = runs * _STEP
    placed = [((p.place + 0.5) * _STEP, _HEIGHT - 3 - (_HEIGHT - 6) * p.seconds / most, p.broken) for p in points]
    return Markup(
        f'<svg class="plot" viewBox="0 0 {width} {_HEIGHT}" preserveAspectRatio="none" role="img" '
        f'style="--runs:{runs}" aria-label="duration, {words(points)}"><path class="line" d="{_line(placed, points)}"/>'
        f'<path class="dot" d="{"".join(_dots(placed))}"/><path class="bar" d="{"".join(_bars(placed))}"/></svg>'
    )


_Placed = Sequence[tuple[float, float, bool]]


def _line(placed: _Placed, points: Sequence[Point]) -> str:
    """Return the path through the points; a run that did not have the test breaks it."""
    path = [f"M{placed[0][0]:g} {placed[0][1]:.1f}"]
    for (one, other), (x, y, _) in zip(itertools.pairwise(points), placed[1:], strict=True):
        path.append(f"{'L' if other.place == one.place + 1 else 'M'}{x:g} {y:.1f}")
    return "".join(path)


def _dots(placed: _Placed) -> Iterator[str]:
    return (f"M{x:g} {y:.1f}h0" for x, y, broken in placed if not broken)


def _bars(placed: _Placed) -> Iterator[str]:
    return (f"M{x:g} {_HEIGHT}V{y:.1f}" for x, y, broken in placed if broken)
