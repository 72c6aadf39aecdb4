// SPDX-License-Identifier: GPL-2.0
/*
 * A shared huge page stays one page: a write that was held back, or that comes after the protection is lifted, goes
 * to the page that all others map.
 * Needs: REGISTER(WP) on hugetlbfs, huge pages.
 * Fails on a kernel that copies a shared page on a write to a read-only pte (mainline before 6.0).
 */
#include "access.h"
#include "backing.h"
#include "hugetlb.h"
#include "ktap.h"
#include "pages.h"
#include "proc.h"
#include "trap.h"
#include "uffd.h"

static void writes_are_seen(struct area *a, const char *other)
{
	long before = hugetlb_free(a->page);
	uint64_t value = fresh_value();

	touch_write(a->map, value);
	EXPECT_EQ(touch_read(other), value);
	EXPECT_EQ(alias_get(a, a->map), value);
	EXPECT_EQ(hugetlb_free(a->page), before);
}

static void no_cow(const struct backing *b)
{
	struct area a;
	char *other;

	area_arm(&a, b, hugetlb_pages(b), 0);
	populate(&a, 0, a.pages);
	other = area_map_again(&a);
	touch_read(other);
	REQUIRE_EQ(area_wp(&a, 0, a.pages), 0);
	EXPECT_TRAPS(&a, a.map);
	writes_are_seen(&a, other);
	REQUIRE_EQ(area_wp(&a, 0, a.pages), 0);
	REQUIRE_EQ(area_unwp(&a, 0, a.pages), 0);
	writes_are_seen(&a, other);
	SETUP(!mprotect(a.map, a.size, PROT_READ));
	SETUP(!mprotect(a.map, a.size, PROT_READ | PROT_WRITE));
	writes_are_seen(&a, other);
	REQUIRE_EQ(area_wp(&a, 0, a.pages), 0);
	REQUIRE_EQ(uffd_unregister(a.uffd, a.map, a.size), 0);
	writes_are_seen(&a, other);
}
CASE_ON(((const struct backing *const []){ &hugetlb_shared, NULL }), "H04_shared-no-cow", no_cow);
CASE_ON(((const struct backing *const []){ &hugetlb_1g_shared, NULL }), "H17_1G-shared-no-cow", no_cow);

/* What others write is seen, and is not reported. */
static void others_write(const struct backing *b)
{
	struct area a;
	char *other;

	area_arm(&a, b, 2, 0);
	populate(&a, 0, 2);
	other = area_map_again(&a);
	REQUIRE_EQ(area_wp(&a, 0, 2), 0);
	touch_write(other, 1);
	EXPECT_EQ(touch_read(a.map), b->shared ? 1 : file_value(0));
	EXPECT_TRAPS(&a, a.map);
	EXPECT_TRAPS(&a, area_page(&a, 1));
}
CASE_ON(BACKINGS_HUGETLB, "H04_others-write", others_write);

/* mprotect() gives no write permission back, whichever way it goes. */
static void mprotected(const struct backing *b)
{
	struct area a;

	area_arm(&a, b, 3, 0);
	populate(&a, 0, 2);
	REQUIRE_EQ(area_wp(&a, 0, 3), 0);
	SETUP(!mprotect(a.map, a.size, PROT_NONE));
	SETUP(!mprotect(a.map, a.size, PROT_READ));
	SETUP(!mprotect(a.map, a.size, PROT_READ | PROT_WRITE));
	EXPECT_EQ(area_count(&a, PM_UFFD_WP, 0), a.pages);
	for (size_t i = 0; i < 3; i++)
		EXPECT_TRAPS(&a, area_page(&a, i));
}
CASE_ON(BACKINGS_HUGETLB, "H04_mprotect", mprotected);
