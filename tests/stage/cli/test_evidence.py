"""A red test shows why it is red: in the terminal, in the summary, and on the page, on a phone as well."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.fakes import browser
from tests.stage.cli.test_own_programs import Lab

SENTENCE = "Swap keeps what is <b>protected</b>."
REPRO = f"/*\n * {SENTENCE} It is a test.\n */\nint main(void) {{ return 0; }}\n"


@pytest.fixture
def red(tmp_path: Path) -> tuple[Lab, str]:
    """A run of a series whose patched kernel fails a program of one's own, and complains while it runs."""
    lab = Lab(tmp_path)
    (lab.folder / "repro.c").write_text(REPRO)
    name, old = "mm/memory.c", "int fault"
    acts = ("exit repro 1 expected|value is 7, not 8", "splat repro BUG: Bad page map in process x")
    text = "".join(f'extern const char a{n}[];\nconst char a{n}[] = "play: {act}";\n' for n, act in enumerate(acts))
    lab.series((name, old, f"{text}\n{old}"))
    code, output = lab.type("run", "--tree", "tree", "--series", "series", "--program", "repro.c")
    assert code == 1, output
    return lab, output


def test_the_terminal_and_the_summary_give_the_evidence(red: tuple[Lab, str]) -> None:
    lab, output = red
    commit = lab.git("rev-parse", "HEAD")[:12]
    summary = (lab.folder / "results" / "last" / "summary.md").read_text()
    for shown in (SENTENCE, "value is 7, not 8", "BUG: Bad page map in process x", "on base: pass", commit):
        assert shown in output, (shown, output)
        assert shown.replace("<b>", "\\<b\\>").replace("</b>", "\\</b\\>") in summary, (shown, summary)
    assert "  - toy: edit 1" in summary and "patches   1 patch of three" in output, output
    assert "programs  program: repro" in output, output
    (evidence,) = lab.result()["evidence"]
    assert evidence["sentence"] == SENTENCE and evidence["status"] == "fail" and evidence["base"] == "pass", evidence


@pytest.mark.nightly
@pytest.mark.skipif(shutil.which("chromium") is None, reason="chromium is not installed")
@pytest.mark.parametrize("width", [390, 1280])
def test_the_page_gives_it_and_fits_a_phone(red: tuple[Lab, str], width: int, tmp_path: Path) -> None:
    lab, _ = red
    page = (lab.folder / "results" / "last").resolve() / "report.html"
    with browser.chromium(tmp_path) as tab:
        tab.look(page, width)
        text = str(tab.value("document.body.innerText"))
        widest = tab.value("document.documentElement.scrollWidth")
        links = tab.value("[...document.querySelectorAll('.red a')].map(a => a.href)")
        tab.picture(tmp_path / f"{width}.png")
    for shown in (SENTENCE, "value is 7, not 8", "BUG: Bad page map in process x", "on base: pass", "toy: edit 1"):
        assert shown in text, (shown, text)
    assert text.index("Red tests") < text.rindex("three on"), "why stands before the tables"
    assert widest <= width
    assert links and all(Path(link.removeprefix("file://")).exists() for link in links), links
