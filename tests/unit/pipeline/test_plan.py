"""The plan of a run: what is multiplied with what, and what the command line may replace."""

from pathlib import Path

import pytest

from orchestrator.config import overrides
from orchestrator.config.schema import Pipeline
from orchestrator.errors import UserError
from orchestrator.model import Side
from orchestrator.pipeline import plan, values

ONE, TWO, CHECKS = (
    Path(__file__).parents[2] / "fakes" / "series" / name for name in ("one.diff", "two.diff", "checks")
)

PIPELINE = Pipeline.model_validate(
    {
        "trees": {
            "old": {"source": {"provider": "path", "path": "/old"}, "expect": "stock"},
            "new": {"source": {"provider": "path", "path": "/new"}},
        },
        "series": {
            "one": {"path": str(ONE), "tree": "old", "expect": "patched"},
            "two": {"path": str(TWO), "tree": "old"},
        },
        "variants": {"small": {}, "debug": {}},
        "suites": {
            "uffd": {"directory": "/tests"},
            "selftest": {"directory": "/tests"},
            "theirs": {"kind": "tree", "directory": "d", "programs": [{"name": "prog", "run": "./prog"}]},
        },
        "modes": {
            "smoke": {"series": ["one"], "variants": ["small"], "suites": ["uffd"], "tests": ["A*"]},
            "full": {
                "series": ["one", "two"],
                "trees": ["new", "old"],
                "variants": ["small", "debug"],
                "suites": ["uffd"],
            },
            "night": {
                "series": ["one"],
                "variants": ["small"],
                "suites": ["uffd", "selftest"],
                "also": [
                    {"series": ["one"], "variants": ["debug"], "suites": ["uffd"]},
                    {"trees": ["new"], "variants": ["small"], "suites": ["uffd"], "tests": ["A*"]},
                ],
            },
        },
    }
)


def test_a_pair_is_the_same_job_without_and_with_the_series() -> None:
    (pair,) = plan.expand(PIPELINE, "smoke").pairs
    assert (pair.base.name, pair.base.side, pair.base.expect) == ("old.small", Side.BASE, "stock")
    assert (pair.patched.name, pair.patched.side, pair.patched.expect) == ("old.one.small", Side.PATCHED, "patched")
    assert pair.base.tests == pair.patched.tests == ("A*",)


def test_a_base_that_two_series_share_is_run_once() -> None:
    names = [job.name for job in plan.expand(PIPELINE, "full").jobs]
    assert sorted(names) == sorted(set(names))
    assert names.index("old.small") < names.index("old.one.small")
    assert {"new.small", "new.debug"} <= set(names)
    assert len(names) == 8


def test_a_suite_of_ones_choice_runs_whole_where_the_mode_picks_tests_of_another() -> None:
    def tests(*suites: str) -> tuple[str, ...]:
        return plan.expand(PIPELINE, "smoke", values.Choice(suites=suites)).jobs[0].tests

    assert (tests(), tests("uffd"), tests("selftest")) == (("A*",), ("A*",), ("*",))
    assert tests("uffd", "theirs") == ("A*", "prog")


def test_the_command_line_replaces_variants_and_tests() -> None:
    choice = values.Choice(variants=("debug",), tests=("B01",))
    part = plan.expand(PIPELINE, "smoke", choice)
    (pair,) = part.pairs
    assert pair.patched.variant == "debug"
    assert pair.patched.tests == ("B01",)
    assert (part.mode, part.label) == ("smoke", "smoke; variant debug")
    assert plan.expand(PIPELINE, "smoke").label == "smoke"


def _night(choice: values.Choice | None = None) -> dict[str, str]:
    return {job.name: " ".join(name for name, _ in job.suites) for job in plan.expand(PIPELINE, "night", choice).jobs}


def test_a_mode_of_several_products_runs_all_of_them() -> None:
    assert _night() == {
        "old.small": "uffd selftest",
        "old.one.small": "uffd selftest",
        "old.debug": "uffd",
        "old.one.debug": "uffd",
        "new.small": "uffd",
    }
    tests = {job.name: job.tests for job in plan.expand(PIPELINE, "night").jobs}
    assert (tests["old.small"], tests["new.small"]) == (("*",), ("A*",))


def test_what_is_chosen_of_several_products_stays_where_it_is_named() -> None:
    assert _night(values.Choice(variants=("debug",))) == {"old.debug": "uffd", "old.one.debug": "uffd"}
    assert list(_night(values.Choice(variants=("small",)))) == ["old.small", "old.one.small", "new.small"]
    assert _night(values.Choice(suites=("selftest",))) == {"old.small": "selftest", "old.one.small": "selftest"}
    with pytest.raises(UserError, match="nothing would run"):
        _night(values.Choice(variants=("debug",), suites=("selftest",)))


@pytest.mark.parametrize(
    ("choice", "words"),
    [
        (values.Choice(variants=("small", "debug"), suites=("selftest",)), "of variant debug: .* a chosen suite"),
        (values.Choice(variants=("debug",), suites=("uffd", "selftest")), "of suite selftest: .* a chosen variant"),
    ],
)
def test_what_is_chosen_and_would_be_in_no_job_is_refused(choice: values.Choice, words: str) -> None:
    with pytest.raises(UserError, match=f"^mode night: nothing would run {words}$"):
        _night(choice)


def test_a_part_of_a_series_has_a_job_of_its_own_and_no_expectations() -> None:
    (pair,) = plan.expand(PIPELINE, "smoke", values.Choice(upto=3)).pairs
    assert (pair.patched.upto, pair.patched.name, pair.patched.expect) == (3, "old.one.small.at-3", None)
    assert pair.base == plan.expand(PIPELINE, "smoke").pairs[0].base


def test_what_is_on_top_of_a_series_goes_with_the_whole_of_it() -> None:
    series = {"one": PIPELINE.series["one"].model_copy(update={"on_top": CHECKS})}
    counted = PIPELINE.model_copy(update={"series": {**PIPELINE.series, **series}})
    (pair,) = plan.expand(counted, "smoke").pairs
    assert [more.series.subjects for more in pair.patched.extra_series] == [
        ("plain diff check.diff",)
    ] and not pair.base.extra_series
    assert not plan.expand(counted, "smoke", values.Choice(upto=0)).pairs[0].patched.extra_series


def test_what_no_product_names_goes_to_the_first() -> None:
    more = PIPELINE.model_copy(update={"variants": {**PIPELINE.variants, "big": PIPELINE.variants["small"]}})
    jobs = plan.expand(more, "night", values.Choice(variants=("debug", "big"))).jobs
    assert [job.name for job in jobs] == ["old.big", "old.one.big", "old.debug", "old.one.debug"]
    assert [len(job.suites) for job in jobs] == [2, 2, 1, 1]


def test_a_job_that_is_asked_for_twice_must_be_the_same() -> None:
    def expanded(**also: object) -> values.Plan:
        night = PIPELINE.modes["smoke"].model_dump() | {"also": [{"variants": ["small"], "suites": ["uffd"], **also}]}
        modes = {"twice": night, "smoke": night}
        return plan.expand(Pipeline.model_validate(PIPELINE.model_dump() | {"modes": modes}), "twice")

    with pytest.raises(UserError, match=r"asks twice for old\.small, with different"):
        expanded(trees=["old"])
    with pytest.raises(UserError, match=r"asks twice for old\.one\.small|asks twice for old\.small"):
        expanded(series=["one"])
    assert len(expanded(trees=["old"], tests=["A*"]).jobs) == 2


def test_ones_own_series_takes_the_products_for_a_series(tmp_path_factory: pytest.TempPathFactory) -> None:
    mine = tmp_path_factory.mktemp("my series")
    (mine / "one.diff").write_text(ONE.read_text())
    pipeline, mode = overrides.overlay(PIPELINE, "night", overrides.Options(series=str(mine)))
    patched = [pair.patched.name for pair in plan.expand(pipeline, mode).pairs]
    assert [name.rpartition(".")[2] for name in patched] == ["small", "debug"]
    assert len(plan.expand(pipeline, mode).jobs) == 4


@pytest.mark.parametrize(
    ("mode", "choice", "hint"),
    [
        ("smok", values.Choice(), "smoke"),
        ("smoke", values.Choice(variants=("smal",)), "small"),
        ("smoke", values.Choice(suites=("ufd",)), "uffd"),
    ],
)
def test_an_unknown_name_is_refused_with_its_near_match(mode: str, choice: values.Choice, hint: str) -> None:
    with pytest.raises(UserError, match=f"did you mean '{hint}'"):
        plan.expand(PIPELINE, mode, choice)


def test_ones_own_series_runs_on_the_tree_of_the_mode(tmp_path_factory: pytest.TempPathFactory) -> None:
    mine = tmp_path_factory.mktemp("my series")
    (mine / "one.diff").write_text(ONE.read_text())
    pipeline, mode = overrides.overlay(PIPELINE, "smoke", overrides.Options(series=str(mine)))
    (pair,) = plan.expand(pipeline, mode).pairs
    assert pair.patched.tree == "old"
    assert pair.patched.expect is None
    assert pair.patched.patches and pair.patched.patches.series.subjects == ("plain diff one.diff",)


def test_ones_own_tree_without_a_series_is_one_job(tmp_path_factory: pytest.TempPathFactory) -> None:
    tree = tmp_path_factory.mktemp("linux")
    pipeline, mode = overrides.overlay(PIPELINE, "smoke", overrides.Options(tree=str(tree), dirty=True))
    (job,) = plan.expand(pipeline, mode).jobs
    assert job.side is Side.BASE and job.source.provider == "path" and job.source.dirty


def test_a_configured_series_on_another_tree_has_no_expectations() -> None:
    pipeline, mode = overrides.overlay(PIPELINE, "smoke", overrides.Options(tree="new", series="one"))
    (pair,) = plan.expand(pipeline, mode).pairs
    assert (pair.patched.tree, pair.patched.expect) == ("new", None)


def test_a_path_that_is_not_there_is_refused() -> None:
    with pytest.raises(UserError, match=r"--series: .*no such file"):
        overrides.overlay(PIPELINE, "smoke", overrides.Options(series="/nowhere"))


def test_a_series_is_read_once_and_the_jobs_have_it(tmp_path: Path) -> None:
    mine = tmp_path / "mine.diff"
    mine.write_text(ONE.read_text())
    pipeline, mode = overrides.overlay(PIPELINE, "night", overrides.Options(series=str(mine)))
    (small, debug) = plan.expand(pipeline, mode).pairs
    mine.unlink()
    assert small.patched.patches and debug.patched.patches and not small.base.patches
    assert small.patched.patches.series.patches is debug.patched.patches.series.patches
    assert small.patched.patches.series.name == small.patched.series
    with pytest.raises(UserError, match=r"mine\.diff"):
        plan.expand(pipeline, mode)


def test_what_a_tree_has_already_is_read_too() -> None:
    tree = PIPELINE.trees["new"].model_copy(update={"prerequisites": (TWO,)})
    (job, *_) = plan.expand(PIPELINE.model_copy(update={"trees": {**PIPELINE.trees, "new": tree}}), "full").singles
    assert [each.subjects for each in job.prerequisites] == [("plain diff two.diff",)]


def test_a_column_that_no_expectations_have_is_refused(tmp_path: Path) -> None:
    (tmp_path / "uffd.yaml").write_text("columns: [stock, patched]")
    (tmp_path / "selftest.yaml").write_text("columns: [other]")

    def expanded(column: str, *files: str) -> values.Plan:
        suites = {name: {"directory": "/tests", "expected": str(tmp_path / f"{name}.yaml")} for name in files}
        series = {"one": {"path": str(ONE), "tree": "old", "expect": column}}
        update = {"series": series, "suites": PIPELINE.model_dump()["suites"] | suites}
        modes = {"smoke": {"series": ["one"], "variants": ["small"], "suites": ["uffd"]}}
        return plan.expand(Pipeline.model_validate(PIPELINE.model_dump() | update | {"modes": modes}), "smoke")

    with pytest.raises(UserError, match=r"^series\.one\.expect: .* column pached; did you mean 'patched'\?$"):
        expanded("pached", "uffd", "selftest")
    assert expanded("patched", "uffd").pairs
    assert expanded("other", "uffd", "selftest").pairs, "a suite may know nothing of a column that another one has"
    assert expanded("pached").pairs, "nothing has a column here"
