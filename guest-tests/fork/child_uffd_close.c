// SPDX-License-Identifier: GPL-2.0
/*
 * Closing the userfaultfd of a forked child ends the child's protection: its blocked writer
 * goes on, its bits and markers are gone; the parent's stay.
 * Needs: REGISTER(WP) on shmem, UFFD_FEATURE_EVENT_FORK.
 * Fails on a kernel that leaves bits behind at close (mainline before 6.9), or clears the wrong mm's.
 */
#include <unistd.h>

#include "access.h"
#include "backing.h"
#include "ktap.h"
#include "peer.h"
#include "trap.h"
#include "uffd.h"

#define PAGES 4

static void child_uffd_close(const struct backing *b)
{
	struct area a, seen;
	struct uffd_msg msg;
	struct peer child;
	uint64_t value = fresh_value();

	area_arm(&a, b, PAGES, UFFD_FEATURE_EVENT_FORK);
	area_fill_file(&a, 0, PAGES);
	touch_read_all(&a, 0, PAGES / 2);
	REQUIRE_EQ(area_wp(&a, 0, PAGES), 0);
	peer_start_event(&child, &a, &seen);
	peer_post(&child, peer_write, a.map, value);
	uffd_wait(seen.uffd, &msg);
	EXPECT_EQ(msg.arg.pagefault.address, (uintptr_t)a.map);
	EXPECT(peer_asleep(&child));
	close(seen.uffd);
	EXPECT_EQ(peer_result(&child), COMPLETED);
	EXPECT_EQ(peer_call(&child, peer_get, a.map, 0), value);
	seen.uffd = -1;
	for (int i = 0; i < PAGES; i++) {
		PEER_PM(&child, area_page(&a, i), 0, PM_UFFD_WP | PM_SWAP);
		PEER_WRITES(&child, &seen, area_page(&a, i));
	}
	EXPECT_EQ(peer_end(&child), 0);
	for (int i = 0; i < PAGES; i++)
		EXPECT_TRAPS(&a, area_page(&a, i));
}
CASE_ON(BACKINGS_SMALL, "F07_child-uffd-close", child_uffd_close);
