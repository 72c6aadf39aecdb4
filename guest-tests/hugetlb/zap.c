// SPDX-License-Identifier: GPL-2.0
/*
 * Huge pages that are taken out of the file: the protection of their addresses stays, and goes with the mapping.
 * Needs: REGISTER(WP) on hugetlbfs, huge pages.
 * Fails on a kernel whose __unmap_hugepage_range() drops uffd-wp, or leaves a marker in a page table that is freed.
 */
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "access.h"
#include "backing.h"
#include "hugetlb.h"
#include "ktap.h"
#include "pages.h"
#include "proc.h"
#include "trap.h"
#include "uffd.h"

/* All but the last page are protected, if there are several. */
static size_t arm(struct area *a, const struct backing *b)
{
	size_t protected;

	area_arm(a, b, hugetlb_pages(b), 0);
	protected = a->pages > 1 ? a->pages - 1 : 1;
	populate(a, 0, a->pages);
	REQUIRE_EQ(area_wp(a, 0, protected), 0);
	return protected;
}

static void judge(const struct area *a, size_t protected)
{
	for (size_t i = 0; i < a->pages; i++)
		EXPECT_PM(area_page(a, i), i < protected ? PM_UFFD_WP : 0, PM_PRESENT | (i < protected ? 0 : PM_UFFD_WP));
	if (protected > 1) {
		EXPECT_EQ(touch_read(area_page(a, 1)), 0);
		EXPECT_PM(area_page(a, 1), PM_PRESENT | PM_UFFD_WP, 0);
	}
	for (size_t i = 0; i < protected; i++)
		EXPECT_TRAPS(a, area_page(a, i));
	if (protected < a->pages)
		EXPECT_NO_TRAP(a, area_page(a, protected));
}

static void punch(const struct area *a)
{
	SETUP(!fallocate(a->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, (off_t)a->size));
}

static void punched(const struct backing *b)
{
	struct area a;
	size_t protected = arm(&a, b);

	punch(&a);
	judge(&a, protected);
}
CASE_ON(BACKINGS_HUGETLB, "H05_punch", punched);
CASE_ON(BACKINGS_HUGETLB_1G, "H17_1G-punch", punched);

static void punched_twice(const struct backing *b)
{
	struct area a;
	size_t protected = arm(&a, b);

	punch(&a);
	touch_read(a.map);
	punch(&a);
	punch(&a);
	judge(&a, protected);
}
CASE_ON(BACKINGS_HUGETLB, "H05_punch-twice", punched_twice);

/* The page goes while a writer waits: it waits on, for the address is as protected as before. */
static void punched_under_writer(const struct backing *b)
{
	struct trap t;
	struct area a;

	arm(&a, b);
	REQUIRE(trap_begin(&a, a.map, &t));
	punch(&a);
	for (int i = 0; i < 3; i++) {
		REQUIRE_EQ(uffd_wake(a.uffd, a.map, a.page), 0);
		EXPECT(touch_asleep(&t.touch));
	}
	EXPECT(trap_end(&a, &t));
}
CASE_ON(BACKINGS_HUGETLB, "H05_punch-under-writer", punched_under_writer);

static void removed(const struct backing *b)
{
	struct area a;
	size_t protected = arm(&a, b);

	SETUP(!madvise(a.map, a.size, MADV_REMOVE));
	judge(&a, protected);
}
CASE_ON(((const struct backing *const []){ &hugetlb_shared, NULL }), "H05_remove", removed);

static void truncated(const struct backing *b)
{
	struct area a;
	size_t protected = arm(&a, b);
	struct uffd_msg msg;

	SETUP(!ftruncate(a.fd, 0));
	/* There is no page that could be protected. */
	EXPECT_EQ(touch_once(WRITES, a.map, 1), GOT_SIGBUS);
	EXPECT(!uffd_next(a.uffd, &msg));
	SETUP(!ftruncate(a.fd, (off_t)a.size));
	judge(&a, protected);
}
CASE_ON(BACKINGS_HUGETLB, "H06_truncate-extend", truncated);
CASE_ON(BACKINGS_HUGETLB_1G, "H17_1G-truncate", truncated);

/* Half of it markers, half of it pages: both are gone, and the next mapping there starts with nothing. */
static void unmapped(const struct backing *b)
{
	struct area a, next;

	area_arm(&a, b, hugetlb_pages(b), 0);
	populate(&a, 0, a.pages / 2);
	REQUIRE_EQ(area_wp(&a, 0, a.pages), 0);
	next = a;
	next.map = mmap(a.map, a.size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE | MAP_FIXED, a.fd, 0);
	SETUP(next.map == a.map);
	EXPECT_EQ(area_count(&next, PM_UFFD_WP, 0), 0);
	REQUIRE_EQ(uffd_register(a.uffd, next.map, next.size, UFFDIO_REGISTER_MODE_WP, NULL), 0);
	next.backing = b->hugetlb == GIANT ? &hugetlb_1g_shared : &hugetlb_shared;
	for (size_t i = 0; i < a.pages; i++)
		EXPECT_NO_TRAP(&next, area_page(&next, i));
	REQUIRE_EQ(area_wp(&next, 0, a.pages), 0);
	SETUP(!munmap(next.map, next.size));
}
CASE_ON(BACKINGS_HUGETLB, "H14_munmap", unmapped);
CASE_ON(BACKINGS_HUGETLB_1G, "H17_1G-munmap", unmapped);

/* The pool has all its pages again; the kernel says so when a page table that it frees is not empty. */
static void exited(const struct backing *b)
{
	long free, reserved;
	struct area a;
	pid_t child;
	int status;

	area_open(&a, b, hugetlb_pages(b));
	need_hugetlb_wp(a.page);
	free = hugetlb_free(a.page);
	reserved = hugetlb_reserved(a.page);
	child = fork();
	SETUP(child >= 0);
	if (!child) {
		area_register(&a, 0, UFFDIO_REGISTER_MODE_WP);
		touch_write(a.map, 1);
		REQUIRE_EQ(area_wp(&a, 0, a.pages), 0);
		_exit(0);
	}
	SETUP(waitpid(child, &status, 0) == child);
	EXPECT(WIFEXITED(status) && !WEXITSTATUS(status));
	punch(&a);
	EXPECT_EQ(hugetlb_free(a.page), free);
	EXPECT_EQ(hugetlb_reserved(a.page), reserved);
}
CASE_ON(BACKINGS_HUGETLB, "H14_exit", exited);
