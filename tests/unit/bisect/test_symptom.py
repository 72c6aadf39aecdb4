"""What a symptom is called."""

from __future__ import annotations

import pytest

from orchestrator.bisect import symptom
from orchestrator.errors import UserError
from orchestrator.model import Symptom, SymptomKind


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("boot", Symptom(SymptomKind.BOOT)),
        ("build", Symptom(SymptomKind.BUILD)),
        ("B01_present.memfd-shared", Symptom(SymptomKind.TEST, "B01_present.memfd-shared")),
        ("test:boot", Symptom(SymptomKind.TEST, "boot")),
        ("BUG: Bad page map in process", Symptom(SymptomKind.SPLAT, "BUG: Bad page map in process")),
        ("splat:KASAN*", Symptom(SymptomKind.SPLAT, "KASAN*")),
        ("test:cow.R/W pin (why?) [0]", Symptom(SymptomKind.TEST, "cow.R/W pin (why?) [0]")),
    ],
)
def test_a_symptom_is_read(text: str, found: Symptom) -> None:
    assert symptom.parse(text) == found
    assert symptom.parse(str(found)) == found


@pytest.mark.parametrize("text", ["", "test:", "test:B*", "test:B0[12]_a.x", "test:cow.*"])
def test_a_symptom_that_names_nothing_is_refused(text: str) -> None:
    with pytest.raises(UserError):
        symptom.parse(text)
