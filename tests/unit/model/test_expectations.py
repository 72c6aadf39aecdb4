"""expected.yaml: which entry holds, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.errors import UserError
from orchestrator.model import Status, expectations_file
from orchestrator.model.expectations import NONE

TEXT = """
columns: [stock, patched, mainline]
defaults:
  B: {stock: skip, patched: pass, mainline: pass}
  G: {stock: pass, patched: pass}
tests:
  "B*": {mainline: fail}
  "B01*": {stock: error}
  B01_present.memfd-shared: {stock: fail, why: "the bug that patch 1 fixes"}
  "*.hugetlb-*": {stock: any, patched: flaky}
  "B0[12]_present.hugetlb-shared": {patched: timeout}
"""
EXPECTED = expectations_file.parse(TEXT, "expected.yaml")


def test_a_column_may_be_like_another_until_an_entry_says_otherwise() -> None:
    text = """
        columns: [stock, mainline, next: mainline, last: next]
        defaults: {B: {stock: skip, mainline: pass}}
        tests:
          "B01*": {mainline: fail}
          B01_x: {next: any}
          B02_x: {last: skip, mainline: fail}
    """
    expected = expectations_file.parse(text, "e")
    assert [expected.of("B03_x", column) for column in expected.columns] == [Status.SKIP, *3 * [Status.PASS]]
    assert [expected.of("B01_y", column) for column in ("next", "last")] == [Status.FAIL, Status.FAIL]
    assert [expected.judged("B01_x", column) for column in ("mainline", "next", "last")] == [True, False, False]
    assert [expected.of("B02_x", column) for column in ("next", "last")] == [Status.FAIL, Status.SKIP]


@pytest.mark.parametrize(
    ("test", "column", "status"),
    [
        ("B02_read-free", "stock", Status.SKIP),
        ("B02_read-free", "patched", Status.PASS),
        ("B02_read-free", "mainline", Status.FAIL),
        ("B01_other", "stock", Status.ERROR),
        ("B01_present.memfd-shared", "stock", Status.FAIL),
        ("B01_present.memfd-shared", "mainline", Status.FAIL),
        ("B01_present.memfd-shared", "patched", Status.PASS),
        ("B02_present.hugetlb-shared", "patched", Status.TIMEOUT),
        ("B02_present.hugetlb-shared", "stock", None),
        ("B03_none.hugetlb-shared", "patched", None),
        ("G01_anon", "mainline", None),
        ("GUP_anon", "stock", None),
        ("X01_enomem", "patched", None),
        ("B02_read-free", None, None),
    ],
)
def test_the_most_specific_entry_wins(test: str, column: str | None, status: Status | None) -> None:
    assert EXPECTED.of(test, column) is status


def test_any_is_told_apart_from_nothing_said() -> None:
    assert not EXPECTED.judged("B03_none.hugetlb-shared", "patched")
    assert not EXPECTED.judged("B03_none.hugetlb-shared", "stock")
    assert EXPECTED.judged("X01_enomem", "patched")
    assert EXPECTED.judged("B02_read-free", "stock")
    assert NONE.judged("B02_read-free", "stock")


def test_optional_must_pass_or_be_skipped() -> None:
    expected = expectations_file.parse("columns: [a, b]\ntests: {P12: {a: optional}}", "e")
    assert expected.of("P12", "a") is None and expected.judged("P12", "a")


def test_why() -> None:
    assert EXPECTED.why("B01_present.memfd-shared") == "the bug that patch 1 fixes"
    assert EXPECTED.why("B02_read-free") == ""


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "columns: a list of names is needed"),
        ("columns: stock", "columns: a list"),
        ("columns: [a, a]", "columns: a stands there twice"),
        ("columns: [b: stock, stock]", "columns: b: no column before it is called stock"),
        ("columns: [stock, b: stok]", "b: no column before it is called stok; did you mean 'stock'?"),
        ("columns: [stock, {b: stock, c: stock}]", "a name is needed, or `name: column that it is like`"),
        ("columns: [a]\ndefault: {}", "default: not known here; did you mean 'defaults'?"),
        ("columns: [stock]\ntests: {a: {stok: pass}}", "tests.a.stok: not known here; did you mean 'stock'?"),
        ("columns: [stock]\ntests: {a: {stock: passs}}", "tests.a.stock: 'passs' is no status; did you mean 'pass'?"),
        ("columns: [stock]\ntests: {a: {stock: yes}}", "tests.a.stock: True is no status"),
        ("columns: [stock]\ntests: {a: pass}", "tests.a: a mapping is needed, not str"),
        ("columns: [stock]\ntests: {a: {why: 1}}", "tests.a.why: a text is needed"),
        ("columns: [stock]\ntests: [a]", "tests: a mapping is needed, not list"),
        ("columns: [stock]\ntests: {a: {stock: pass}, a: {stock: fail}}", "stands twice"),
        ("columns: [stock]\nneeds: {CONFIG_SWAP: [a]}", "needs.CONFIG_SWAP: not a symbol without CONFIG_"),
        ("columns: [stock]\nneeds: {swap: [a]}", "needs.swap: not a symbol"),
        ("columns: [stock]\nneeds: {SWAP=y: [a]}", "needs.SWAP=y: not a symbol"),
        ("columns: [stock]\nneeds: {SWAP: a}", "needs.SWAP: a list of globs"),
        ("columns: [stock]\nneeds: {SWAP: []}", "needs.SWAP: a list of globs"),
        ("columns: [", "not YAML"),
        ("- a", "a mapping is needed, not list"),
    ],
)
def test_refused(text: str, message: str) -> None:
    with pytest.raises(UserError) as error:
        expectations_file.parse(text, "e.yaml")
    assert message in str(error.value)
    assert str(error.value).startswith("e.yaml: ") or "e.yaml" in str(error.value)


def test_entries_that_are_about_no_test_are_refused() -> None:
    expected = expectations_file.parse("columns: [a]\ndefaults: {B: {a: pass}}\ntests: {B01_x: {a: pass}}", "e")
    expectations_file.check(expected, ["B01_x", "B02"], "e")
    with pytest.raises(UserError, match=r"tests\.B01_x: no test has this id; did you mean 'B01_y'\?"):
        expectations_file.check(expected, ["B01_y"], "e")
    with pytest.raises(UserError, match=r"defaults\.B: no test is in this group"):
        expectations_file.check(expectations_file.parse("columns: [a]\ndefaults: {B: {a: pass}}", "e"), ["A01"], "e")


NEEDS = expectations_file.parse(
    """
columns: [stock, patched]
defaults: {S: {stock: skip, patched: pass}, G: {stock: fail, patched: any}}
tests: {S02_b: {patched: fail, why: a bug}}
needs:
  SWAP: ["S*", "!S03*"]
  MIGRATION: ["S*", "G*"]
  ZRAM=n: [G02_x]
""",
    "e",
)


@pytest.mark.parametrize(
    ("symbols", "test", "column", "status"),
    [
        ("SWAP MIGRATION", "S01_a", "patched", Status.PASS),
        ("MIGRATION", "S01_a", "patched", Status.SKIP),
        ("MIGRATION", "S01_a", "stock", Status.SKIP),
        ("MIGRATION", "S02_b", "patched", Status.SKIP),
        ("MIGRATION", "S03_c", "patched", Status.PASS),
        ("SWAP", "S03_c", "patched", Status.SKIP),
        ("MIGRATION", "G01_x", "stock", Status.FAIL),
        ("SWAP", "G01_x", "stock", Status.SKIP),
        ("SWAP", "G01_x", "patched", Status.SKIP),
        ("MIGRATION", "G02_x", "stock", Status.FAIL),
        ("MIGRATION ZRAM", "G02_x", "stock", Status.SKIP),
        ("", "S01_a", None, None),
        ("", "S01_a", "mainline", None),
    ],
)
def test_a_kernel_without_a_symbol_must_skip(
    symbols: str, test: str, column: str | None, status: Status | None
) -> None:
    assert NEEDS.on(symbols.split()).of(test, column) is status


def test_needs_do_not_count_where_the_symbols_are_not_known() -> None:
    assert NEEDS.of("S01_a", "patched") is Status.PASS
    assert not NEEDS.judged("G01_x", "patched")
    assert NEEDS.on([]).judged("G01_x", "patched")


def test_why_names_what_is_lacking() -> None:
    assert NEEDS.on(["MIGRATION"]).why("S02_b") == "needs CONFIG_SWAP"
    assert NEEDS.on(["MIGRATION", "ZRAM"]).why("G02_x") == "needs CONFIG_ZRAM=n"
    assert NEEDS.on(["SWAP", "MIGRATION"]).why("S02_b") == "a bug"


def test_needs_of_no_test_are_refused() -> None:
    with pytest.raises(UserError, match=r"e: needs\.SWAP: no test matches S\*"):
        expectations_file.check(expectations_file.parse("columns: [a]\nneeds: {SWAP: ['S*']}", "e"), ["A01"], "e")
    with pytest.raises(UserError, match=r"e: needs\.SWAP: no test matches !S03"):
        expectations_file.check(
            expectations_file.parse("columns: [a]\nneeds: {SWAP: ['S*', '!S03']}", "e"), ["S01"], "e"
        )


def test_files(tmp_path: Path) -> None:
    path = tmp_path / "expected.yaml"
    path.write_text(TEXT)
    assert expectations_file.load(path) == EXPECTED
    with pytest.raises(UserError, match="No such file"):
        expectations_file.load(tmp_path / "none.yaml")
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError):
        expectations_file.load(path)
