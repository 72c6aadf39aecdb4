"""What a series names as applied before it, as git and b4 write it."""

from __future__ import annotations

import pytest

from orchestrator.series.mail import Prerequisite
from orchestrator.series.prerequisites import unmet

CHANGE, MESSAGE = Prerequisite("change-id", "20250101-a:v3"), Prerequisite("message-id", "m@x")
ONE, TWO, THREE = (Prerequisite("patch-id", letter * 40) for letter in "abc")


@pytest.mark.parametrize(
    ("wanted", "there", "missing"),
    [
        ((CHANGE, ONE, TWO), (ONE, TWO), ()),
        ((CHANGE, ONE, TWO), (ONE,), (CHANGE, TWO)),
        ((MESSAGE, ONE), (ONE,), ()),
        ((MESSAGE, ONE), (MESSAGE,), (ONE,)),
        ((CHANGE,), (), (CHANGE,)),
        ((CHANGE, MESSAGE, ONE), (ONE,), (CHANGE,)),
        ((ONE, CHANGE), (ONE,), (CHANGE,)),
        ((CHANGE, ONE, MESSAGE, TWO, THREE), (ONE, TWO), (MESSAGE, THREE)),
        ((), (ONE,), ()),
    ],
)
def test_a_series_is_there_where_all_of_the_patches_behind_it_are(
    wanted: tuple[Prerequisite, ...], there: tuple[Prerequisite, ...], missing: tuple[Prerequisite, ...]
) -> None:
    assert unmet(wanted, {each.value for each in there}) == missing
