"""Checks that need no guest: what the tools say, read from text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.errors import InfraError, KernelError, PipelineError
from orchestrator.kbuild import objects
from orchestrator.kbuild.compiler_log import Folders
from orchestrator.kbuild.host import ThisHost
from orchestrator.kbuild.objects import GCC, SPARSE, Diagnostics
from orchestrator.model import CompilerWarning, JobResult, Products, Side, Stage, StageResult, Verdict
from orchestrator.validate import built, checkpatch, touched
from orchestrator.verdict import complaints
from tests.fakes import results as fixture

FOLDERS = Folders(Path("/t"), Path("/t/.out"))
CHECKPATCH = """mm/shmem.c:21: ERROR:TRAILING_WHITESPACE: trailing whitespace
#12: FILE: mm/shmem.c:21:
+int x; $

WARNING:COMMIT_MESSAGE: Missing commit description - Add an appropriate one
:7: CHECK:SPACING: No space is necessary after a cast
total: 1 errors, 1 warnings, 1 checks, 5 lines checked

NOTE: For some of the reported defects, checkpatch may be able to
"""


def test_checkpatch_is_read_with_its_counts_and_a_line_a_finding() -> None:
    report = checkpatch.read(CHECKPATCH, 1)
    assert report and report.counts == (1, 1, 1) and report.text == "1 error, 1 warning, 1 check"
    assert report.findings == (
        "mm/shmem.c:21: ERROR:TRAILING_WHITESPACE: trailing whitespace",
        "WARNING:COMMIT_MESSAGE: Missing commit description - Add an appropriate one",
        "CHECK:SPACING: No space is necessary after a cast",
    )


@pytest.mark.parametrize("cut", range(0, len(CHECKPATCH.partition("total:")[0]), 40))
def test_a_checkpatch_that_was_cut_off_is_no_report(cut: int) -> None:
    assert checkpatch.read(CHECKPATCH[:cut], 1) is None


QUOTED = """:2: WARNING:COMMIT_LOG_LONG_LINE: Possible unwrapped commit description
total: 0 errors, 0 warnings, 0 checks, 00000000000000000000000000000000000000000000000 lines checked

"""


def test_the_counts_are_the_last_ones_and_not_those_that_a_mail_quotes() -> None:
    report = checkpatch.read(QUOTED + CHECKPATCH, 1)
    assert report and report.counts == (1, 1, 1)


@pytest.mark.parametrize(("output", "status"), [(QUOTED, 1), (QUOTED, 255), (CHECKPATCH, 0), (CHECKPATCH, 255)])
def test_counts_that_the_exit_code_contradicts_are_no_report(output: str, status: int) -> None:
    assert checkpatch.read(output, status) is None


@pytest.mark.parametrize(
    ("counts", "least", "verdict"),
    [
        ((0, 0, 0), "check", Verdict.PASS),
        ((0, 0, 1), "check", Verdict.FAIL),
        ((0, 0, 1), "warning", Verdict.PASS),
        ((0, 1, 0), "warning", Verdict.FAIL),
        ((0, 1, 1), "error", Verdict.PASS),
        ((1, 0, 0), "error", Verdict.FAIL),
        ((1, 0, 0), "check", Verdict.FAIL),
    ],
)
def test_the_gravest_finding_decides(counts: tuple[int, int, int], least: str, verdict: Verdict) -> None:
    assert checkpatch.judge(checkpatch.Report(counts, ()), least) is verdict


def test_objects_of_a_series_are_the_c_files_of_the_kernel() -> None:
    files = ["mm/shmem.c", "mm/internal.h", "tools/testing/selftests/vm/a.c", "Documentation/x.rst", "mm/shmem.c"]
    assert objects.of_files(files) == ("mm/shmem.o",)


MADE = """  CC      mm/shmem.o
../mm/shmem.c:10:5: warning: unused parameter 'x' [-Wunused-parameter]
../include/linux/mm.h:7:1: warning: odd
  CC [M]  mm/mod.o
make[3]: *** No rule to make target 'mm/absent.o'.
"""


def test_what_make_said_of_single_objects() -> None:
    heard = objects.read(MADE, ("mm/shmem.o", "mm/mod.o", "mm/absent.o", "mm/lost.o"), GCC, FOLDERS)
    assert heard.looked_at == ("mm/mod.o", "mm/shmem.o") and heard.absent == ("mm/absent.o",)
    assert heard.complaints == (
        CompilerWarning("include/linux/mm.h:7", "odd"),
        CompilerWarning("mm/shmem.c:10", "unused parameter 'x' [-Wunused-parameter]"),
    )


DOCUMENTED = """  CC      mm/shmem.o
../mm/shmem.c:9: warning: Function parameter or member 'x' not described in 'f'
Warning: ../mm/shmem.c:12 function parameter 'x' not described in 'f'
Warning: ../mm/shmem.c:13 missing initial short description on line:
 * shmem_fault
../mm/shmem.c:14: Warning: using `%al' instead of `%eax' due to `b' suffix
"""


def test_kernel_doc_of_any_age_and_the_assembler_are_heard() -> None:
    assert objects.read(DOCUMENTED, ("mm/shmem.o",), GCC, FOLDERS).complaints == (
        CompilerWarning("mm/shmem.c:9", "Function parameter or member 'x' not described in 'f'"),
        CompilerWarning("mm/shmem.c:12", "function parameter 'x' not described in 'f'"),
        CompilerWarning("mm/shmem.c:13", "missing initial short description on line:"),
        CompilerWarning("mm/shmem.c:14", "using `%al' instead of `%eax' due to `b' suffix"),
    )


def test_a_complaint_without_a_place_counts() -> None:
    output = "  CC      mm/a.o\n<command-line>: warning: odd\n{standard input}:5: Warning: very odd\n"
    assert objects.read(output, ("mm/a.o",), GCC, FOLDERS).complaints == (
        CompilerWarning("command line", "odd"),
        CompilerWarning("mm/a.o", "very odd"),
    )


HEADERS = """  CC      arch/x86/kernel/asm-offsets.s
../include/linux/mmzone.h:9:1: warning: nobody wanted this object
  CC      mm/new.o
In file included from ../mm/new.c:1:
../include/linux/mm.h:7:1: warning: odd
../include/linux/minmax.h:5:35: warning: distinct types
../include/linux/minmax.h:6:9: note: in expansion of macro '__min'
../mm/new.c:4:5: note: in expansion of macro 'min'
In function 'memcpy',
    inlined from 'f' at ../mm/new.c:12:3:
../include/linux/string.h:8:3: warning: too long
"""


def test_a_complaint_in_a_header_is_of_the_code_that_it_was_expanded_or_inlined_in() -> None:
    changed = touched.Touched(("mm/new.o",), "small", TOUCHED.logs, frozenset({"mm/new.c"}))
    after = objects.read(HEADERS, ("mm/new.o",), GCC, FOLDERS)
    result = touched.judge("warnings", changed, Diagnostics((), (), ()), after, 1.0)
    assert result.verdict is Verdict.FAIL and result.details == (
        "include/linux/minmax.h:5: distinct types",
        "include/linux/string.h:8: too long",
    )


def test_a_header_that_the_base_includes_too_has_not_complained_there() -> None:
    odd = CompilerWarning("include/linux/mm.h:7", "odd")
    before, after = Diagnostics((), ("mm/a.o",), ()), Diagnostics((odd,), ("mm/a.o",), ())
    result = touched.judge("warnings", TOUCHED, before, after, 1.0)
    assert result.verdict is Verdict.PASS and result.details == ("include/linux/mm.h:7: odd",)
    before = replace(before, included=frozenset({"include/linux/mm.h"}))
    assert touched.judge("warnings", TOUCHED, before, after, 1.0).verdict is Verdict.FAIL
    changed = replace(TOUCHED, changed=frozenset({"include/linux/mm.h"}))
    assert touched.judge("warnings", changed, replace(before, included=frozenset()), after, 1.0).verdict is Verdict.FAIL


def test_only_the_line_of_sparse_proves_that_it_looked() -> None:
    said = "  CC      mm/shmem.o\n  CHECK   ../mm/memory.c\n../mm/memory.c:3:1: error: bad type\n"
    heard = objects.read(said, ("mm/shmem.o", "mm/memory.o"), SPARSE, FOLDERS)
    assert heard.looked_at == ("mm/memory.o",)
    assert heard.complaints == (CompilerWarning("mm/memory.c:3", "error: bad type"),)


OLD_SPARSE = """../Makefile:1164: C=2 specified, but sparse is not available or not up to date
  CC      mm/msync.o
"""


def test_a_makefile_that_leaves_sparse_out_is_quoted() -> None:
    host = ThisHost(Path("/t"))
    with pytest.raises(InfraError, match=r"C=2 did not look at mm/msync\.o: C=2 specified, but sparse"):
        objects.judged(OLD_SPARSE, ("mm/msync.o",), SPARSE, FOLDERS, host)


ELSEWHERE = """make[3]: *** No rule to make target 'virt/kvm/kvm_main.o'.
make[2]: *** [../scripts/Makefile.build:483: __build] Error 2
make[1]: *** [../Makefile:1877: virt] Error 2
  CC      mm/util.o
make[1]: Target 'arch/arm64/mm/fault.o' not remade because of errors.
make: *** [Makefile:192: __sub-make] Error 2
"""


def test_an_object_that_make_passes_over_without_a_word_is_absent() -> None:
    """5.10 drops those of folders that the configuration does not come to, and exits with 0."""
    names, fault = ("arch/arm64/mm/fault.o", "mm/util.o", "virt/kvm/kvm_main.o"), "arch/arm64/mm/fault.o"
    quiet = objects.judged("  CC      mm/util.o\n", names[:2], GCC, FOLDERS, ThisHost(Path("/t")), {fault})
    assert quiet.looked_at == ("mm/util.o",) and quiet.absent == (fault,)
    beside = objects.judged(ELSEWHERE, names, GCC, FOLDERS, ThisHost(Path("/t")), {fault, names[2]})
    assert beside.looked_at == ("mm/util.o",) and beside.absent == (fault, "virt/kvm/kvm_main.o")


@pytest.mark.parametrize(
    "output",
    [
        "make[2]: *** [../scripts/Makefile.build:279: scripts/mod/empty.o] Error 1\nmake: *** [prepare0] Error 2\n",
        "../mm/Makefile:3: *** missing separator.  Stop.\nmake[1]: *** [../Makefile:1877: mm] Error 2\n  CC      a.o\n",
        "make[1]: *** [../Makefile:1877: mm/damon] Error 2\n  CC      a.o\n",
    ],
)
def test_an_object_that_make_did_not_come_to_is_not_absent(output: str) -> None:
    with pytest.raises(InfraError, match=r"did not look at .*mm/damon/core\.o"):
        objects.judged(output, ("a.o", "mm/damon/core.o"), GCC, FOLDERS, ThisHost(Path("/t")), {"mm/damon/core.o"})


def test_new_complaints_are_counted() -> None:
    fresh = Diagnostics((A, B), ("mm/a.o",), ())
    for name, message in (("sparse", "2 new complaints of sparse"), ("warnings", "2 new warnings at W=1")):
        assert touched.judge(name, TOUCHED, Diagnostics((), ("mm/a.o",), ()), fresh, 1.0).message == message


ENDS = """  CC      mm/errs.o
../mm/errs.c:3:5: error: unused parameter 'x' [-Werror=unused-parameter]
make[2]: *** [../scripts/Makefile.build:279: mm/errs.o] Error 1
  CC      mm/fatal.o
../mm/fatal.c:2:10: fatal error: no.h: No such file or directory
make[2]: *** [../scripts/Makefile.build:279: mm/fatal.o] Error 1
  CHECK   ../mm/dies.c
../mm/dies.c:2:10: error: odd
/bin/sh: line 1: 7 Segmentation fault      sparse ../mm/dies.c
make[2]: *** [../scripts/Makefile.build:279: mm/dies.o] Error 139
  CC      mm/mute.o
make[2]: *** [../scripts/Makefile.build:279: mm/mute.o] Error 1
make[1]: *** [/t/Makefile:1832: mm] Error 2
"""


def test_errors_that_were_all_told_are_an_end_and_a_tool_that_died_or_stopped_at_once_is_none() -> None:
    names = ("mm/errs.o", "mm/fatal.o", "mm/dies.o", "mm/mute.o")
    heard = objects.read(ENDS, names, GCC, FOLDERS)
    assert heard.looked_at == ("mm/errs.o",) and heard.cut_off == ("mm/dies.o", "mm/fatal.o", "mm/mute.o")


TOUCHED = touched.Touched(("mm/a.o",), "small", {side: Path(f"{side.value}.log") for side in Side})
A, B = CompilerWarning("mm/a.c:1", "odd"), CompilerWarning("mm/a.c:9", "odd")


def test_a_complaint_that_moved_is_not_new_and_a_second_one_is() -> None:
    assert complaints.new((A,), (B,)) == ()
    assert complaints.new((A,), (A, B)) == (B,)
    assert complaints.new((), (A,)) == (A,)


def test_the_new_one_of_many_is_the_one_of_the_last_line_and_not_of_the_last_word() -> None:
    old, new = (f"../mm/a.c:{number}:5: warning: odd\n" for number in (20, 100))
    before = objects.read(f"  CHECK   ../mm/a.c\n{old}", ("mm/a.o",), SPARSE, FOLDERS)
    after = objects.read(f"  CHECK   ../mm/a.c\n{old}{new}", ("mm/a.o",), SPARSE, FOLDERS)
    assert touched.judge("sparse", TOUCHED, before, after, 1.0).details == ("mm/a.c:100: odd",)


def test_objects_that_the_configuration_lacks_are_named_and_are_no_pass() -> None:
    heard = Diagnostics((), (), ("mm/swap.o",))
    result = touched.judge("sparse", TOUCHED, heard, heard, 1.0)
    assert result.verdict is Verdict.SKIP and "mm/swap.o" in result.message
    partly = Diagnostics((A,), ("mm/a.o",), ("mm/swap.o",))
    result = touched.judge("sparse", TOUCHED, Diagnostics((), ("mm/a.o",), ()), partly, 1.0)
    assert result.verdict is Verdict.FAIL and result.details == ("mm/a.c:1: odd",)
    assert "make has no rule in this configuration for mm/swap.o" in result.message


@pytest.mark.parametrize("fault", [KernelError("mm/a.o does not compile"), InfraError("make did not look")])
def test_a_base_that_cannot_be_listened_to_is_not_charged_to_the_series(fault: PipelineError) -> None:
    def compile_objects(side: Side, flag: str, wanted: Sequence[str]) -> Diagnostics:
        if side is Side.BASE:
            raise fault
        return Diagnostics((A,), ("mm/a.o",), ())

    result = touched.check("warnings", TOUCHED, compile_objects)
    assert result.verdict is Verdict.INFRA and "base" in result.message and str(fault) in result.message


def test_a_series_that_does_not_compile_with_more_warnings_is_charged() -> None:
    def compile_objects(side: Side, flag: str, wanted: Sequence[str]) -> Diagnostics:
        if side is Side.PATCHED:
            raise KernelError("mm/a.o does not compile")
        return Diagnostics((A,), ("mm/a.o",), ())

    result = touched.check("warnings", TOUCHED, compile_objects)
    assert result.verdict is Verdict.FAIL


def done(*stages: StageResult, warnings: tuple[CompilerWarning, ...] = ()) -> JobResult:
    return fixture.job(Side.PATCHED, (), stages=stages, warnings=warnings, products=Products())


def test_a_build_is_judged_by_its_stage_and_its_new_warnings() -> None:
    fine = StageResult(Stage.BUILD, Verdict.PASS, 3.0)
    assert built.judge("compile", "1/1 x", done(fine, warnings=(B,)), (A,)).verdict is Verdict.PASS
    assert built.judge("compile", "1/1 x", done(fine, warnings=(A, B)), (A,)).details == ("mm/a.c:9: odd",)
    broke = StageResult(Stage.BUILD, Verdict.FAIL, 3.0, "the build broke: mm/a.c:1: error: no", Path("log"))
    result = built.judge("compile", "1/1 x", done(broke), ())
    assert (result.verdict, result.message, result.log) == (Verdict.FAIL, broke.message, Path("log"))
    host = StageResult(Stage.BUILD, Verdict.INFRA, 3.0, "no space left on device")
    assert built.judge("compile", "1/1 x", done(host), ()).verdict is Verdict.INFRA
    assert built.judge("compile", "1/1 x", done(), ()).verdict is Verdict.INFRA, "no result is no pass"


def test_a_patch_with_which_the_kernel_is_the_same_has_not_been_compiled() -> None:
    fine = StageResult(Stage.BUILD, Verdict.PASS, 3.0)
    result = built.judge("compile", "1/1 x", done(fine), (), ("mm/ksm.c",))
    assert result.verdict is Verdict.SKIP
    assert result.message.startswith("the kernel is the same without it: mm/ksm.c is not in this configuration"), result
    others = ("Documentation/mm/ksm.rst", "mm/Makefile", "tools/mm/slabinfo.c")
    assert built.judge("compile", "1/1 x", done(fine), (), others).message == (
        "the kernel is the same without it: mm/Makefile is not in this configuration, or compiles to the same; "
        "Documentation/mm/ksm.rst, tools/mm/slabinfo.c is no part of the kernel"
    )
    assert built.judge("compile", "1/1 x", done(fine, warnings=(A,)), (), others).verdict is Verdict.FAIL
