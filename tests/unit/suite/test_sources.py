"""What the sources of guest tests say of each test."""

from __future__ import annotations

from pathlib import Path

from orchestrator.suite import sources

GUEST_TESTS = Path(__file__).parents[3] / "guest-tests"
TEXT = """// SPDX-License-Identifier: GPL-2.0
/*
 * What a mapping of 5.10 keeps: its pages. And no more.
 * Needs: nothing.
 */
#include "ktap.h"

static void plain(void)
{
}
CASE("A01_plain", plain);

/* A page that was written,
 * and is read. Then it goes. */
static void written(const struct backing *b)
{
}
CASE_ON(BACKINGS_FILE, "A02_written", written);
CASE_BUDGET_ON(BACKINGS_ALL, "A03_long", written);
"""


def test_the_comment_above_a_case_counts_and_else_the_head_of_its_file() -> None:
    known = dict(sources.cases(TEXT, "a/b.c"))
    assert known["A01_plain"] == sources.Case("What a mapping of 5.10 keeps: its pages.", "a/b.c:8")
    assert known["A02_written"] == sources.Case("A page that was written, and is read.", "a/b.c:15")
    assert known["A03_long"].sentence == known["A02_written"].sentence
    assert sources.of("A02_written.memfd-shared", known) == known["A02_written"]
    assert sources.of("A09_nothing", known) is None
    run = {"run.sh": sources.Case("runs run.sh", "")}
    assert sources.of("run.sh.a.b", run) == sources.of("run.sh", run) == run["run.sh"]
    assert sources.of("run.a", run) is None


def test_a_file_without_a_head_says_nothing() -> None:
    ((name, case),) = sources.cases('static void f(void)\n{\n}\nCASE("A01_x", f);\n', "x.c")
    assert (name, case) == ("A01_x", sources.Case("", "x.c:1"))


def test_every_test_of_ours_has_a_sentence_and_a_place() -> None:
    known = sources.read(GUEST_TESTS)
    assert len(known) > 250
    for name, case in known.items():
        path, _, line = case.place.partition(":")
        assert case.sentence, name
        assert (GUEST_TESTS / path).read_text().splitlines()[int(line) - 1].startswith("static void "), name
