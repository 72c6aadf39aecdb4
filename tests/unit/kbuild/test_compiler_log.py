"""What make printed: warnings with their objects, the first error, and what the host lacks."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from orchestrator.kbuild import compiler_log
from orchestrator.kbuild.compiler_log import Folders
from orchestrator.model import CompilerWarning

BELOW = Folders(Path("/t/src"), Path("/t/src/.out-smoke"))
APART = Folders(Path("/t/src"), Path("/t/out"))
UNUSED = CompilerWarning("mm/swap.c:4", "‘x’ defined but not used [-Wunused-function]")
GAVE_UP = "make[1]: *** [../Makefile:1185: vmlinux] Error 1\n"
LOG = """\
$ make O=/t/src/.out-smoke vmlinux
.config:12:warning: override: UNWINDER_GUESS changes choice state
  CC      mm/memory.o
  CC [M]  mm/swap.o
../mm/swap.c: In function ‘f’:
../mm/swap.c:4:12: warning: ‘x’ defined but not used [-Wunused-function]
    4 | static int x(void)
      |            ^
  CC      mm/other.o
In file included from ../mm/other.c:3:
../include/linux/mm.h:9: warning: "PAGE" redefined
include/generated/autoconf.h:2:1: warning: from a generated file
../mm/other.c:7: Warning: of the assembler
  AR      mm/built-in.a
mm/other.o: warning: objtool: f()+0x12: unreachable instruction
  LD      vmlinux
ld: warning: vmlinux has a LOAD segment with RWX permissions
  MODPOST Module.symvers
WARNING: modpost: vmlinux.o(.text+0x1): Section mismatch in reference
"""


def test_warnings_are_those_of_the_target_above_them() -> None:
    found = compiler_log.warnings(LOG, BELOW)
    assert found["CC mm/swap.o"] == [UNUSED]
    assert found["CC mm/memory.o"] == []
    assert [w.where for w in found["CC mm/other.o"]] == [
        "include/linux/mm.h:9",
        "include/generated/autoconf.h:2",
        "mm/other.c:7",
    ]
    assert found["AR mm/built-in.a"][0].where == "mm/other.o"
    assert found["LD vmlinux"][0].text.startswith("vmlinux has a LOAD")
    assert found["MODPOST Module.symvers"][0].where == "link"
    assert not any(".config" in w.where for group in found.values() for w in group)


PLACELESS = """\
  CC      mm/swap.o
<command-line>: warning: "WHO" redefined
cc1: warning: command-line option '-Weffc++' is valid for C++ but not for C
{standard input}: Assembler messages:
{standard input}:5: Warning: using `%al' instead of `%eax' due to `b' suffix
  BTFIDS  vmlinux
WARN: resolve_btfids: unresolved symbol no_such
"""


def test_a_warning_without_a_place_counts() -> None:
    groups = compiler_log.warnings(PLACELESS, BELOW)
    assert groups["CC mm/swap.o"] == [
        CompilerWarning("command line", '"WHO" redefined'),
        CompilerWarning("command line", "command-line option '-Weffc++' is valid for C++ but not for C"),
        CompilerWarning("mm/swap.o", "using `%al' instead of `%eax' due to `b' suffix"),
    ]
    assert groups["BTFIDS vmlinux"] == [CompilerWarning("link", "resolve_btfids: unresolved symbol no_such")]


def test_kconfig_warnings_belong_to_the_configuration() -> None:
    first = compiler_log.warnings("$ make olddefconfig\nmm/Kconfig:3:warning: bad\n", BELOW)
    assert first["Kconfig"] == [CompilerWarning("mm/Kconfig:3", "bad")]
    assert compiler_log.warnings("$ make O=x olddefconfig\n", BELOW)["Kconfig"] == []


def test_a_symbol_that_is_selected_without_what_it_depends_on_is_a_warning_of_the_configuration() -> None:
    log = (
        "$ make olddefconfig\n\nWARNING: unmet direct dependencies detected for USERFAULTFD\n"
        "  Depends on [n]: MMU [=n]\n  Selected by [y]:\n  - SHMEM_X [=y]\n$ make vmlinux\n"
    )
    said = CompilerWarning("Kconfig", "unmet direct dependencies detected for USERFAULTFD")
    assert compiler_log.warnings(log, BELOW)["Kconfig"] == [said]


def test_a_section_mismatch_is_heard_in_the_words_of_older_trees() -> None:
    line = "WARNING: vmlinux.o(.text+0x1): Section mismatch in reference from the function f() to g"
    (found,) = compiler_log.warnings(f"  MODPOST vmlinux.o\n{line}\n", BELOW)["MODPOST vmlinux.o"]
    assert (found.where, found.text) == ("link", line.removeprefix("WARNING: "))


@pytest.mark.parametrize("path", ["../src/mm/swap.c", "/t/src/mm/swap.c", "../../t/src/mm/../mm/swap.c"])
def test_paths_are_seen_from_the_top_of_the_tree(path: str) -> None:
    assert APART.relative(path) == "mm/swap.c"


def test_other_paths_stay() -> None:
    assert APART.relative("/usr/include/stdio.h") == "/usr/include/stdio.h"
    assert APART.relative("include/generated/x.h") == "include/generated/x.h"


def test_each_warning_is_listed_once_in_order() -> None:
    header = CompilerWarning("a.h:10", "t")
    early = CompilerWarning("a.h:9", "t")
    assert compiler_log.listed({"CC b.o": [header, UNUSED], "CC a.o": [header, early]}) == (early, header, UNUSED)


@pytest.mark.parametrize(
    ("log", "error"),
    [
        (
            "  CC      mm/a.o\n../mm/a.c:1:2: warning: w\n../mm/a.c:12:3: error: ‘pag’ undeclared\n"
            "../mm/a.c:14:3: error: second\nmake[2]: *** [../scripts/Makefile.build:286: mm/a.o] Error 1\n",
            "mm/a.c:12:3: error: ‘pag’ undeclared",
        ),
        ("../mm/a.c:1:10: fatal error: nope.h: No such file or directory\n", "mm/a.c:1:10: fatal error: nope.h"),
        ("cc1: all warnings being treated as errors\n../mm/a.c:1:1: error: x [-Werror]\n", "mm/a.c:1:1: error: x"),
        (
            "ld: mm/a.o: in function `f':\n../mm/a.c:5: undefined reference to `g'\n",
            "mm/a.c:5: undefined reference to `g'",
        ),
        ("ld: a.o:(.text+0x5): undefined reference to `g'\n", "ld: a.o:(.text+0x5): undefined reference to `g'"),
        ('ERROR: modpost: "f" [fs/x.ko] undefined!\n', 'ERROR: modpost: "f" [fs/x.ko] undefined!'),
        # as modpost wrote before 5.7
        ('ERROR: "f" [fs/x.ko] undefined!\n' + GAVE_UP, 'ERROR: "f" [fs/x.ko] undefined!'),
        ("FATAL: modpost: module x.ko uses symbol f from namespace N\n" + GAVE_UP, "FATAL: modpost: module x.ko"),
        ("error[E0425]: cannot find function `f` in this scope\n" + GAVE_UP, "error[E0425]: cannot find function `f`"),
        ("FAILED: load BTF from vmlinux: Invalid argument\n" + GAVE_UP, "FAILED: load BTF from vmlinux"),
        ("FAILED unresolved symbol f\n" + GAVE_UP, "FAILED unresolved symbol f"),
        ("Inconsistent kallsyms data\nTry `make V=1`\n" + GAVE_UP, "Inconsistent kallsyms data"),
        ("../a.S: Assembler messages:\n../a.S:3: Error: no such instruction: `foo'\n", "a.S:3: Error: no such"),
        ("make[1]: *** No rule to make target 'mm/b.o', needed by 'mm/built-in.a'.  Stop.\n", "make[1]: *** No rule"),
        ("../Makefile:9: *** missing separator.  Stop.\n", "Makefile:9: *** missing separator."),
        ("../mm/Kconfig:7: syntax error\nmake[2]: *** [../scripts/kconfig/Makefile:71: x] Error 1\n", "mm/Kconfig:7: "),
        ("noise\nmake: *** [Makefile:5: all] Error 2\nmore\n", "make: *** [Makefile:5: all] Error 2"),
        ("$ make x\nonly this\n", "only this"),
        ("", "make said nothing"),
    ],
)
def test_the_first_error_is_the_reason(log: str, error: str) -> None:
    assert compiler_log.first_error(log, BELOW).startswith(error)


@dataclass(frozen=True)
class Host:
    """A host that lacks everything, or nothing."""

    guilty: bool

    def is_full(self) -> bool:
        return self.guilty

    def has_killed(self) -> bool:
        return self.guilty

    def lacks(self, name: str) -> bool:
        return self.guilty


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("/bin/sh: 1: flex: not found", "Debian package flex"),
        ("/bin/bash: line 1: bison: command not found", "Debian package bison"),
        ("/bin/sh: 1: bc: not found", "Debian package bc"),
        ("../scripts/sign-file.c:25:10: fatal error: openssl/opensslv.h: No such file or directory", "libssl-dev"),
        ("../tools/objtool/elf.h:10:10: fatal error: gelf.h: No such file or directory", "libelf-dev"),
        ("fatal error: error writing to /tmp/x.s: No space left on device", "no space left"),
        ("gcc: fatal error: Killed signal terminated program cc1", "out of memory"),
    ],
)
def test_what_the_host_lacks_is_named(line: str, words: str) -> None:
    log = f"  CC      x.o\n{line}\nmake: *** [x] Error 1\n"
    fault = compiler_log.host_fault(log, Host(guilty=True))
    assert fault and words in fault
    assert compiler_log.host_fault(log, Host(guilty=False)) is None, "a tree can print what it likes"


@pytest.mark.parametrize(
    "line", ["a.c:1:1: fatal error: linux/nope.h: No such file or directory", "sh: 1: foo: not found"]
)
def test_what_the_tree_lacks_is_not_the_hosts_fault(line: str) -> None:
    assert compiler_log.host_fault(line, Host(guilty=True)) is None
