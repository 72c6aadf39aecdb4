// SPDX-License-Identifier: GPL-2.0
/*
 * One thread drops and reads the huge page over and over, so that its entry comes and goes, while
 * another one protects it: when the ioctl returns, every small page is protected.
 * Needs: REGISTER(WP) on shmem, CONFIG_TRANSPARENT_HUGEPAGE. Works for its time budget.
 * Fails on a kernel whose WP ioctl takes an entry that changes under it for one that needs nothing
 * done (pmd_trans_unstable()).
 * Mainline has such a window, between change_pmd_prepare() and the pmd_none() test behind it in
 * change_pmd_range(), and passes by the whole table: there the rate is printed. Such a kernel is
 * known by WP_UNPOPULATED. A part of a table must not be lost there either.
 */
#include "access.h"
#include "backing.h"
#include "ktap.h"
#include "loop.h"
#include "proc.h"
#include "sweep.h"
#include "thp.h"
#include "uffd.h"

#define ROUNDS 10000
#define ENOUGH 20	/* at least, however slow the machine */

static void drop_and_read(void *area)
{
	const struct area *a = area;

	SETUP(!madvise(a->map, a->size, MADV_DONTNEED));
	touch_read(area_page(a, 17));
}

/* A new mapping each round: a page table that WP has made stays. */
static void map_anew(struct area *a)
{
	SETUP(mmap(a->map, a->size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, a->fd, 0) == a->map);
	touch_read(a->map);
	NEED_HUGE(a, HUGE_KB);
	REQUIRE_EQ(uffd_register(a->uffd, a->map, a->size, UFFDIO_REGISTER_MODE_WP, NULL), 0);
}

/* How many of the pages the ioctl left without protection. */
static size_t lost_in_round(struct area *a)
{
	struct looper dropper;
	size_t lost;

	map_anew(a);
	loop_start(&dropper, drop_and_read, a);
	REQUIRE_EQ(area_wp(a, 0, TABLE), 0);
	lost = TABLE - pm_count(a->map, TABLE, PM_UFFD_WP, 0);
	loop_end(&dropper);
	EXPECT_EQ(TABLE - pm_count(a->map, TABLE, PM_UFFD_WP, 0), lost);
	return lost;
}

static void split_race(void)
{
	bool has_window = uffd_offered() & UFFD_FEATURE_WP_UNPOPULATED;
	double end = ktap_now() + ktap_budget() / 2;
	int rounds = 0, missed = 0;
	struct area a;

	need_shmem_wp();
	area_open(&a, &thp_shmem, TABLE);
	populate(&a, 0, TABLE);
	a.uffd = uffd_open(0);
	for (; rounds < ROUNDS && (ktap_now() < end || rounds < ENOUGH); rounds++) {
		size_t lost = lost_in_round(&a);

		missed += lost != 0;
		if (!EXPECT(!lost || (has_window && lost == TABLE)))
			break;
	}
	ktap_diag("%d rounds, %d without protection", rounds, missed);
	REQUIRE_EQ(area_wp(&a, 0, TABLE), 0);
	EXPECT_ALL_TRAP(&a, 0, TABLE);
}
CASE_BUDGET("T10_split-race", split_race);
