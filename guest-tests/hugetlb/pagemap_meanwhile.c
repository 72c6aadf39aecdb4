// SPDX-License-Identifier: GPL-2.0
/*
 * One process reads its pagemap of a GB of huge pages, not registered, while another one shares its page table and goes
 * again, and holes are punched: a table that is shared may be taken away while somebody looks at it.
 * Needs: REGISTER(WP) on hugetlbfs, huge pages; newer kernels HUGETLB_PMD_PAGE_TABLE_SHARING.
 * Fails, with a splat, on a kernel that takes the lock of a page table that may be gone. The moment is short: on a
 * kernel that does so this test mostly passes.
 */
#include <fcntl.h>

#include "access.h"
#include "backing.h"
#include "hugetlb.h"
#include "ktap.h"
#include "loop.h"
#include "peer.h"
#include "proc.h"
#include "share.h"
#include "uffd.h"

#define PAGES (GIANT / HUGE)

static uint64_t map_for_a_while(void *area, uint64_t times)
{
	const struct area *a = area;

	while (times--) {
		SETUP(mmap(a->map, a->size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE | MAP_FIXED, a->fd, 0)
		      == a->map);
		touch_read(a->map);
	}
	return 0;
}

/* All mappings of it give up a shared table for that. */
static void punch(void *area)
{
	const struct area *a = area;

	SETUP(!fallocate(a->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, HUGE, HUGE));
	touch_read(area_page(a, 1));
}

static void read_meanwhile(void)
{
	double end = ktap_now() + ktap_budget();
	struct looper puncher;
	unsigned int reads = 0;
	struct peer other;
	struct area a;

	need_hugetlb_wp(HUGE);	/* before, nothing in a huge page's entry was of interest */
	area_open_aligned(&a, &hugetlb_shared, PAGES, GIANT);
	touch_write(a.map, file_value(0));
	peer_start(&other);
	need_shared(&a, &other, 0);
	loop_start(&puncher, punch, &a);
	do {
		peer_post(&other, map_for_a_while, &a, 20);
		do {
			touch_read(a.map);
			EXPECT_EQ(pm_count(a.map, 4 * HUGE / PAGE, PM_UFFD_WP, 0), 0);
			reads++;
		} while (!peer_answered(&other));
		EXPECT_EQ(peer_result(&other), 0);
	} while (ktap_now() < end);
	loop_end(&puncher);
	ktap_diag("pagemap was read %u times", reads);
	EXPECT_EQ(touch_read(a.map), file_value(0));
	EXPECT_EQ(peer_end(&other), 0);
}
CASE_BUDGET("H27_pagemap-meanwhile", read_meanwhile);
