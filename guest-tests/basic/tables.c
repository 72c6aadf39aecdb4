// SPDX-License-Identifier: GPL-2.0
/*
 * One range over page tables that are in different states: there or not, empty, with pages, with
 * markers, or a huge entry in their place. Protection covers each page of it and no other one, and is lifted
 * from each, by un-WP, UNREGISTER and close, wherever in a table the range begins and ends.
 * Needs: REGISTER(WP) on shmem; -huge TRANSPARENT_HUGEPAGE.
 * Fails on a kernel that walks a range in steps of tables from an unaligned start, stops at the first table
 * that is not there, or at a huge entry, or takes the state of one table for that of all.
 */
#include <unistd.h>

#include "access.h"
#include "backing.h"
#include "ktap.h"
#include "proc.h"
#include "trap.h"
#include "uffd.h"

#define TABLE (HUGE / PAGE)
#define TABLES 3UL
#define PAGES (TABLES * TABLE)

enum state {
	NO_TABLE,
	EMPTY,		/* the pages are in the file */
	MAPPED,
	MARKED,
	SMALL_STATES,
	HUGE_ENTRY = SMALL_STATES,
	STATES,
};

static void bring_table(struct area *a, size_t table, enum state state)
{
	size_t first = table * TABLE;

	switch (state) {
	case EMPTY:
	case MAPPED:
		if (a->backing->huge)	/* protection splits what maps it */
			REQUIRE_EQ(area_wp(a, first, 1), 0);
		if (a->backing->huge)
			REQUIRE_EQ(area_unwp(a, first, 1), 0);
		for (size_t i = first; i < first + TABLE; i += TABLE / 2 - 1)
			touch_write(area_page(a, i), i);
		if (state == EMPTY)
			SETUP(!madvise(area_page(a, first), HUGE, MADV_DONTNEED));
		break;
	case MARKED:
		REQUIRE_EQ(area_wp(a, first, TABLE), 0);
		break;
	case HUGE_ENTRY:
		touch_write(area_page(a, first), 1);
		break;
	default:
		break;
	}
}

struct range {
	size_t first, end;
};

/* Of the pages of @in, how many are protected; @of is where they are to be, beside the tables that were MARKED. */
static size_t wanted(const enum state *state, struct range of)
{
	size_t count = 0;

	for (size_t i = 0; i < PAGES; i++)
		count += (i >= of.first && i < of.end) || state[i / TABLE] == MARKED;
	return count;
}

static size_t wp_in(const struct area *a, struct range in)
{
	return pm_count(area_page(a, in.first), in.end - in.first, PM_UFFD_WP, 0);
}

static const struct range ALL = { 0, PAGES };

#define JUDGE(got, want, what)									\
	EXPECT_MSG((got) == (want), "tables in states %d %d %d, pages %zu to %zu: %zu are protected after %s, not %zu", \
		   state[0], state[1], state[2], r.first, r.end, (size_t)(got), what, (size_t)(want))

/* Protect the range, take it from its inside, and end the registration of all; counting after each. */
static void one_range(const struct backing *b, const enum state *state, struct range r, bool by_close)
{
	struct range inside = { r.first + 7, r.end - 9 };
	struct area a;

	area_open_aligned(&a, b, PAGES, HUGE);
	a.uffd = uffd_open(0);
	REQUIRE_EQ(uffd_register(a.uffd, a.map, a.size, UFFDIO_REGISTER_MODE_WP, NULL), 0);
	for (size_t i = 0; i < TABLES; i++)
		bring_table(&a, i, state[i]);
	REQUIRE_EQ(area_wp(&a, r.first, r.end - r.first), 0);
	JUDGE(wp_in(&a, r), r.end - r.first, "WP of it");
	JUDGE(wp_in(&a, ALL), wanted(state, r), "WP of all");
	EXPECT_TRAPS(&a, area_page(&a, r.end - 1));
	REQUIRE_EQ(area_unwp(&a, inside.first, inside.end - inside.first), 0);
	JUDGE(wp_in(&a, inside), 0, "un-WP");
	JUDGE(wp_in(&a, r), 7 + 8, "un-WP of the inside");
	REQUIRE_EQ(area_wp(&a, inside.first, inside.end - inside.first), 0);
	if (by_close)
		close(a.uffd);
	else
		REQUIRE_EQ(uffd_unregister(a.uffd, a.map, a.size), 0);
	JUDGE(wp_in(&a, ALL), 0, by_close ? "close" : "UNREGISTER");
	if (by_close)
		a.uffd = -1;
	area_close(&a);
}

static bool has_huge(const enum state *state)
{
	return state[0] == HUGE_ENTRY || state[1] == HUGE_ENTRY || state[2] == HUGE_ENTRY;
}

/* Every row of three states; the start and end of the range, and how it ends, in turn. */
static void all_states(const struct backing *b, int states)
{
	static const struct range where[] = {
		{ 5, PAGES - 3 }, { 0, PAGES - 3 }, { 5, PAGES }, { TABLE - 1, 2 * TABLE + 30 },
		{ 2 * TABLE + 3, PAGES - 5 },	/* behind tables that it does not change */
	};
	const int ranges = sizeof(where) / sizeof(*where);

	need_shmem_wp();
	for (int row = 0, n = states * states * states; row < n; row++) {
		enum state state[] = { row / states / states, row / states % states, row % states };
		int turn = state[0] + state[1] + state[2];	/* not in step with any of them */

		if (states > SMALL_STATES && !has_huge(state))
			continue;
		one_range(b, state, where[turn % ranges], (turn / ranges + row) % 2);
	}
}

static void small_tables(const struct backing *b)
{
	all_states(b, SMALL_STATES);
}
CASE_ON(BACKINGS_SMALL, "B23_tables", small_tables);

/* The rows with a huge entry in them. */
static void huge_entries(void)
{
	all_states(&thp_shmem, STATES);
}
CASE("B23_tables-huge", huge_entries);

/* Over the border of two middle directories, of which neither, one or both are there. */
static void directories(const struct backing *b)
{
	const size_t gb = (1UL << 30) / PAGE;

	need_shmem_wp();
	for (int there = 0; there < 4; there++) {
		struct area a;

		area_open_aligned(&a, b, 2 * gb, 1UL << 30);
		area_register(&a, 0, UFFDIO_REGISTER_MODE_WP);
		if (there & 1)
			touch_write(a.map, 1);
		if (there & 2)
			touch_write(area_page(&a, 2 * gb - 1), 1);
		REQUIRE_EQ(area_wp(&a, gb - TABLE - 5, 2 * TABLE + 11), 0);
		EXPECT_EQ(pm_count(area_page(&a, gb - TABLE - 5), 2 * TABLE + 11, PM_UFFD_WP, 0), 2 * TABLE + 11);
		EXPECT_EQ(pm_count(area_page(&a, gb - 4 * TABLE), 8 * TABLE, PM_UFFD_WP, 0), 2 * TABLE + 11);
		EXPECT_TRAPS(&a, area_page(&a, gb));
		REQUIRE_EQ(area_unwp(&a, gb - 1, 2), 0);
		REQUIRE_EQ(uffd_unregister(a.uffd, a.map, a.size), 0);
		EXPECT_EQ(pm_count(area_page(&a, gb - 4 * TABLE), 8 * TABLE, PM_UFFD_WP, 0), 0);
		area_close(&a);
	}
}
CASE_ON(BACKINGS_SMALL, "B23_tables-1G", directories);
