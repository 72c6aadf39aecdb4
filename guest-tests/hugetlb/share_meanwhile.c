// SPDX-License-Identifier: GPL-2.0
/*
 * One process registers, protects and unregisters a whole GB of a file, over and over, while another one that is not
 * registered maps the same GB anew and shares its page table where it may, and the file is punched: each has its own
 * state at every moment, and neither stops the other.
 * Needs: REGISTER(WP) on hugetlbfs, huge pages; newer kernels HUGETLB_PMD_PAGE_TABLE_SHARING.
 * Fails on a kernel that lets a page table be shared while there is protection in it, or protects a table that is not
 * its own.
 */
#include <fcntl.h>
#include <sched.h>

#include "access.h"
#include "backing.h"
#include "ktap.h"
#include "loop.h"
#include "peer.h"
#include "proc.h"
#include "share.h"
#include "uffd.h"

#define PAGES (GIANT / HUGE)
#define USED 4		/* pages that are touched */
#define SMALL (USED * HUGE / PAGE)

/* Map the range anew, so that a table is looked for, and touch what is there. Returns entries with the bit. */
static size_t map_anew(const struct area *a)
{
	SETUP(mmap(a->map, a->size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE | MAP_FIXED, a->fd, 0) == a->map);
	touch_read(a->map);
	touch_write(area_page(a, 1), file_value(1));
	return pm_count(a->map, SMALL, PM_UFFD_WP, 0);
}

static uint64_t map_for_a_while(void *area, uint64_t times)
{
	uint64_t seen = 0;

	while (times--)
		seen += map_anew(area);
	return seen;
}

static void punch(void *area)
{
	const struct area *a = area;

	SETUP(!fallocate(a->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 2 * (off_t)HUGE, (off_t)HUGE));
	touch_read(area_page(a, 2));
	sched_yield();
}

/* Returns how many of the addresses were not protected after WRITEPROTECT, or still were after the end of it. */
static size_t one_round(const struct area *a, unsigned int round)
{
	size_t wrong;

	REQUIRE_EQ(uffd_register(a->uffd, a->map, a->size, UFFDIO_REGISTER_MODE_WP, NULL), 0);
	REQUIRE_EQ(uffd_writeprotect(a->uffd, a->map, a->size, UFFDIO_WRITEPROTECT_MODE_WP), 0);
	wrong = pm_count(a->map, SMALL, 0, PM_UFFD_WP);
	touch_read(a->map);
	wrong += pm_count(a->map, SMALL, 0, PM_UFFD_WP);
	if (round % 2 && may_drop_wp())
		REQUIRE_EQ(uffd_register(a->uffd, a->map, a->size, UFFDIO_REGISTER_MODE_MISSING, NULL), 0);
	REQUIRE_EQ(uffd_unregister(a->uffd, a->map, a->size), 0);
	return wrong + pm_count(a->map, SMALL, PM_UFFD_WP, 0);
}

static void shared_meanwhile(void)
{
	double end = ktap_now() + ktap_budget();
	size_t wrong = 0, seen = 0;
	struct looper puncher;
	unsigned int rounds = 0;
	struct peer other;
	struct area a;

	area_open_aligned(&a, &hugetlb_shared, PAGES, GIANT);
	need_hugetlb_wp(a.page);
	a.uffd = uffd_open(0);
	touch_write(a.map, file_value(0));
	peer_start(&other);
	need_shared(&a, &other, 0);
	touch_write_all(&a, 0, USED);
	loop_start(&puncher, punch, &a);
	do {
		peer_post(&other, map_for_a_while, &a, 50);
		do
			wrong += one_round(&a, rounds++);
		while (!peer_answered(&other));
		seen += peer_result(&other);
	} while (ktap_now() < end);
	loop_end(&puncher);
	ktap_diag("%u rounds, %zu entries wrong here, %zu in the other process", rounds, wrong, seen);
	EXPECT_EQ(wrong, 0);
	EXPECT_EQ(seen, 0);
	EXPECT_EQ(peer_end(&other), 0);
}
CASE_BUDGET("H22_share-meanwhile", shared_meanwhile);
