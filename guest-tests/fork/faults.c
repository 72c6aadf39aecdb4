// SPDX-License-Identifier: GPL-2.0
/*
 * A child that is not watched does not pay for the protection of its parent: pages that it has read cost
 * no second fault when it writes them.
 * Needs: REGISTER(WP) on shmem.
 * Fails on a kernel that leaves the child's mapping with the default protection of a watched one.
 */
#include "access.h"
#include "backing.h"
#include "ktap.h"
#include "peer.h"
#include "proc.h"

#define PAGES 64

/* Map pages by reading them; the faults that writing to them takes then. */
static uint64_t faults_of_writes(void *addr, uint64_t pages)
{
	for (size_t i = 0; i < pages; i++)
		touch_read((char *)addr + i * PAGE);
	return faults_of_writing(addr, pages);
}

static void in_child(const struct backing *b)
{
	struct peer child;
	struct area a;
	long n;

	area_arm(&a, b, PAGES, 0);
	area_fill_file(&a, 0, PAGES);
	REQUIRE_EQ(area_wp(&a, 0, PAGES / 2), 0);
	peer_start(&child);
	n = peer_call(&child, faults_of_writes, a.map, PAGES);
	EXPECT_MSG(n < PAGES / 4, "%ld faults of a child that writes to %d pages that it has read", n, PAGES);
	EXPECT_EQ(peer_end(&child), 0);
	EXPECT_EQ(pm_count(a.map, PAGES, PM_UFFD_WP, 0), PAGES / 2);
}
CASE_ON(BACKINGS_SHARED_SMALL, "F01_noevent-faults", in_child);
