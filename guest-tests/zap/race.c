// SPDX-License-Identifier: GPL-2.0
/*
 * Readers bring pages back while holes are punched: at no moment is an address without protection.
 * Needs: REGISTER(WP) on shmem. Works for its time budget, at most 10000 punches.
 * Fails on a kernel that turns a protected pte into a none one for a moment, or that drops the
 * protection of a page which came back between the two passes of the punch.
 * Mainline does the latter by design (its unmap_mapping_folio() drops markers): there the rate is
 * printed and what was lost is protected again. Such a kernel is known by WP_UNPOPULATED.
 */
#include <fcntl.h>

#include "backing.h"
#include "ktap.h"
#include "loop.h"
#include "proc.h"
#include "sweep.h"
#include "uffd.h"

#define PAGES 16
#define PUNCHES 10000
#define READERS 2

static void read_pages(void *area)
{
	touch_read_all(area, 0, PAGES);
}

static void punch(const struct area *a)
{
	SETUP(!fallocate(a->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, a->size));
}

/* The pages that lost their protection; they get it back. */
static size_t take_losses(const struct area *a)
{
	size_t lost = PAGES - pm_count(a->map, PAGES, PM_UFFD_WP, 0);

	if (lost)
		REQUIRE_EQ(area_wp(a, 0, PAGES), 0);
	return lost;
}

static size_t race(const struct area *a, int *punches)
{
	double end = ktap_now() + ktap_budget() / 2;
	struct looper readers[READERS];
	size_t lost = 0;

	for (int i = 0; i < READERS; i++)
		loop_start(&readers[i], read_pages, (void *)a);
	for (*punches = 0; *punches < PUNCHES && ktap_now() < end; ++*punches) {
		punch(a);
		lost += take_losses(a);
	}
	for (int i = 0; i < READERS; i++) {
		SETUP_MSG(loop_calls(&readers[i]) > 1, "a reader did not run");
		loop_end(&readers[i]);
	}
	return lost;
}

static void punch_vs_refault(const struct backing *b)
{
	bool drops_by_design = uffd_offered() & UFFD_FEATURE_WP_UNPOPULATED;
	int punches;
	size_t lost;
	struct area a;

	area_arm(&a, b, PAGES, 0);
	REQUIRE_EQ(area_wp(&a, 0, PAGES), 0);
	lost = race(&a, &punches);
	ktap_diag("%d punches of %d pages, %zu protections lost", punches, PAGES, lost);
	EXPECT(drops_by_design || !lost);
	EXPECT_ALL_TRAP(&a, 0, PAGES);
}
static const struct backing *const RACED[] = { &memfd_shared, &memfd_private, NULL };
CASE_BUDGET_ON(RACED, "Z09_punch-vs-refault", punch_vs_refault);
