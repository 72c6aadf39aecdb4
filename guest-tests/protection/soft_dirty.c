// SPDX-License-Identifier: GPL-2.0
/*
 * Soft-dirty tracking and write protection do not disturb one another, and /proc/PID/clear_refs
 * keeps protection and markers.
 * Needs: REGISTER(WP) on shmem; all but P05 MEM_SOFT_DIRTY; P19 swap.
 * P03 fails on a kernel where mprotect makes dirty pages writable at once (dirty accounting) and W
 * ones with them; P04 on one whose un-WP makes the page writable behind the back of soft-dirty; P17 on one
 * where it becomes writable as its new neighbour is, and the neighbour is not soft-dirty any more; P18 on one
 * where a page that UFFDIO_COPY makes is soft-dirty without UFFDIO_COPY_MODE_WP only; P19 on one whose swapoff
 * forgets it.
 */
#include <stdlib.h>
#include <unistd.h>

#include "access.h"
#include "backing.h"
#include "force.h"
#include "ktap.h"
#include "proc.h"
#include "trap.h"
#include "uffd.h"

#define PAGES 4
#define CLEAR_REFS "/proc/self/clear_refs"

static void need_soft_dirty(void)
{
	char *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	SETUP(page != MAP_FAILED);
	touch_write(page, 1);
	if (!(pm(page) & PM_SOFT_DIRTY))
		SKIP("CONFIG_MEM_SOFT_DIRTY: a written page is not soft-dirty");
	munmap(page, PAGE);
}

/* Dirty as the hardware sees it, and soft-dirty: both ways by which mprotect may spare itself a fault. */
static void dirty_accountable(const struct backing *b)
{
	struct area a;

	area_arm(&a, b, PAGES, 0);
	need_soft_dirty();
	touch_write_all(&a, 0, PAGES);
	SETUP(file_write(CLEAR_REFS, "4"));
	touch_write_all(&a, 0, PAGES / 2);
	EXPECT_PM(a.map, PM_SOFT_DIRTY, 0);
	EXPECT_PM(area_page(&a, PAGES / 2), 0, PM_SOFT_DIRTY);
	REQUIRE_EQ(area_wp(&a, 0, PAGES), 0);
	SETUP(!mprotect(a.map, a.size, PROT_READ));
	SETUP(!mprotect(a.map, a.size, PROT_READ | PROT_WRITE));
	EXPECT_EQ(pm_count(a.map, PAGES, PM_UFFD_WP, 0), PAGES);
	for (int i = 0; i < PAGES; i++)
		EXPECT_TRAPS(&a, area_page(&a, i));
}
CASE_ON(BACKINGS_SMALL, "P03_dirty-accountable", dirty_accountable);

static void after_unwp(const struct backing *b)
{
	struct area a;

	area_arm(&a, b, PAGES, 0);
	need_soft_dirty();
	touch_write_all(&a, 0, PAGES);
	SETUP(file_write(CLEAR_REFS, "4"));
	REQUIRE_EQ(area_wp(&a, 0, PAGES), 0);
	REQUIRE_EQ(area_unwp(&a, 0, PAGES), 0);
	for (int i = 0; i < PAGES; i++) {
		EXPECT_PM(area_page(&a, i), PM_PRESENT, PM_SOFT_DIRTY | PM_UFFD_WP);
		EXPECT_NO_TRAP(&a, area_page(&a, i));
		EXPECT_PM(area_page(&a, i), PM_SOFT_DIRTY, PM_UFFD_WP);
	}
	/* The same when the write was waiting for the un-WP. */
	SETUP(file_write(CLEAR_REFS, "4"));
	REQUIRE_EQ(area_wp(&a, 0, PAGES), 0);
	EXPECT_TRAPS(&a, a.map);
	EXPECT_PM(a.map, PM_SOFT_DIRTY, PM_UFFD_WP);
}
CASE_ON(BACKINGS_SMALL, "P04_softdirty-after-unwp", after_unwp);

#define BOTH (UFFDIO_REGISTER_MODE_MISSING | UFFDIO_REGISTER_MODE_WP)

/* What makes one mapping of two that differed in how they are registered, or whether. */
struct joint {
	const char *name;
	__u64 mode, beside;	/* as what the range is registered before it, and its neighbour if it is */
	void (*make)(struct area *a, size_t half);
};

static void by_unregister(struct area *a, size_t half)
{
	REQUIRE_EQ(uffd_unregister(a->uffd, a->map, half), 0);
}

static void by_close(struct area *a, size_t half)
{
	(void)half;
	close(a->uffd);
	a->uffd = -1;
}

static void by_register(struct area *a, size_t half)
{
	REQUIRE_EQ(uffd_register(a->uffd, a->map, half, BOTH, NULL), 0);
}

static void by_drop_wp(struct area *a, size_t half)
{
	REQUIRE_EQ(uffd_register(a->uffd, a->map, half, UFFDIO_REGISTER_MODE_MISSING, NULL), 0);
}

static const struct joint joints[] = {
	{ "UNREGISTER", UFFDIO_REGISTER_MODE_WP, 0, by_unregister },
	{ "close", UFFDIO_REGISTER_MODE_WP, 0, by_close },
	{ "REGISTER", UFFDIO_REGISTER_MODE_MISSING, BOTH, by_register },
	{ "REGISTER without WP", UFFDIO_REGISTER_MODE_WP, UFFDIO_REGISTER_MODE_MISSING, by_drop_wp },
};

/* The range becomes one with a neighbour that is new, of which all is soft-dirty. */
static void join(const struct backing *b, const struct joint *joint)
{
	struct area a;
	size_t half;

	area_open(&a, b, 2 * PAGES);
	half = a.size / 2;
	area_fill_file(&a, 0, 2 * PAGES);	/* so that no page is missing */
	if (b->shared)
		touch_write_all(&a, 0, PAGES);
	else	/* with pages of its own, a private mapping is not made one with others */
		touch_read_all(&a, 0, PAGES);
	SETUP(!munmap(a.map + half, half));
	a.uffd = uffd_open(0);
	REQUIRE_EQ(uffd_register(a.uffd, a.map, half, joint->mode, NULL), 0);
	if (joint->mode & UFFDIO_REGISTER_MODE_WP)
		REQUIRE_EQ(area_wp(&a, 0, PAGES), 0);
	SETUP(file_write(CLEAR_REFS, "4"));
	SETUP(mmap(a.map + half, half, PROT_READ | PROT_WRITE,
		   (b->shared ? MAP_SHARED : MAP_PRIVATE) | MAP_FIXED | MAP_NORESERVE,	/* as area_open() has it */
		   a.fd, (off_t)half) == a.map + half);
	if (joint->beside)
		REQUIRE_EQ(uffd_register(a.uffd, a.map + half, half, joint->beside, NULL), 0);
	touch_read(area_page(&a, PAGES));
	SETUP(pm_count(a.map + half, PAGES, PM_SOFT_DIRTY, 0) == PAGES && !(pm(a.map) & PM_SOFT_DIRTY));
	SETUP(smaps_kb(a.map, "Size") == (long)(half >> 10));
	joint->make(&a, half);
	SETUP_MSG(smaps_kb(a.map, "Size") == (long)(a.size >> 10), "%s did not merge the two", joint->name);
	EXPECT_MSG(pm_count(a.map + half, PAGES, PM_SOFT_DIRTY, 0) == PAGES,
		   "after %s, %zu of %d pages of a new mapping are soft-dirty", joint->name,
		   pm_count(a.map + half, PAGES, PM_SOFT_DIRTY, 0), PAGES);
	for (int i = 0; i < 2 * PAGES; i++) {
		touch_write(area_page(&a, i), i);
		EXPECT_PM(area_page(&a, i), PM_SOFT_DIRTY, PM_UFFD_WP);
	}
	area_close(&a);
}

static void merged(const struct backing *b)
{
	backing_need_wp(b);
	need_soft_dirty();
	for (size_t i = 0; i < sizeof(joints) / sizeof(*joints); i++)
		if (joints[i].make != by_drop_wp || may_drop_wp())
			join(b, &joints[i]);
}
CASE_ON(BACKINGS_FD, "P17_softdirty-merged", merged);

/* What UFFDIO_COPY puts into a hole is new, also where it is protected at once. */
static void copied(const struct backing *b)
{
	static const __u64 modes[] = { 0, UFFDIO_COPY_MODE_WP };
	char *from = aligned_alloc(PAGE, PAGE);
	struct area a;

	SETUP(from);
	backing_need_wp(b);
	need_soft_dirty();
	area_open(&a, b, PAGES);
	area_register(&a, 0, UFFDIO_REGISTER_MODE_MISSING | UFFDIO_REGISTER_MODE_WP);
	touch_write(from, file_value(0));
	SETUP(file_write(CLEAR_REFS, "4"));
	for (size_t i = 0; i < 2; i++) {
		REQUIRE_EQ(uffd_copy(a.uffd, area_page(&a, i), from, PAGE, modes[i], NULL), 0);
		EXPECT_PM(area_page(&a, i), PM_PRESENT | PM_SOFT_DIRTY, 0);
	}
	EXPECT_PM(area_page(&a, 2), 0, PM_PRESENT | PM_SOFT_DIRTY);
	SETUP(file_write(CLEAR_REFS, "4"));
	EXPECT_PM(area_page(&a, 1), PM_PRESENT, PM_SOFT_DIRTY);
	EXPECT_TRAPS(&a, area_page(&a, 1));
}
CASE_ON(BACKINGS_ALL_SMALL, "P18_softdirty-copy", copied);

/* What swapoff brings back is as soft-dirty as it went. */
static void swapped_in(const struct backing *b)
{
	struct area a;

	area_arm(&a, b, 4 * PAGES, 0);
	need_soft_dirty();
	touch_write_all(&a, 0, 4 * PAGES);
	SETUP(file_write(CLEAR_REFS, "4"));
	touch_write_all(&a, 0, 2 * PAGES);
	REQUIRE_EQ(area_wp(&a, PAGES, 2 * PAGES), 0);
	swap_out(&a, 0, 4 * PAGES);
	EXPECT_EQ(pm_count(a.map, 2 * PAGES, PM_SWAP | PM_SOFT_DIRTY, 0), 2 * PAGES);
	swap_off_and_on();
	SETUP_MSG(pm_count(a.map, 4 * PAGES, PM_PRESENT, 0) == 4 * PAGES, "swapoff did not bring the pages back");
	EXPECT_EQ(pm_count(a.map, 2 * PAGES, PM_SOFT_DIRTY, 0), 2 * PAGES);
	EXPECT_EQ(pm_count(area_page(&a, 2 * PAGES), 2 * PAGES, 0, PM_SOFT_DIRTY), 2 * PAGES);
	EXPECT_EQ(pm_count(area_page(&a, PAGES), 2 * PAGES, PM_UFFD_WP, 0), 2 * PAGES);
	EXPECT_EQ(pm_count(a.map, 4 * PAGES, PM_UFFD_WP, 0), 2 * PAGES);
}
static const struct backing *const ANONYMOUS_PAGES[] = { &memfd_private, &anon, NULL };
CASE_ON(ANONYMOUS_PAGES, "P19_softdirty-swapoff", swapped_in);

static void clear_refs(const struct backing *b)
{
	struct area a;
	char what[] = "1";

	area_arm(&a, b, PAGES, 0);
	area_fill_file(&a, 0, PAGES);
	touch_write_all(&a, 0, PAGES / 2);
	REQUIRE_EQ(area_wp(&a, 0, PAGES), 0);
	for (; what[0] <= '5'; what[0]++) {
		SETUP_MSG(file_write(CLEAR_REFS, what) || what[0] == '4', "cannot write %s to " CLEAR_REFS, what);
		EXPECT_EQ(pm_count(a.map, PAGES, PM_UFFD_WP, 0), PAGES);
	}
	for (int i = 0; i < PAGES; i++)
		EXPECT_TRAPS(&a, area_page(&a, i));
}
CASE_ON(BACKINGS_FILE, "P05_clear-refs-markers", clear_refs);
