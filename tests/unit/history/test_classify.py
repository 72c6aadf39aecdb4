"""What is flaky, and what only looks so: nights of one test as letters, p(ass) f(ail) c(rash) s(kip) t(imeout)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.history import classify
from orchestrator.history.classify import Change, Night, TitleChange
from orchestrator.model import Identity, Status
from tests.fakes.results import IDENTITY

LETTERS = {
    "p": Status.PASS,
    "f": Status.FAIL,
    "c": Status.CRASHED,
    "s": Status.SKIP,
    "t": Status.TIMEOUT,
    "x": Status.XFAIL,
    "m": Status.MISSING,
}
nights = st.lists(
    st.builds(
        Night,
        st.lists(st.sampled_from(list(Status)), min_size=1, max_size=4).map(tuple),
        st.sampled_from(["one", "two", "three"]),
    ),
    min_size=1,
    max_size=20,
)


def chronicle(text: str) -> list[Night]:
    """Return nights, newest first, from a text that is read oldest first; a space is where the content changes."""
    found = [Night((LETTERS[night],), f"{k}") for k, content in enumerate(text.split()) for night in content]
    return found[::-1]


def night_of(text: str, content: str = "a kernel") -> Night:
    return Night(tuple(LETTERS[letter] for letter in text), content)


def change(text: str) -> Change:
    now, *before = chronicle(text)
    return classify.change(now, before)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("p", Change.NEW),
        ("f", Change.NEW),
        ("ppp", Change.STEADY),
        ("s s", Change.STEADY),
        ("p f", Change.REGRESSED),
        ("s f", Change.REGRESSED),
        ("p s", Change.REGRESSED),
        ("p t", Change.REGRESSED),
        ("f p", Change.FIXED),
        ("s p", Change.FIXED),
        ("f f", Change.PERSISTENT),
        ("x x", Change.PERSISTENT),
        ("f s", Change.MISSING),
        # planned and not seen is broken; what it is next is held against what it did when it ran
        ("p m", Change.REGRESSED),
        ("s m", Change.REGRESSED),
        ("m", Change.MISSING),
        ("f m", Change.MISSING),
        ("p m m", Change.MISSING),
        ("p m f", Change.REGRESSED),
        ("p m f f", Change.PERSISTENT),
        ("p m p", Change.STEADY),
        ("f m f", Change.PERSISTENT),
        ("f m p", Change.FIXED),
        ("m f", Change.NEW),
        # one kernel, two answers
        ("pf", Change.FLAKY),
        ("fp", Change.FLAKY),
        ("p fp", Change.FLAKY),
        # each night another kernel: broken for a while is a bug that came and went
        ("p f f p", Change.FIXED),
        ("p f p", Change.FIXED),
        ("p f p f", Change.FLAKY),
        # a crash is never chance
        ("pc", Change.REGRESSED),
        ("cp", Change.FIXED),
        ("p c p c", Change.REGRESSED),
        ("p f p f c", Change.REGRESSED),
        ("p f p f c c", Change.PERSISTENT),
        # a test that failed by chance was offered: chance does not take it away
        ("p pf p s", Change.REGRESSED),
        ("p pf p f s", Change.MISSING),
    ],
)
def test_nights_are_classed(text: str, expected: Change) -> None:
    assert change(text) is expected


def test_tries_that_contradict_one_another_are_flaky_on_the_first_night() -> None:
    assert classify.change(night_of("fp"), []) is Change.FLAKY
    assert classify.change(night_of("fp"), [night_of("p", "another")] * 20) is Change.FLAKY


def test_a_retry_that_passes_does_not_hide_a_crash() -> None:
    found = night_of("cp")
    assert found.status is Status.CRASHED
    assert classify.change(found, [night_of("p", "another")]) is Change.REGRESSED


@pytest.mark.parametrize(("tries", "worst"), [("px", Status.XFAIL), ("xp", Status.XFAIL), ("ps", Status.SKIP)])
def test_no_try_is_washed_away_by_one_that_passes(tries: str, worst: Status) -> None:
    found = night_of(tries)
    assert found.status is worst and found.split
    assert classify.change(found, [night_of("s", "before"), night_of("p", "another")]) is Change.FLAKY


def test_a_failure_that_the_test_expects_comes_and_goes_as_any_other() -> None:
    assert change("xp") is change("px") is Change.FLAKY and change("fx") is Change.PERSISTENT
    assert classify.rate(chronicle("x x p")).broken == 2


def test_a_test_that_is_gone_is_missing() -> None:
    assert classify.change(None, [night_of("p")]) is Change.MISSING


def test_a_streak_too_long_for_chance_ends_being_flaky() -> None:
    before = [night_of("p" * 9), night_of("f"), *[night_of("p")] * 10]
    assert classify.change(night_of("f", "new"), before) is Change.FLAKY
    broken = [night_of("f", "new")] * 8
    assert classify.change(broken[0], broken[1:] + before) is Change.PERSISTENT


def course(tonight: Sequence[Night], before: Sequence[Night]) -> list[Change]:
    """Return what is said on each of some nights, oldest first, after those before, newest first."""
    earlier = list(before)
    said = []
    for night in tonight:
        said.append(classify.change(night, earlier))
        earlier.insert(0, night)
    return said


def test_a_night_in_which_a_test_did_not_run_is_not_what_the_next_one_is_held_against() -> None:
    good = night_of("p", "old")
    before = [night_of("mm", "other"), good]
    assert classify.compared(night_of("ff", "new"), before) is good
    assert classify.compared(night_of("mm", "new"), before) is before[0]
    assert classify.change(night_of("mm", "new"), [good]) is Change.REGRESSED


@pytest.mark.parametrize("ago", [0, 1, 3, 10, 25])
@pytest.mark.parametrize("tries", ["f", "ff", "fff"])
def test_what_breaks_for_good_after_a_flake_has_regressed_on_one_night(ago: int, tries: str) -> None:
    quiet = [night_of("p", f"{k}") for k in range(29)]
    before = [*quiet[:ago], night_of("fp", "flake"), *quiet[ago:]]
    said = course([night_of(tries, f"new {k}") for k in range(4)], before)
    assert said.count(Change.REGRESSED) == 1 and said[-1] is Change.PERSISTENT, said
    first = said.index(Change.REGRESSED)
    assert set(said[:first]) <= {Change.FLAKY} and set(said[first + 1 :]) == {Change.PERSISTENT}, said
    assert first == (1 if tries == "f" else 0), "each try counts"


def test_a_flaky_one_that_breaks_for_good_has_regressed_once_it_is_sure() -> None:
    before = chronicle("p pf p p f p pf p")
    said = course([night_of("f", f"new {k}") for k in range(12)], before)
    assert said.count(Change.REGRESSED) == 1 and said[-1] is Change.PERSISTENT and said[0] is Change.FLAKY, said


def test_a_flaky_one_that_works_for_long_is_fixed_once_it_is_sure() -> None:
    said = course([night_of("p", f"new {k}") for k in range(30)], chronicle("p pf f pf f p f"))
    assert said.count(Change.FIXED) == 1 and said[-1] is Change.STEADY and said[0] is Change.FLAKY, said


@given(nights)
def test_what_crashed_is_never_flaky(given: list[Night]) -> None:
    now, *before = given
    crashed = any(status is Status.CRASHED for night in given for status in night.tries)
    assert not (crashed and classify.change(now, before) is Change.FLAKY)


@given(nights)
def test_a_night_that_is_broken_is_never_steady_or_fixed(given: list[Night]) -> None:
    now, *before = given
    if now.status.broken:
        assert classify.change(now, before) not in {Change.STEADY, Change.FIXED}


@given(nights, st.permutations(range(20)))
def test_the_rate_counts_every_try_and_no_order(given: list[Night], order: list[int]) -> None:
    found = classify.rate(given)
    assert found == classify.rate([given[k] for k in order if k < len(given)])
    assert found.tries == sum(len(night.tries) for night in given)


@given(st.integers(0, 500), st.integers(0, 500))
def test_the_interval_holds_the_share_and_mirrors(hits: int, misses: int) -> None:
    low, high = classify.wilson(hits, hits + misses)
    assert 0 <= low <= high <= 1
    if hits + misses:
        assert low <= hits / (hits + misses) <= high
    mirrored = classify.wilson(misses, hits + misses)
    assert mirrored == pytest.approx((1 - high, 1 - low))


@given(st.integers(1, 50), st.integers(1, 50))
def test_more_tries_of_the_same_share_say_more(hits: int, misses: int) -> None:
    few, many = classify.wilson(hits, hits + misses), classify.wilson(10 * hits, 10 * (hits + misses))
    assert many[1] - many[0] < few[1] - few[0]


def test_the_interval_is_wilsons() -> None:
    # Newcombe, Statistics in Medicine 17 (1998), table I: 81 of 263, and 0 of 20
    assert classify.wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert classify.wilson(0, 20) == pytest.approx((0.0, 0.1611), abs=5e-5)


@pytest.mark.parametrize("field", ["toolchain", "accel", "cpu", "qemu", "machine"])
def test_another_setting_is_not_compared_with(field: str) -> None:
    other = Identity(**{**vars(IDENTITY), field: "another"})
    assert classify.setting(IDENTITY) != classify.setting(other)
    assert len(classify.differing(IDENTITY, other)) == 1


@pytest.mark.parametrize("field", ["tree", "series", "config", "kernel", "rootfs"])
def test_another_content_is_what_a_night_is_for(field: str) -> None:
    assert classify.setting(IDENTITY) == classify.setting(Identity(**{**vars(IDENTITY), field: "another"}))


def test_titles_are_new_known_or_gone() -> None:
    found = classify.title_changes({"a": (), "b": ()}, [["c"], ["b", "d"]])
    assert found == {"a": TitleChange.NEW, "b": TitleChange.KNOWN, "c": TitleChange.GONE}
    assert classify.title_changes({}, []) == {}


def test_a_title_that_older_rules_gave_is_known_and_not_gone() -> None:
    found = classify.title_changes({"KASAN in caller": ("KASAN in kfree",)}, [["KASAN in kfree"]])
    assert found == {"KASAN in caller": TitleChange.KNOWN}


def test_under_kvm_the_processor_of_the_host_is_part_of_the_setting() -> None:
    one = replace(IDENTITY, accel="kvm", cpu="host", host="Xeon 6338, microcode 0x1, Linux 6.12")
    other = replace(one, host="EPYC 9654, microcode 0x2, Linux 6.12")
    assert classify.setting(one) != classify.setting(other)
    assert classify.differing(one, other) == ("processor or kernel of the host",)
    assert classify.setting(IDENTITY) == classify.setting(replace(IDENTITY, host="")), "as it was before"
    assert len(classify.setting(IDENTITY)) == 5, "the digest of emulated results of before is the same"
