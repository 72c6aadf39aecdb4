// SPDX-License-Identifier: GPL-2.0
/*
 * What a child has of the protection of its parent's huge pages: nothing without EVENT_FORK, its own with it, and
 * that of no other pages.
 * Needs: REGISTER(WP) on hugetlbfs, huge pages.
 * Fails on a kernel that takes a marker for a page when it copies page tables (an oops), copies the bit, or gives a
 * child with an event protection or markers where its parent has none.
 */
#include "access.h"
#include "backing.h"
#include "ktap.h"
#include "pages.h"
#include "peer.h"
#include "proc.h"
#include "trap.h"

#define PLAIN 4		/* a page that is not protected */
#define HOLE 5		/* no page, and no marker */

/* How many of the pages, from the first on, are protected. */
static size_t protected_pages(const struct area *a)
{
	return hugetlb_pages(a->backing);
}

/* Two pages, two markers, PLAIN and HOLE. Of 1 GB it is one page, which the file has: there are two in all. */
static void arm(struct area *a, const struct backing *b, __u64 features)
{
	area_arm(a, b, b->hugetlb == GIANT ? 1 : HOLE + 1, features);
	if (b->hugetlb == GIANT) {
		area_fill_file(a, 0, 1);
		touch_read(a->map);
	} else {
		populate(a, 0, 2);
		populate(a, PLAIN, 1);
	}
	REQUIRE_EQ(area_wp(a, 0, protected_pages(a)), 0);
}

static uint64_t value_of(size_t page)
{
	return page < 2 || page == PLAIN ? file_value(page) : 0;
}

static void judge_parent(const struct area *a)
{
	for (size_t i = 0; i < protected_pages(a); i++) {
		EXPECT_PM(area_page(a, i), PM_UFFD_WP, PM_SWAP);
		EXPECT_TRAPS(a, area_page(a, i));
	}
	for (size_t i = protected_pages(a); i < a->pages; i++) {
		EXPECT_PM(area_page(a, i), 0, PM_UFFD_WP | PM_SWAP);
		EXPECT_NO_TRAP(a, area_page(a, i));
	}
}

static void noevent(const struct backing *b)
{
	struct peer child;
	struct area a;

	arm(&a, b, 0);
	peer_start(&child);
	for (size_t i = 0; i < a.pages; i++) {
		PEER_PM(&child, area_page(&a, i), 0, PM_UFFD_WP);
		EXPECT_EQ(peer_call(&child, peer_get, area_page(&a, i), 0), value_of(i));
		PEER_WRITES(&child, &a, area_page(&a, i));
	}
	EXPECT_EQ(peer_end(&child), 0);
	judge_parent(&a);
}
CASE_ON(BACKINGS_HUGETLB, "H07_fork-noevent", noevent);
CASE_ON(BACKINGS_HUGETLB_1G, "H17_1G-fork-noevent", noevent);

static void event(const struct backing *b)
{
	struct area a, seen;
	struct peer child;

	arm(&a, b, UFFD_FEATURE_EVENT_FORK);
	peer_start_event(&child, &a, &seen);
	if (a.pages > HOLE) {
		PEER_PM(&child, area_page(&a, PLAIN), PM_PRESENT, PM_UFFD_WP);
		PEER_PM(&child, area_page(&a, HOLE), 0, PM_PRESENT | PM_UFFD_WP);
	}
	for (size_t i = 0; i < protected_pages(&a); i++) {
		PEER_PM(&child, area_page(&a, i), PM_UFFD_WP, PM_SWAP);
		PEER_TRAPS(&child, &seen, area_page(&a, i));
		PEER_WRITES(&child, &seen, area_page(&a, i));
	}
	for (size_t i = protected_pages(&a); i < a.pages; i++) {
		EXPECT_EQ(peer_call(&child, peer_get, area_page(&a, i), 0), value_of(i));
		PEER_WRITES(&child, &seen, area_page(&a, i));
	}
	judge_parent(&a);
	EXPECT_EQ(peer_end(&child), 0);
}
CASE_ON(BACKINGS_HUGETLB, "H08_fork-event", event);
CASE_ON(((const struct backing *const []){ &hugetlb_1g_shared, NULL }), "H17_1G-fork-event", event);
