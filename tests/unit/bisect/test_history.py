"""What a bisect runs: the job of which each step is a variation."""

from __future__ import annotations

import pytest

from orchestrator import suite
from orchestrator.bisect import history
from orchestrator.bisect.values import Request
from orchestrator.config.schema import Pipeline
from orchestrator.model import Symptom, SymptomKind

PIPELINE = Pipeline.model_validate(
    {
        "trees": {"git": {"source": {"provider": "git", "url": "u", "ref": "main"}}},
        "variants": {"small": {"fragments": []}},
        "suites": {
            "own": {"kind": "own", "directory": "programs"},
            "mm": {
                "kind": "tree",
                "directory": "mm",
                "programs": [{"run": f"./{name}", "name": name} for name in ("cow", "prot", "cow_more")],
            },
        },
        "modes": {"smoke": {"trees": ["git"], "variants": ["small"], "suites": ["own", "mm"], "tests": ["B*"]}},
    }
)


def globs(name: str, *suites: str, kind: SymptomKind = SymptomKind.TEST) -> tuple[str, ...]:
    asked = Request(good="a", bad="b", symptom=Symptom(kind, name), tree="git", mode="smoke", suites=suites)
    return history._template(asked, PIPELINE).tests


@pytest.mark.parametrize("suites", [(), ("mm",)])
@pytest.mark.parametrize("name", ["cow", "cow.No leak from parent [0]", "prot.key[0]"])
def test_of_a_case_its_program_runs(name: str, suites: tuple[str, ...]) -> None:
    assert suite.pick(["cow", "prot", "cow_more"], globs(name, *suites)) == [name.partition(".")[0]]


def test_a_test_of_our_own_is_named_as_it_is() -> None:
    assert globs("B01_present", "own") == ("B01_present",)
    assert globs("B01[0]", "own") == ("B01[[]0]",)
    assert globs("cow.x", "own") == ("cow.x",), "no suite has that program"
    assert globs("BUG*", kind=SymptomKind.SPLAT) == ("B*",), "what the mode names"
