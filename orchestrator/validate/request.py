"""What is validated and how, as a value: submission, options and pipeline.yaml put together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import get_args

from orchestrator.config import loader
from orchestrator.config.schema import Pipeline
from orchestrator.config.validation import CheckName, EachPatch, Validation
from orchestrator.errors import UserError
from orchestrator.pipeline import plan
from orchestrator.pipeline.values import Choice, Job, Pair, Plan
from orchestrator.series.base import Base
from orchestrator.series.series import Series
from orchestrator.validate.paired import Tries
from orchestrator.validate.submission import Submission


@dataclass(frozen=True)
class Recipients:
    """Where the outcome is sent: ids of patches at Patchwork, and a commit for a status."""

    patches: tuple[int, ...] = ()
    commit: str | None = None


@dataclass(frozen=True)
class Request:
    """What is validated and how: the series on its base, the pairs to boot, and what pipeline.yaml says of checks.

    ``builds`` are pairs that must build and are not booted. ``runs`` is how often each test runs at least.
    ``stops_at_first`` ends it at the first red; ``ahead`` is as for ``pipeline.run``.
    """

    series: Series
    base: Base
    plan: Plan
    builds: tuple[Pair, ...]
    settings: Validation
    runs: int = 1
    recipients: Recipients = Recipients()
    stops_at_first: bool = False
    ahead: bool | None = None

    @property
    def tries(self) -> Tries:
        """How often tests run."""
        return Tries(self.runs, self.settings.retries, self.stops_at_first)

    @property
    def first(self) -> Pair:
        """The pair in whose variant each patch is compiled."""
        return self.plan.pairs[0]

    @property
    def subjects(self) -> tuple[str, ...]:
        """The patches by number and subject, as checks name them."""
        count = len(self.series.patches)
        return tuple(f"{n}/{count} {subject}" for n, subject in enumerate(self.series.subjects, 1))


@dataclass(frozen=True)
class Options:
    """Options of the command: ``skip`` besides what pipeline.yaml skips, the others instead of what it says."""

    skip: tuple[str, ...] = ()
    builds: tuple[str, ...] = ()
    runs: int = 1
    recipients: Recipients = Recipients()
    stops_at_first: bool = False
    ahead: bool | None = None
    each_patch: str | None = None


def check(pipeline: Pipeline, options: Options) -> None:
    """Refuse names that are none of a check or a variant, and recipients that nobody notifies. Raises UserError."""
    for name in options.skip:
        loader.check_name(name, dict.fromkeys(get_args(CheckName)), "--skip")
    for name in options.builds:
        loader.check_name(name, pipeline.variants, "--build")
    if options.each_patch:
        loader.check_name(options.each_patch, dict.fromkeys(get_args(EachPatch)), "--each-patch")
    receivers = {notice.kind for notice in pipeline.validation.notify}
    recipients = options.recipients
    for option, named, kind in (
        ("--patchwork-id", recipients.patches, "patchwork"),
        ("--commit", recipients.commit, "github"),
    ):
        if named and kind not in receivers:
            raise UserError(f"{option}: validation: notify: names no {kind}")


def put_together(settled: Submission, choice: Choice, options: Options) -> Request:
    """Return what is validated. Raises UserError for a name that is none."""
    pipeline, settings = settled.pipeline, settled.pipeline.validation
    check(pipeline, options)
    planned = replace(plan.expand(pipeline, settled.mode, choice), label="validate")
    booted = {pair.base.variant for pair in planned.pairs}
    only_built = [name for name in options.builds or settings.builds if name not in booted]
    return Request(
        series=settled.series,
        base=settled.base,
        plan=planned,
        builds=tuple(_in_variant(planned.pairs[0], name, pipeline) for name in only_built),
        settings=settings.model_copy(
            update={
                "skip": _union(settings.skip, options.skip),
                "each_patch": options.each_patch or settings.each_patch,
            }
        ),
        runs=options.runs,
        recipients=options.recipients,
        stops_at_first=options.stops_at_first,
        ahead=options.ahead,
    )


def _union(first: Sequence[str], second: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*first, *second)))


def _in_variant(pair: Pair, name: str, pipeline: Pipeline) -> Pair:
    """Return the pair in another variant."""

    def moved(planned: Job) -> Job:
        title = ".".join(filter(None, (planned.tree, planned.series, name)))
        return replace(planned, name=title, variant=name, variant_config=pipeline.variants[name])

    return Pair(moved(pair.base), moved(pair.patched))
