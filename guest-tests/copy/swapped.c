// SPDX-License-Identifier: GPL-2.0
/*
 * UFFDIO_COPY, with and without MODE_WP, and UFFDIO_ZEROPAGE over a page that is in swap: it is not missing, so they
 * say EEXIST, protected or not; the data, the protection and the slot stay.
 * Needs: REGISTER(MISSING|WP), for memfd-private on shmem; CONFIG_SWAP and a swap device.
 * Fails on a kernel that takes the entry of swap for a hole, or for a marker if it is protected.
 */
#include <errno.h>

#include "access.h"
#include "backing.h"
#include "force.h"
#include "ktap.h"
#include "proc.h"
#include "trap.h"
#include "uffd.h"

#define PAGES 16

static uint64_t content[PAGE / 8] __attribute__((aligned(PAGE))) = { 0xC0FFEE };

static int copy(const struct area *a, size_t page)
{
	return uffd_copy(a->uffd, area_page(a, page), content, PAGE, 0, NULL);
}

static int copy_wp(const struct area *a, size_t page)
{
	return uffd_copy(a->uffd, area_page(a, page), content, PAGE, UFFDIO_COPY_MODE_WP, NULL);
}

static int zeropage(const struct area *a, size_t page)
{
	return uffd_zeropage(a->uffd, area_page(a, page), PAGE, 0);
}

static int (*const fills[])(const struct area *a, size_t page) = { copy, copy_wp, zeropage };

static void swapped(const struct backing *b)
{
	struct area a;

	area_open(&a, b, PAGES);
	area_register(&a, 0, UFFDIO_REGISTER_MODE_MISSING | UFFDIO_REGISTER_MODE_WP);
	need_swap();
	for (size_t i = 0; i < PAGES; i++)
		REQUIRE_EQ(copy(&a, i), 0);
	touch_write_all(&a, 0, PAGES);
	REQUIRE_EQ(area_wp(&a, 0, PAGES / 2), 0);
	for (size_t fill = 0; fill < sizeof(fills) / sizeof(*fills); fill++) {
		swap_out(&a, 0, PAGES);
		SETUP(pm_count(a.map, PAGES, PM_SWAP, PM_PRESENT) == PAGES);
		for (size_t i = 0; i < PAGES; i++)
			EXPECT_EQ(fills[fill](&a, i), -EEXIST);
		EXPECT_EQ(pm_count(a.map, PAGES, PM_SWAP, PM_PRESENT), PAGES);
		EXPECT_EQ(pm_count(a.map, PAGES / 2, PM_UFFD_WP, 0), PAGES / 2);
		EXPECT_EQ(pm_count(a.map, PAGES, PM_UFFD_WP, 0), PAGES / 2);
		for (size_t i = 0; i < PAGES; i++)
			EXPECT_EQ(touch_read(area_page(&a, i)), file_value(i));
		EXPECT_EQ(pm_count(a.map, PAGES, PM_UFFD_WP, 0), PAGES / 2);
	}
	for (size_t i = 0; i < PAGES / 2; i++)
		EXPECT_TRAPS(&a, area_page(&a, i));
	EXPECT_NO_TRAP(&a, area_page(&a, PAGES / 2));
}
static const struct backing *const ANONYMOUS_PAGES[] = { &memfd_private, &anon, NULL };
CASE_ON(ANONYMOUS_PAGES, "C14_eexist-swapped", swapped);
