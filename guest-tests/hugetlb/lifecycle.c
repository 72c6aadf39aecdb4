// SPDX-License-Identifier: GPL-2.0
/*
 * The end of a registration of huge pages: nothing stays of the protection, and whoever waited for it goes on.
 * Needs: REGISTER(WP) on hugetlbfs, huge pages.
 * Fails on a kernel that leaves bits or markers behind (mainline before 6.0, by close() before 6.9).
 */
#include <unistd.h>

#include "access.h"
#include "backing.h"
#include "ktap.h"
#include "pages.h"
#include "proc.h"
#include "trap.h"
#include "uffd.h"

#define PAGES 4

static void by_unregister(struct area *a)
{
	REQUIRE_EQ(uffd_unregister(a->uffd, a->map, a->size), 0);
}

static void by_close(struct area *a)
{
	close(a->uffd);
	a->uffd = uffd_open(0);
}

static void by_register(struct area *a)
{
	REQUIRE_EQ(uffd_register(a->uffd, a->map, a->size, UFFDIO_REGISTER_MODE_MISSING, NULL), 0);
}

static void ends(const struct backing *b, void (*end)(struct area *a))
{
	struct trap t;
	struct area a;

	area_arm(&a, b, hugetlb_pages(b), 0);
	populate(&a, 0, (a.pages + 1) / 2);
	REQUIRE_EQ(area_wp(&a, 0, a.pages), 0);
	REQUIRE(trap_begin(&a, a.map, &t));
	end(&a);
	EXPECT(trap_released(&a, &t));
	EXPECT_EQ(area_count(&a, PM_UFFD_WP, 0), 0);
	REQUIRE_EQ(uffd_register(a.uffd, a.map, a.size, UFFDIO_REGISTER_MODE_WP, NULL), 0);
	for (size_t i = 0; i < a.pages; i++)
		EXPECT_NO_TRAP(&a, area_page(&a, i));
}

static void unregistered(const struct backing *b)
{
	ends(b, by_unregister);
}
CASE_ON(BACKINGS_HUGETLB, "H13_unreg-close-unregister", unregistered);
CASE_ON(BACKINGS_HUGETLB_1G, "H17_1G-ends-unregister", unregistered);

static void closed(const struct backing *b)
{
	ends(b, by_close);
}
CASE_ON(BACKINGS_HUGETLB, "H13_unreg-close-close", closed);
CASE_ON(BACKINGS_HUGETLB_1G, "H17_1G-ends-close", closed);

static void dropped(const struct backing *b)
{
	need_drop_wp();
	ends(b, by_register);
}
CASE_ON(BACKINGS_HUGETLB, "H13_unreg-close-register", dropped);
CASE_ON(BACKINGS_HUGETLB_1G, "H17_1G-ends-register", dropped);

/* A part of the range: the rest stays protected. */
static void in_part(const struct backing *b)
{
	struct area a;

	area_arm(&a, b, PAGES, 0);
	populate(&a, 0, PAGES / 2);
	REQUIRE_EQ(area_wp(&a, 0, PAGES), 0);
	EXPECT_EQ(uffd_unregister(a.uffd, a.map, PAGE), -EINVAL);
	REQUIRE_EQ(uffd_unregister(a.uffd, area_page(&a, 1), 2 * a.page), 0);
	EXPECT_PM(area_page(&a, 1), 0, PM_UFFD_WP);
	EXPECT_PM(area_page(&a, 2), 0, PM_UFFD_WP);
	EXPECT_NO_TRAP(&a, area_page(&a, 1));
	EXPECT_NO_TRAP(&a, area_page(&a, 2));
	EXPECT_TRAPS(&a, a.map);
	EXPECT_TRAPS(&a, area_page(&a, 3));
}
CASE_ON(BACKINGS_HUGETLB, "H13_unreg-part", in_part);

/* No page that was never protected pays with a fault for the end of the registration. */
static void unprotected_keep_writing(const struct backing *b)
{
	struct area a;

	area_arm(&a, b, PAGES, 0);
	populate(&a, 0, PAGES);
	by_unregister(&a);
	EXPECT_EQ(faults_of_writing(a.map, a.size / PAGE), 0);
}
CASE_ON(BACKINGS_HUGETLB, "H13_unreg-faults", unprotected_keep_writing);
