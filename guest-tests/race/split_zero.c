// SPDX-License-Identifier: GPL-2.0
/*
 * R19: the huge zero page is split by one thread, which changes the protection of its last page, while another
 * one changes that of all the others.
 * Needs: write protection of anonymous memory, which pagemap shows; CONFIG_TRANSPARENT_HUGEPAGE with use_zero_page.
 * Fails on a kernel whose page table is empty for a moment during the split: the ioctl that comes by then finds
 * nothing to do, and succeeds.
 */
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>

#include "access.h"
#include "backing.h"
#include "ktap.h"
#include "proc.h"
#include "uffd.h"

#define MANY 32UL		/* huge pages of an area: one that was split stays so */
#define TABLE (HUGE / PAGE)
#define STEPS 64		/* how many moments to begin at are tried */

struct round {
	const struct area *area;
	size_t first;		/* page */
	__u64 mode;		/* of both ioctls */
	int go;			/* 1: begin; 0: the splitter has ended */
	bool over;
};

static int change(const struct round *r, size_t page, size_t pages)
{
	return r->mode ? area_wp(r->area, r->first + page, pages) : area_unwp(r->area, r->first + page, pages);
}

static void *split(void *arg)
{
	struct round *r = arg;

	while (!__atomic_load_n(&r->over, __ATOMIC_ACQUIRE)) {
		if (!__atomic_load_n(&r->go, __ATOMIC_ACQUIRE))
			continue;
		EXPECT_EQ(change(r, TABLE - 1, 1), 0);
		__atomic_store_n(&r->go, 0, __ATOMIC_RELEASE);
	}
	return NULL;
}

/* Map the huge zero page, protected where that is to be lifted. */
static void map_zero(const struct round *r)
{
	char *map = area_page(r->area, r->first);

	touch_read(map);
	if (pm_count(map, TABLE, PM_PRESENT, 0) != TABLE)
		SKIP("a read of anonymous memory maps no huge zero page");
	if (!r->mode)
		REQUIRE_EQ(area_wp(r->area, r->first, TABLE), 0);
}

static void one_round(struct round *r, unsigned long spins)
{
	map_zero(r);
	__atomic_store_n(&r->go, 1, __ATOMIC_RELEASE);
	while (spins--)
		(void)__atomic_load_n(&r->go, __ATOMIC_ACQUIRE);
	REQUIRE_EQ(change(r, 0, TABLE - 1), 0);
	while (__atomic_load_n(&r->go, __ATOMIC_ACQUIRE))
		;
	REQUIRE_EQ(pm_count(area_page(r->area, r->first), TABLE, PM_UFFD_WP, 0), r->mode ? TABLE : 0);
}

/* A new area, and a round for each of its huge pages. */
static unsigned long rounds(struct round *r)
{
	struct area a;

	area_open_aligned(&a, &anon, MANY * TABLE, HUGE);
	if (madvise(a.map, a.size, MADV_HUGEPAGE))
		SKIP("CONFIG_TRANSPARENT_HUGEPAGE: MADV_HUGEPAGE: %s", strerror(errno));
	area_register(&a, 0, UFFDIO_REGISTER_MODE_WP);
	r->area = &a;
	for (r->first = 0; r->first < a.pages; r->first += TABLE)
		one_round(r, r->first / TABLE * (STEPS / MANY));
	area_close(&a);
	return MANY;
}

/* Before 5.14 a kernel protects anonymous memory, and pagemap does not tell. */
static void need_pagemap(void)
{
	struct area a;

	area_arm(&a, &anon, 1, 0);
	touch_write(a.map, 1);
	REQUIRE_EQ(area_wp(&a, 0, 1), 0);
	if (!(pm(a.map) & PM_UFFD_WP))
		SKIP("/proc/PID/pagemap does not tell what is protected");
	area_close(&a);
}

static void both(__u64 mode)
{
	double end = ktap_now() + ktap_budget();
	struct round r = { .mode = mode };
	unsigned long done = 0;
	pthread_t thread;

	backing_need_wp(&anon);
	need_pagemap();
	SETUP(pthread_create(&thread, NULL, split, &r) == 0);
	do
		done += rounds(&r);
	while (ktap_now() < end);
	__atomic_store_n(&r.over, true, __ATOMIC_RELEASE);
	pthread_join(thread, NULL);
	ktap_diag("%lu rounds", done);
}

static void protect(void)
{
	both(UFFDIO_WRITEPROTECT_MODE_WP);
}
CASE_BUDGET("R19_split-zero-protect", protect);

static void lift(void)
{
	both(0);
}
CASE_BUDGET("R19_split-zero-lift", lift);
