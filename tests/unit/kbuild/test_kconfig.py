"""Fragments: what a line asks for, how files go together, and what Kconfig made of them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import UserError
from orchestrator.kbuild import kconfig
from orchestrator.kbuild.kconfig import Request


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("CONFIG_A=y", Request("A", "y", "f:1")),
        ("CONFIG_A=m # a comment", Request("A", "m", "f:1")),
        ("CONFIG_64BIT=n", Request("64BIT", "n", "f:1")),
        ("# CONFIG_A is not set", Request("A", "n", "f:1")),
        ('CONFIG_CMDLINE="a \\"b\\" # c"', Request("CMDLINE", '"a \\"b\\" # c"', "f:1")),
        ("CONFIG_NR_CPUS=64", Request("NR_CPUS", "64", "f:1")),
        ("CONFIG_BASE=0xdead0000", Request("BASE", "0xdead0000", "f:1")),
        ("CONFIG_A=y # optional", Request("A", "y", "f:1", optional=True)),
        ("CONFIG_A=y   # optional: since 6.1", Request("A", "y", "f:1", optional=True)),
        ("CONFIG_A=n # override", Request("A", "n", "f:1", override=True)),
        ("# CONFIG_A is not set # optional, override: why", Request("A", "n", "f:1", optional=True, override=True)),
        ("CONFIG_A=y # where-known: a part of B in 7.3", Request("A", "y", "f:1", where_known=True)),
        ("CONFIG_A=y # optionally used by B", Request("A", "y", "f:1")),
    ],
)
def test_a_line_asks_for_one_symbol(line: str, expected: Request) -> None:
    assert kconfig.parse(line, "f").requests == (expected,)


@pytest.mark.parametrize("line", ["", "   ", "# a comment", "# CONFIG_A was not set once", "#CONFIG_A=y"])
def test_comments_ask_for_nothing(line: str) -> None:
    assert kconfig.parse(line, "f").requests == ()


@pytest.mark.parametrize(
    "line", ["CONFIG_A", "CONFIG_A=", "A=y", "CONFIG_A=yes", 'CONFIG_A="x', "CONFIG_A=y B", "<<<<"]
)
def test_any_other_line_is_an_error_with_its_place(line: str) -> None:
    with pytest.raises(UserError, match=r"^kconfigs/x.config:2: "):
        kconfig.parse(f"# first\n{line}\n", "kconfigs/x.config")


def merged(*texts: str) -> kconfig.Merged:
    return kconfig.merge(kconfig.parse(text, f"f{number}") for number, text in enumerate(texts, 1))


def test_other_values_in_two_fragments_conflict_with_both_places() -> None:
    (conflict,) = merged("CONFIG_A=y\nCONFIG_B=y", "CONFIG_C=y\nCONFIG_B=n").conflicts
    assert str(conflict) == "CONFIG_B=y (f1:2) against CONFIG_B=n (f2:2)"


def test_the_later_fragment_may_override() -> None:
    result = merged("CONFIG_A=y", "CONFIG_A=n # override")
    assert result.conflicts == ()
    assert [(r.symbol, r.value) for r in result.requests] == [("A", "n")]


def test_what_is_there_by_default_gives_way() -> None:
    result = merged("CONFIG_A=y # optional default", "CONFIG_A=n")
    assert result.conflicts == () and [r.value for r in result.requests] == ["n"]


def test_the_earlier_fragment_may_not_override_the_later() -> None:
    assert len(merged("CONFIG_A=y # override", "CONFIG_A=n").conflicts) == 1


def test_what_one_fragment_insists_on_is_not_optional() -> None:
    for texts in (("CONFIG_A=y # optional", "CONFIG_A=y"), ("CONFIG_A=y", "CONFIG_A=y # optional")):
        (request,) = merged(*texts).requests
        assert not request.optional
        (request,) = merged(*(text.replace("optional", "where-known") for text in texts)).requests
        assert not request.where_known
    (request,) = merged("CONFIG_A=y # optional", "CONFIG_A=y # optional").requests
    assert request.optional


def test_render_puts_the_requests_in_place_of_the_base() -> None:
    base = '# Linux\nCONFIG_A=y\n# CONFIG_B is not set\nCONFIG_C="x"\nCONFIG_AB=y\n'
    text = kconfig.render(base, merged('CONFIG_B=m\n# CONFIG_A is not set\nCONFIG_C="y"'))
    assert text == '# Linux\nCONFIG_AB=y\nCONFIG_B=m\n# CONFIG_A is not set\nCONFIG_C="y"\n'


@pytest.mark.parametrize(
    ("asked", "final", "actual"),
    [
        ("CONFIG_A=y", "", None),
        ("CONFIG_A=y", "# CONFIG_A is not set", "n"),
        ("CONFIG_A=y", "CONFIG_A=m", "m"),
        ("CONFIG_A=m", "CONFIG_A=y", "y"),
        ("CONFIG_A=n", "CONFIG_A=y", "y"),
        ("CONFIG_A=64", "CONFIG_A=32", "32"),
        ('CONFIG_A="x"', 'CONFIG_A=""', '""'),
    ],
)
def test_a_request_that_was_not_kept_is_dropped(asked: str, final: str, actual: str | None) -> None:
    (dropped,) = kconfig.compare(merged(asked), final)
    assert dropped.actual == actual


@pytest.mark.parametrize(
    ("asked", "final"),
    [
        ("CONFIG_A=n", ""),
        ("CONFIG_A=n", "# CONFIG_A is not set"),
        ("CONFIG_A=0x10", "CONFIG_A=0X10"),
        ("CONFIG_A=y", "CONFIG_A=y"),
    ],
)
def test_a_request_that_was_kept_is_not(asked: str, final: str) -> None:
    assert kconfig.compare(merged(asked), final) == ()


VALUES = st.sampled_from(["y", "n", "m", "7", '"t"'])
CONFIGS = st.dictionaries(st.sampled_from(["A", "B", "AB", "C_1"]), VALUES)


@given(base=CONFIGS, asked=CONFIGS)
def test_what_is_rendered_is_what_is_read(base: dict[str, str], asked: dict[str, str]) -> None:
    def text(config: dict[str, str]) -> str:
        return "".join(f"CONFIG_{symbol}={value}\n" for symbol, value in config.items())

    request = merged(text(asked))
    rendered = kconfig.render(text(base), request)
    assert kconfig.read(rendered) == {**base, **asked}
    assert kconfig.compare(request, rendered) == ()


@given(asked=CONFIGS)
def test_the_text_of_a_merge_does_not_depend_on_order(asked: dict[str, str]) -> None:
    lines = [f"CONFIG_{symbol}={value}" for symbol, value in asked.items()]
    assert merged("\n".join(lines)).text == merged("\n".join(reversed(lines))).text
