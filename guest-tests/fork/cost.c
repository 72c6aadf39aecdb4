// SPDX-License-Identifier: GPL-2.0
/*
 * fork does not copy the page tables of shared shmem that no userfaultfd of the child protects.
 * Needs: nothing.
 * Fails on a kernel that makes every fork pay for write protection.
 */
#include "ktap.h"
#include "peer.h"

#define SIZE (1UL << 30)

static void cost(const struct backing *b)
{
	long empty, parent, child;
	struct peer before, after;
	struct area a;

	area_open_aligned(&a, b, SIZE / PAGE, HUGE);
	peer_start(&before);
	empty = (long)peer_call(&before, peer_status_kb, "VmPTE", 0);
	for (size_t at = 0; at < SIZE; at += HUGE)
		touch_write(a.map + at, at);
	parent = status_kb("VmPTE");
	SETUP_MSG(parent >= empty + 2000, "page tables of 1 GB: VmPTE only went from %ld to %ld kB", empty, parent);
	peer_start(&after);
	child = (long)peer_call(&after, peer_status_kb, "VmPTE", 0);
	EXPECT_MSG(child <= empty + 64, "VmPTE of the child is %ld kB, without the area %ld kB", child, empty);
	EXPECT_EQ(peer_call(&after, peer_get, a.map + HUGE, 0), HUGE);
	EXPECT_EQ(peer_end(&before), 0);
	EXPECT_EQ(peer_end(&after), 0);
}
CASE_ON(((const struct backing *const []){ &memfd_shared, &anon_shared, NULL }), "F09_cost", cost);
