"""What a night asks the bisect for: between which ends, and where there is nothing to ask."""

from __future__ import annotations

import dataclasses
import errno
from pathlib import Path
from typing import Any, cast

import pytest

from orchestrator.bisect import run
from orchestrator.bisect.values import ALL, Request
from orchestrator.config.schema import Pipeline
from orchestrator.errors import InfraError
from orchestrator.history import rows
from orchestrator.history.classify import Change, rate
from orchestrator.history.night import Finding
from orchestrator.host import scratch
from orchestrator.model import Products, Side, Status, SymptomKind, Tree
from orchestrator.nightly import culprits
from orchestrator.nightly.culprits import Suspect
from orchestrator.pipeline.context import Workspace
from orchestrator.series import apply
from tests.fakes import engines
from tests.fakes import results as fixture

PIPELINE = Pipeline.model_validate(
    {
        "trees": {
            "git": {"source": {"provider": "git", "url": "u", "ref": "main"}},
            "deb": {"source": {"provider": "debian", "package": "linux-source-5.10", "suite": "s"}},
        },
        "variants": {}, "suites": {}, "modes": {},
    }
)  # fmt: skip


Ends = tuple[str, str]
"""The base of a kernel, and its tip."""


def suspect(
    now: Ends, before: Ends | None, *, name: str = "git", side: Side = Side.BASE, test: str = "uffd/T"
) -> Suspect:
    suite, _, name_of_test = test.partition("/")
    tree = Tree(Path("/g"), base=now[0], commit=now[1], content="c", label="l")
    job = fixture.job(side, (), tree=name, products=Products(tree=tree))
    finding = Finding(job.name, suite, name_of_test, Change.REGRESSED, Status.PASS, Status.FAIL, rate([]))
    last = rows.of_result(job, "last night").job
    return Suspect(finding, job, before and dataclasses.replace(last, base=before[0], commit=before[1]))


def asked(of: Suspect) -> Request | str:
    return culprits.request(of, PIPELINE, "smoke")


def test_a_tree_that_moved_is_bisected_between_the_nights() -> None:
    found = asked(suspect(("new", "b"), ("old", "a")))
    assert isinstance(found, Request)
    assert (found.good, found.bad, found.tree, found.carry) == ("old", "new", "git", None)
    assert (found.symptom.kind, found.symptom.name, found.suites) == (SymptomKind.TEST, "T", ("uffd",))
    assert (found.mode, found.variant) == ("smoke", "smoke")


def test_a_tree_with_patches_before_the_series_is_bisected_between_commits_of_its_source() -> None:
    of = suspect(("made", "made"), ("old", "made before"))
    tree = of.job.products.tree
    assert tree
    with_patches = apply.as_base(dataclasses.replace(tree, base="new"))
    job = dataclasses.replace(of.job, products=Products(tree=with_patches))
    assert (with_patches.base, rows.of_result(job, "tonight").job.base) == ("made", "new")
    found = asked(dataclasses.replace(of, job=job))
    assert isinstance(found, Request) and (found.good, found.bad) == ("old", "new")
    again = apply.as_base(dataclasses.replace(with_patches, commit="more"))
    assert (again.base, again.source_commit) == ("more", "new")
    moved = dataclasses.replace(of, job=job, before=rows.of_result(job, "last night").job)
    assert "neither the tree nor the series" in str(asked(moved))


def test_a_series_is_carried_over_a_tree_that_moved() -> None:
    found = asked(suspect(("new", "b"), ("old", "a"), side=Side.PATCHED))
    assert isinstance(found, Request) and (found.good, found.carry, found.series) == ("old", "uffd-wp", None)


def test_a_series_that_changed_is_bisected_patch_by_patch() -> None:
    found = asked(suspect(("same", "b"), ("same", "a"), side=Side.PATCHED))
    assert isinstance(found, Request)
    assert (found.good, found.bad, found.series, found.carry) == ("0", ALL, "uffd-wp", None)


@pytest.mark.parametrize("stage", ["build", "boot"])
def test_a_stage_is_a_symptom_of_its_own(stage: str) -> None:
    found = asked(suspect(("new", "b"), ("old", "a"), test=f"stage/{stage}"))
    assert isinstance(found, Request) and str(found.symptom) == stage and found.suites == ()


@pytest.mark.parametrize(
    ("of", "why"),
    [
        (suspect(("same", "a"), ("same", "a")), "neither the tree nor the series"),
        (suspect(("new", "b"), None), "is not known"),
        (suspect(("new", "b"), ("old", "a"), name="deb"), "no git repository"),
        (suspect(("same", "b"), ("same", "a"), test="stage/series", side=Side.PATCHED), "names its patch"),
    ],
)
def test_where_there_is_nothing_to_ask_that_is_said(of: Suspect, why: str) -> None:
    found = asked(of)
    assert isinstance(found, str) and why in found


def test_what_the_base_shows_too_is_asked_of_the_base() -> None:
    base, patched = fixture.pair()
    result = fixture.run(fixture.series(base, patched))
    findings = [
        Finding(job.name, "uffd", test, Change.REGRESSED, Status.PASS, Status.FAIL, rate([]))
        for job, test in ((base, "T"), (patched, "T"), (patched, "U"))
    ]
    assert [f.job for f in culprits.first(result, findings)] == [base.name, patched.name]
    assert [f.test for f in culprits.first(result, findings)] == ["T", "U"]
    assert culprits.first(result, findings[:2]) == findings[:1]


def test_a_test_that_failed_is_asked_of_before_one_that_did_not_run() -> None:
    base, patched = fixture.pair()
    result = fixture.run(fixture.series(base, patched))
    findings = [
        Finding(base.name, "uffd", test, Change.REGRESSED, Status.PASS, status, rate([]))
        for test, status in (("A", Status.MISSING), ("B", Status.ERROR), ("C", Status.FAIL), ("D", Status.FAIL))
    ]
    assert culprits.first(result, findings) == [findings[2]]
    assert culprits.first(result, findings[:2]) == findings[:1]
    unseen = suspect(("new", "b"), ("old", "a"))
    unseen = dataclasses.replace(unseen, finding=findings[0])
    found = asked(unseen)
    assert isinstance(found, str) and "did not run" in found


def test_a_bisect_of_a_night_is_seen_to_be_at_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def bisect(request: Request, workspace: Workspace) -> None:
        held.append(scratch.is_held(workspace.directory))
        raise InfraError("no guest")

    held: list[bool] = []
    monkeypatch.setattr(culprits, "suspects", lambda *_: [suspect(("new", "b"), ("old", "a"))])
    monkeypatch.setattr(run, "run", bisect)
    result, comparison, database = cast(Any, None), cast(Any, None), cast(Any, None)
    space = dataclasses.replace(engines.workspace(tmp_path), pipeline=PIPELINE)
    (line,) = culprits.chase("smoke", result, comparison, database, space)
    assert line.endswith("no guest") and held == [True]


@pytest.mark.parametrize("where", ["bisect", "its folder"])
def test_a_bisect_that_ends_as_nobody_foresaw_is_a_line_of_the_night(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    space = dataclasses.replace(engines.workspace(tmp_path), pipeline=PIPELINE)
    monkeypatch.setattr(culprits, "suspects", lambda *_: [suspect(("new", "b"), ("old", "a"))])
    monkeypatch.setattr(*((run, "run", full) if where == "bisect" else (Path, "mkdir", full)))
    result, comparison, database = cast(Any, None), cast(Any, None), cast(Any, None)
    (line,) = culprits.chase("smoke", result, comparison, database, space)
    assert line.startswith("not bisected: ") and "No space left on device" in line
