// SPDX-License-Identifier: GPL-2.0
/*
 * A child forked without EVENT_FORK is not watched: it inherits no protection and no marker,
 * and its accesses complete. The parent stays protected.
 * Needs: REGISTER(WP) on shmem.
 * Fails on a kernel that copies markers or the uffd-wp bit into a mapping without
 * userfaultfd (mainline before 6.2: copy_nonpresent_pte), or drops the parent's.
 */
#include <sys/wait.h>

#include "access.h"
#include "backing.h"
#include "ktap.h"
#include "peer.h"
#include "proc.h"
#include "trap.h"

#define PAGES 4

/* The child owns nothing of the protection; the parent all of it. */
static void judge_child(const struct area *a, bool none)
{
	struct peer child;

	peer_start(&child);
	for (int i = 0; i < PAGES; i++)
		PEER_PM(&child, area_page(a, i), 0, PM_UFFD_WP | PM_SWAP | (none ? PM_PRESENT : 0));
	for (int i = 0; i < PAGES; i++) {
		EXPECT_EQ(peer_call(&child, peer_get, area_page(a, i), 0), file_value(i));
		PEER_WRITES(&child, a, area_page(a, i));
	}
	EXPECT_EQ(peer_end(&child), 0);
	EXPECT_EQ(pm_count(a->map, PAGES, PM_UFFD_WP, 0), PAGES);
	for (int i = 0; i < PAGES; i++)
		EXPECT_TRAPS(a, area_page(a, i));
}

static void present(const struct backing *b)
{
	struct area a;

	area_arm(&a, b, PAGES, 0);
	touch_write_all(&a, 0, PAGES);
	REQUIRE_EQ(area_wp(&a, 0, PAGES), 0);
	judge_child(&a, false);
}
CASE_ON(BACKINGS_SMALL, "F01_noevent-present", present);

/* Half of the markers made by WP of unpopulated pages, half by zapping protected ones. */
static void make_markers(struct area *a)
{
	area_fill_file(a, 0, PAGES);
	touch_read_all(a, 0, PAGES / 2);
	REQUIRE_EQ(area_wp(a, 0, PAGES), 0);
	SETUP(!madvise(a->map, PAGES / 2 * PAGE, MADV_DONTNEED));
	REQUIRE_EQ(pm_count(a->map, PAGES, PM_UFFD_WP, PM_PRESENT), PAGES);
}

static void marker_shared(const struct backing *b)
{
	struct area a;

	area_arm(&a, b, PAGES, 0);
	make_markers(&a);
	judge_child(&a, true);
}
CASE_ON(BACKINGS_SHARED_SMALL, "F02_noevent-marker-shared", marker_shared);

/* A COWed page gives the mapping an anon_vma: fork copies such page tables in any case. */
static void marker_private(void)
{
	struct area a;

	area_arm(&a, &memfd_private, PAGES + 1, 0);
	touch_write(area_page(&a, PAGES), file_value(PAGES));
	make_markers(&a);
	judge_child(&a, true);
}
CASE("F03_noevent-marker-private", marker_private);
