// SPDX-License-Identifier: GPL-2.0
/*
 * Huge pages that move to another node keep their protection, whatever is asked for on the way, and are never missing.
 * Needs: REGISTER(WP) on hugetlbfs, huge pages, two nodes; for the soft-offline half MEMORY_FAILURE.
 * Fails on a kernel that loses uffd-wp in a migration entry (mainline before 6.2), or makes the page writable again;
 * H15_never-missing on one that reports a page of a private mapping whose entry is empty for a moment.
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>

#include "access.h"
#include "backing.h"
#include "force.h"
#include "ktap.h"
#include "mover.h"
#include "proc.h"
#include "trap.h"
#include "uffd.h"

#define PAGES 4

static void migrated(const struct backing *b)
{
	struct area a;

	area_arm(&a, b, PAGES, 0);
	populate(&a, 0, PAGES);
	REQUIRE_EQ(area_wp(&a, 0, PAGES / 2), 0);
	migrate(&a, 0, PAGES, MPOL_MF_MOVE_ALL);
	for (size_t i = 0; i < PAGES; i++) {
		EXPECT_EQ(touch_read(area_page(&a, i)), file_value(i));
		if (i < PAGES / 2) {
			EXPECT_PM(area_page(&a, i), PM_PRESENT | PM_UFFD_WP, 0);
			EXPECT_TRAPS(&a, area_page(&a, i));
		} else {
			EXPECT_PM(area_page(&a, i), PM_PRESENT, PM_UFFD_WP);
			EXPECT_NO_TRAP(&a, area_page(&a, i));
		}
	}
}
CASE_ON(BACKINGS_HUGETLB, "H15_migrate", migrated);

/* What is asked for while a page is on its way holds when it has arrived. */
static void protected_meanwhile(const struct backing *b)
{
	double end = ktap_now() + ktap_budget();
	struct mover mover;
	struct area a;

	area_arm(&a, b, PAGES, 0);
	populate(&a, 0, PAGES);
	mover_start(&mover, &a);
	do {
		REQUIRE_EQ(area_wp(&a, 0, PAGES), 0);
		REQUIRE_EQ(area_count(&a, PM_UFFD_WP, 0), PAGES);
		REQUIRE_EQ(area_unwp(&a, 0, PAGES), 0);
		REQUIRE_EQ(area_count(&a, PM_UFFD_WP, 0), 0);
		touch_write_all(&a, 0, PAGES);
	} while (ktap_now() < end);
	REQUIRE_EQ(area_wp(&a, 0, PAGES), 0);
	mover_end(&mover);
	for (size_t i = 0; i < PAGES; i++)
		EXPECT_TRAPS(&a, area_page(&a, i));
}
CASE_BUDGET_ON(BACKINGS_HUGETLB, "H15_migrate-meanwhile", protected_meanwhile);

static sigjmp_buf back;

static void got_sigbus(int signal)
{
	siglongjmp(back, signal);
}

/* The page is in no file: only its entry says that it is there. SIGBUS stands for what is reported. */
static void never_missing(void)
{
	double end = ktap_now() + ktap_budget();
	volatile unsigned long reads = 0;	/* after siglongjmp(), too */
	struct mover mover;
	struct area a;

	backing_need_wp(&hugetlb_private);
	area_open(&a, &hugetlb_private, PAGES);
	touch_write_all(&a, 0, PAGES);
	area_register(&a, UFFD_FEATURE_SIGBUS, UFFDIO_REGISTER_MODE_MISSING | UFFDIO_REGISTER_MODE_WP);
	SETUP(signal(SIGBUS, got_sigbus) != SIG_ERR);
	mover_start(&mover, &a);
	if (sigsetjmp(back, 1) == 0)
		for (; ktap_now() < end; reads += PAGES)
			touch_read_all(&a, 0, PAGES);
	else
		EXPECT_MSG(false, "SIGBUS for a page that is there, after %lu reads", reads);
	ktap_diag("%lu reads", reads);
	mover_end(&mover);
	EXPECT_EQ(touch_read(a.map), file_value(0));
}
CASE_BUDGET("H15_never-missing", never_missing);

#ifndef MADV_SOFT_OFFLINE
#define MADV_SOFT_OFFLINE 101
#endif

static void offlined(const struct backing *b)
{
	struct area a;

	area_arm(&a, b, PAGES, 0);
	populate(&a, 0, PAGES);
	REQUIRE_EQ(area_wp(&a, 0, PAGES), 0);
	if (madvise(a.map, PAGE, MADV_SOFT_OFFLINE))
		SKIP("CONFIG_MEMORY_FAILURE: MADV_SOFT_OFFLINE: %s", strerror(errno));
	EXPECT_EQ(touch_read(a.map), file_value(0));
	EXPECT_PM(a.map, PM_PRESENT | PM_UFFD_WP, 0);
	EXPECT_TRAPS(&a, a.map);
}
CASE_ON(BACKINGS_HUGETLB, "H15_soft-offline", offlined);
