"""Long lists in few words."""

from orchestrator import wording


def test_a_long_list_says_how_many_more_there_are() -> None:
    assert wording.some(["a", "b", "c"], 2) == "a, b and 1 more"
    assert wording.some(["a", "b"], 2) == "a, b"
    assert wording.some(["a", "b", "c"], 2, " or ") == "a or b and 1 more"


def test_what_is_said_of_many_is_said_once_in_the_order_of_first_mention() -> None:
    assert wording.together([("slow", "x"), ("new", "y"), ("slow", "z")]) == [("slow", ["x", "z"]), ("new", ["y"])]
