// SPDX-License-Identifier: GPL-2.0
/*
 * Write protection of anonymous memory, as 5.10 has it: it must not change.
 * Needs: write protection of anonymous memory; swap, TRANSPARENT_HUGEPAGE, EVENT_FORK and
 * EVENT_REMAP where a case is about that.
 * A failure means: the work on file mappings has broken what there was.
 */
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "access.h"
#include "backing.h"
#include "force.h"
#include "khugepaged.h"
#include "ktap.h"
#include "oracle.h"
#include "proc.h"
#include "trap.h"
#include "uffd.h"

#define PAGES 16

/* Written and protected. */
static void arm_protected(struct area *a, __u64 features)
{
	area_arm(a, &anon, PAGES, features);
	touch_write_all(a, 0, PAGES);
	REQUIRE_EQ(area_wp(a, 0, PAGES), 0);
}

static void expect_all_trap(const struct area *a, size_t pages, size_t step)
{
	for (size_t i = 0; i < pages; i += step) {
		EXPECT_EQ(touch_read(area_page(a, i)), file_value(i));
		EXPECT_TRAPS(a, area_page(a, i));
	}
}

static void anon_present(void)
{
	struct area a;

	arm_protected(&a, 0);
	EXPECT_READS(&a, area_page(&a, 1));
	REQUIRE_EQ(area_unwp(&a, 8, 1), 0);
	EXPECT_NO_TRAP(&a, area_page(&a, 8));
	expect_all_trap(&a, 8, 1);
	EXPECT_NO_TRAP(&a, area_page(&a, 0));
	EXPECT_EQ(pm_count(a.map, PAGES, PM_SWAP, 0), 0);
}
CASE("G02_anon-present", anon_present);

/* mprotect there and back does not give the write permission back. */
static void anon_mprotect(void)
{
	struct area a;

	arm_protected(&a, 0);
	SETUP(!mprotect(a.map, a.size, PROT_READ));
	SETUP(!mprotect(a.map, a.size, PROT_READ | PROT_WRITE));
	expect_all_trap(&a, PAGES, 1);
}
CASE("G02_anon-mprotect", anon_mprotect);

static void anon_swap(void)
{
	struct area a;

	arm_protected(&a, 0);
	swap_out(&a, 0, PAGES);
	EXPECT_TRAPS(&a, area_page(&a, 0));		/* a write to swap */
	EXPECT_READS(&a, area_page(&a, 1));		/* a read, then a write */
	EXPECT_TRAPS(&a, area_page(&a, 1));
	swap_out(&a, 2, PAGES - 2);
	REQUIRE_EQ(area_unwp(&a, 2, 2), 0);		/* in swap */
	EXPECT_NO_TRAP(&a, area_page(&a, 2));
	for (size_t i = 4; i < PAGES; i++)
		EXPECT_TRAPS(&a, area_page(&a, i));
}
CASE("G02_anon-swap", anon_swap);

/* Protect what is in swap. */
static void anon_wp_swapped(void)
{
	struct area a;

	area_arm(&a, &anon, PAGES, 0);
	touch_write_all(&a, 0, PAGES);
	swap_out(&a, 0, PAGES);
	REQUIRE_EQ(area_wp(&a, 0, PAGES), 0);
	expect_all_trap(&a, PAGES, 1);
}
CASE("G02_anon-wp-swapped", anon_wp_swapped);

/* The child inherits the data, and neither a userfaultfd nor protection. */
static void anon_fork(void)
{
	struct area a;
	int status;
	pid_t pid;

	arm_protected(&a, 0);
	pid = fork();
	SETUP(pid >= 0);
	if (!pid) {
		a.uffd = -1;
		for (size_t i = 0; i < PAGES; i++) {
			EXPECT_EQ(touch_read(area_page(&a, i)), file_value(i));
			EXPECT_NO_TRAP(&a, area_page(&a, i));
		}
		_exit(0);
	}
	REQUIRE(waitpid(pid, &status, 0) == pid && WIFEXITED(status));
	expect_all_trap(&a, PAGES, 1);
}
CASE("G02_anon-fork", anon_fork);

struct forking {
	struct area *a;
	int go[2];
	pid_t child;
};

/* Fork; the child waits for its turn, and then writes to the first page. */
static long fork_writer(void *arg)
{
	struct forking *f = arg;
	char byte;

	f->child = fork();
	if (!f->child) {
		SETUP(read(f->go[0], &byte, 1) == 1);
		touch_write(f->a->map, 99);
		_exit(touch_read(f->a->map) == 99 ? 0 : 1);
	}
	return f->child > 0 ? 0 : -1;
}

/* With EVENT_FORK the child is protected, too, and its writes come from a userfaultfd of its own. */
static void anon_fork_event(void)
{
	struct uffd_msg msg;
	struct forking f;
	struct touch t;
	struct area a;
	int child, status;

	arm_protected(&a, UFFD_FEATURE_EVENT_FORK);
	f.a = &a;
	SETUP(!pipe(f.go));
	touch_call(&t, fork_writer, &f);
	uffd_wait(a.uffd, &msg);
	REQUIRE_EQ(msg.event, UFFD_EVENT_FORK);
	child = (int)msg.arg.fork.ufd;
	EXPECT_EQ(touch_end(&t), COMPLETED);
	REQUIRE_EQ(t.result, 0);
	SETUP(write(f.go[1], "", 1) == 1);
	uffd_wait(child, &msg);
	EXPECT(is_wp_message(&a, &msg, a.map));
	REQUIRE_EQ(uffd_writeprotect(child, a.map, PAGE, 0), 0);
	REQUIRE(waitpid(f.child, &status, 0) == f.child && WIFEXITED(status));
	EXPECT_EQ(WEXITSTATUS(status), 0);
	EXPECT(!uffd_next(a.uffd, &msg));
	expect_all_trap(&a, PAGES, 1);
}
CASE("G02_anon-fork-event", anon_fork_event);

/* Moved without EVENT_REMAP, the mapping is out of the userfaultfd's hands. */
static void anon_mremap(void)
{
	struct area a, target;
	char *old;

	arm_protected(&a, 0);
	area_open(&target, &anon, PAGES);
	old = a.map;
	a.map = mremap(old, a.size, a.size, MREMAP_MAYMOVE | MREMAP_FIXED, target.map);
	SETUP(a.map == target.map);
	for (size_t i = 0; i < PAGES; i++) {
		EXPECT_EQ(touch_read(area_page(&a, i)), file_value(i));
		EXPECT_NO_TRAP(&a, area_page(&a, i));
	}
	EXPECT_EQ(area_wp(&a, 0, PAGES), -ENOENT);
}
CASE("G02_anon-mremap", anon_mremap);

struct moving {
	struct area *a;
	char *to;
};

static long do_mremap(void *arg)
{
	struct moving *m = arg;

	return mremap(m->a->map, m->a->size, m->a->size, MREMAP_MAYMOVE | MREMAP_FIXED, m->to) == m->to ? 0 : -1;
}

/* With it, protection moves along. */
static void anon_mremap_event(void)
{
	struct area a, target;
	struct uffd_msg msg;
	struct moving m;
	struct touch t;

	arm_protected(&a, UFFD_FEATURE_EVENT_REMAP);
	area_open(&target, &anon, PAGES);
	m = (struct moving){ &a, target.map };
	touch_call(&t, do_mremap, &m);
	uffd_wait(a.uffd, &msg);
	REQUIRE_EQ(msg.event, UFFD_EVENT_REMAP);
	EXPECT_EQ(touch_end(&t), COMPLETED);
	REQUIRE_EQ(t.result, 0);
	a.map = target.map;
	expect_all_trap(&a, PAGES, 1);
}
CASE("G02_anon-mremap-event", anon_mremap_event);

/* Two megabytes, aligned, in MADV_HUGEPAGE memory. */
static void open_huge(struct area *a)
{
	area_open_aligned(a, &anon, HUGE / PAGE, HUGE);
	if (madvise(a->map, a->size, MADV_HUGEPAGE))
		SKIP("CONFIG_TRANSPARENT_HUGEPAGE: MADV_HUGEPAGE: %s", strerror(errno));
}

/* A huge page is protected whole, or split for one of its pages. */
static void anon_thp(void)
{
	struct area a;

	open_huge(&a);
	area_register(&a, 0, UFFDIO_REGISTER_MODE_WP);
	touch_write_all(&a, 0, a.pages);
	SETUP_MSG(huge_mapped_kb(&a) == HUGE / 1024, "no huge page");
	REQUIRE_EQ(area_wp(&a, 7, 1), 0);
	EXPECT_NO_TRAP(&a, area_page(&a, 6));
	EXPECT_NO_TRAP(&a, area_page(&a, 8));
	EXPECT_TRAPS(&a, area_page(&a, 7));
	touch_write_all(&a, 0, a.pages);
	REQUIRE_EQ(area_wp(&a, 0, a.pages), 0);
	expect_all_trap(&a, a.pages, 73);
}
CASE("G02_anon-thp", anon_thp);

static void anon_thp_whole(void)
{
	struct area a;

	open_huge(&a);
	area_register(&a, 0, UFFDIO_REGISTER_MODE_WP);
	touch_write_all(&a, 0, a.pages);
	SETUP_MSG(huge_mapped_kb(&a) == HUGE / 1024, "no huge page");
	REQUIRE_EQ(area_wp(&a, 0, a.pages), 0);
	EXPECT_EQ(huge_mapped_kb(&a), HUGE / 1024);
	EXPECT_READS(&a, area_page(&a, 100));
	expect_all_trap(&a, a.pages, 73);
}
CASE("G02_anon-thp-whole", anon_thp_whole);

/* A second range without protection shows that khugepaged was at work here. */
static void anon_khugepaged(void)
{
	struct area guarded, plain;
	long before;

	area_open_aligned(&guarded, &anon, HUGE / PAGE, HUGE);
	area_open_aligned(&plain, &anon, HUGE / PAGE, HUGE);
	area_register(&guarded, 0, UFFDIO_REGISTER_MODE_WP);
	touch_write_all(&guarded, 0, guarded.pages);
	touch_write_all(&plain, 0, plain.pages);
	REQUIRE_EQ(area_wp(&guarded, 0, guarded.pages), 0);
	khugepaged_eager();
	before = khugepaged_collapsed();
	SETUP(!madvise(guarded.map, guarded.size, MADV_HUGEPAGE));
	SETUP(!madvise(plain.map, plain.size, MADV_HUGEPAGE));
	khugepaged_scans(3);
	SETUP_MSG(khugepaged_collapsed() > before && huge_mapped_kb(&plain) > 0, "khugepaged collapsed nothing");
	expect_all_trap(&guarded, guarded.pages, 73);
}
CASE("G02_anon-khugepaged", anon_khugepaged);

static void anon_migrate(void)
{
	struct area a;

	arm_protected(&a, 0);
	migrate(&a, 0, PAGES, MPOL_MF_MOVE);
	expect_all_trap(&a, PAGES, 1);
}
CASE("G02_anon-migrate", anon_migrate);
