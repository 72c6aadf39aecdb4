# ruff: noqa: E101 - Kconfig indents its help texts by a tab and two spaces.
"""What Kconfig files say of a symbol."""

import pytest

from orchestrator.kbuild import kconfig, kconfig_index

FILES = {
    "Kconfig": 'mainmenu "x"\nsource "mm/Kconfig"\nsource "arch/$(SRCARCH)/Kconfig"\nsource "missing/Kconfig"\n',
    "arch/x86/Kconfig": "config X86\n\tdef_bool y\n",
    "mm/Kconfig": """\
menu "Memory"
	depends on MMU

config SWAP
	bool "Swap (anonymous)" # not a comment in "this # text"
	depends on BLOCK && \\
		!NOSWAP
	select ZPOOL if FRONTSWAP
	help
	  config HELPLESS
	    bool "inside a help text"

	  depends on NOTHING

config ZPOOL
	tristate
	default y if SWAP_LATER

if SYSFS || PROC_FS

menuconfig PAGES
	bool
	prompt "Pages"
	depends on NUMA || $(cc-option,-mno-avx)

endif

choice
	prompt "one of"
	depends on THP

config ALWAYS
	bool "always"

config MADVISE
	bool "madvise"

endchoice

config SWAP
	bool "again"

endmenu

config OUTSIDE
	string 'single quotes'
""",
}
INDEX = kconfig_index.scan(FILES.get, "x86")


def explain(symbol: str, value: str = "y", **values: str) -> str:
    dropped = kconfig.Dropped(kconfig.Request(symbol, value, "f:1"), None)
    return kconfig_index.explain(INDEX, dropped, values)


def test_every_definition_is_found_and_nothing_else() -> None:
    assert sorted(INDEX.definitions) == ["ALWAYS", "MADVISE", "OUTSIDE", "PAGES", "SWAP", "X86", "ZPOOL"]
    assert [d.where for d in INDEX.definitions["SWAP"]] == ["mm/Kconfig:4", "mm/Kconfig:40"]


def test_conditions_are_the_symbols_own_and_those_around_it() -> None:
    assert INDEX.definitions["SWAP"][0].depends == ("MMU", "BLOCK && !NOSWAP")
    assert INDEX.definitions["PAGES"][0].depends == ("MMU", "SYSFS || PROC_FS", "NUMA || $(cc-option,-mno-avx)")
    assert INDEX.definitions["OUTSIDE"][0].depends == ()


def test_prompts_and_selectors() -> None:
    prompts = {symbol: any(d.prompt for d in found) for symbol, found in INDEX.definitions.items()}
    assert prompts == {"ALWAYS": 1, "MADVISE": 1, "OUTSIDE": 1, "PAGES": 1, "SWAP": 1, "X86": 0, "ZPOOL": 0}
    assert INDEX.selectors == {"ZPOOL": ("SWAP",)}


def test_a_dropped_symbol_comes_with_todays_values() -> None:
    assert explain("PAGES", MMU="y", PROC_FS="m") == (
        "depends on MMU && (SYSFS || PROC_FS) && (NUMA || $(cc-option,-mno-avx)) [MMU=y, SYSFS=n, PROC_FS=m, NUMA=n]"
    )


def test_two_definitions_are_alternatives() -> None:
    assert explain("SWAP").startswith(
        "depends on MMU && BLOCK && !NOSWAP [MMU=n, BLOCK=n, NOSWAP=n] or depends on MMU "
    )


def test_a_symbol_without_a_prompt_comes_with_who_selects_it() -> None:
    said = explain("ZPOOL", MMU="y")
    assert said.startswith(
        "has no prompt: only selected by SWAP [SWAP=n], its default is y if SWAP_LATER [SWAP_LATER=n]"
    )


@pytest.mark.parametrize(
    ("symbol", "values", "words"),
    [
        ("ZPOOL", {"SWAP": "y"}, "is selected by SWAP [SWAP=y]"),
        ("ZPOOL", {}, "has no prompt, and its default is on"),
        ("OUTSIDE", {}, "its prompt is hidden, and its default is on"),
    ],
)
def test_a_symbol_that_will_not_go_says_what_holds_it(symbol: str, values: dict[str, str], words: str) -> None:
    assert explain(symbol, "n", **values) == words


def test_a_member_of_a_choice_is_said_to_be_one() -> None:
    assert explain("MADVISE", THP="y", MMU="y").endswith("is one of a choice that took another value")
    assert "THP=y" in explain("MADVISE", THP="y")
