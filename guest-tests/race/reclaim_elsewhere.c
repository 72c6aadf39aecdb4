// SPDX-License-Identifier: GPL-2.0
/*
 * R10: REGISTER, WP and UNREGISTER over and over, while another process that maps the same file has
 * it reclaimed. Between WP and UNREGISTER every page is protected; after UNREGISTER none is.
 * Needs: REGISTER(WP) on shmem, a swap device.
 * Fails on a kernel that converts a page in a mapping that is just being unregistered.
 */
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "access.h"
#include "backing.h"
#include "force.h"
#include "ktap.h"
#include "peer.h"
#include "proc.h"
#include "trap.h"
#include "uffd.h"

#define PAGES 64

/* Until it is killed. */
static uint64_t reclaim_for_ever(void *addr, uint64_t unused)
{
	(void)unused;
	for (;;) {
		for (size_t i = 0; i < PAGES; i++)
			touch_read((char *)addr + i * PAGE);
		for (size_t i = 0; i < PAGES; i++)
			madvise((char *)addr + i * PAGE, PAGE, MADV_PAGEOUT);
	}
	return 0;
}

static void one_round(struct area *a, long round)
{
	REQUIRE_EQ(uffd_register(a->uffd, a->map, a->size, UFFDIO_REGISTER_MODE_WP, NULL), 0);
	REQUIRE_EQ(area_wp(a, 0, PAGES), 0);
	REQUIRE_EQ(pm_count(a->map, PAGES, PM_UFFD_WP, 0), PAGES);
	touch_read_all(a, round % PAGES / 2, PAGES / 4);
	if (round % 4 == 0)
		madvise(a->map, a->size, MADV_DONTNEED);
	REQUIRE_EQ(pm_count(a->map, PAGES, PM_UFFD_WP, 0), PAGES);
	if (round % 8 == 0)
		EXPECT_TRAPS(a, area_page(a, round / 8 % PAGES));
	REQUIRE_EQ(uffd_unregister(a->uffd, a->map, a->size), 0);
	REQUIRE_EQ(pm_count(a->map, PAGES, PM_UFFD_WP, 0), 0);
	touch_write(area_page(a, round % PAGES), round);
	REQUIRE_EQ(touch_read(area_page(a, round % PAGES)), round);
}

static void reclaim_elsewhere(void)
{
	long swapped, round = 0;
	struct peer other;
	struct area a;
	double end;

	need_swap();
	area_arm(&a, &memfd_shared, PAGES, 0);
	touch_write_all(&a, 0, PAGES);
	REQUIRE_EQ(uffd_unregister(a.uffd, a.map, a.size), 0);
	swapped = vmstat("pswpout");
	peer_start(&other);
	peer_post(&other, reclaim_for_ever, a.alias, 0);
	end = ktap_now() + ktap_budget();
	while (ktap_now() < end || (vmstat("pswpout") == swapped && ktap_now() < end + 10))
		one_round(&a, round++);
	EXPECT(!peer_answered(&other));
	peer_kill(&other);
	SETUP_MSG(vmstat("pswpout") > swapped, "nothing went to swap");
	ktap_diag("%ld rounds, %ld pages went to swap", round, vmstat("pswpout") - swapped);
}
CASE_BUDGET("R10_reg-vs-reclaim", reclaim_elsewhere);
