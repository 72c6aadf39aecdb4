// SPDX-License-Identifier: GPL-2.0
/*
 * Write protection of huge pages of hugetlbfs: mapped, not there yet, and behind tables that are not there.
 * Needs: REGISTER(WP) on hugetlbfs, huge pages.
 * A failure means: a write to a protected huge page is lost to the handler, or is reported where nothing is protected.
 */
#include "access.h"
#include "backing.h"
#include "hugetlb.h"
#include "ktap.h"
#include "pages.h"
#include "proc.h"
#include "trap.h"
#include "uffd.h"

static void registered(const struct backing *b)
{
	struct area a;
	__u64 ioctls = 0;

	area_open(&a, b, hugetlb_pages(b));
	need_hugetlb_wp(a.page);
	a.uffd = uffd_open(0);
	REQUIRE_EQ(uffd_register(a.uffd, a.map, a.size, UFFDIO_REGISTER_MODE_WP, &ioctls), 0);
	EXPECT(ioctls & (1 << _UFFDIO_WRITEPROTECT));
	EXPECT(!(ioctls & (1 << _UFFDIO_ZEROPAGE)));
	EXPECT_EQ(uffd_writeprotect(a.uffd, a.map, PAGE, UFFDIO_WRITEPROTECT_MODE_WP), -EINVAL);
	EXPECT_EQ(uffd_writeprotect(a.uffd, a.map + PAGE, a.page, UFFDIO_WRITEPROTECT_MODE_WP), -EINVAL);
	EXPECT_EQ(uffd_writeprotect(a.uffd, a.map, PAGE, 0), -EINVAL);
	EXPECT_PM(a.map, 0, PM_UFFD_WP);
	EXPECT_EQ(area_wp(&a, 0, a.pages), 0);
	if (!may_drop_wp())
		SETUP(!uffd_unregister(a.uffd, a.map, a.size));
	EXPECT_EQ(uffd_register(a.uffd, a.map, a.size, UFFDIO_REGISTER_MODE_MISSING, &ioctls), 0);
	EXPECT(!(ioctls & (1 << _UFFDIO_WRITEPROTECT)));
}
CASE_ON(BACKINGS_HUGETLB, "H01_register", registered);

static void present(const struct backing *b)
{
	struct area a;
	char *last;

	area_arm(&a, b, hugetlb_pages(b), 0);
	last = area_page(&a, a.pages - 1);
	populate(&a, 0, a.pages);
	REQUIRE_EQ(area_wp(&a, 0, a.pages), 0);
	for (size_t i = 0; i < a.pages; i++) {
		EXPECT_PM(area_page(&a, i), PM_UFFD_WP | PM_PRESENT, PM_SWAP);
		EXPECT_READS(&a, area_page(&a, i) + PAGE);
		EXPECT_EQ(touch_read(area_page(&a, i)), file_value(i));
	}
	/* Any byte of the page: the message has its beginning. */
	EXPECT_TRAPS(&a, a.map + a.page / 2 + 8);
	EXPECT_PM(a.map, PM_PRESENT, PM_UFFD_WP);
	EXPECT_NO_TRAP(&a, a.map);
	REQUIRE_EQ(area_wp(&a, a.pages - 1, 1), 0);
	EXPECT_TRAPS(&a, last + a.page - 8);
	EXPECT_NO_TRAP(&a, last);
}
CASE_ON(BACKINGS_HUGETLB, "H02_present", present);
CASE_ON(BACKINGS_HUGETLB_1G, "H17_1G-present", present);

/* What is not protected keeps its write permission when protection is lifted around it. */
static void others_keep_writing(const struct backing *b)
{
	struct area a;

	area_arm(&a, b, 4, 0);
	populate(&a, 0, 4);
	REQUIRE_EQ(area_wp(&a, 1, 1), 0);
	REQUIRE_EQ(area_unwp(&a, 0, 4), 0);
	EXPECT_EQ(faults_of_writing(a.map, 1), 0);
	EXPECT_EQ(faults_of_writing(area_page(&a, 2), 1), 0);
	EXPECT_NO_TRAP(&a, area_page(&a, 1));
}
CASE_ON(BACKINGS_HUGETLB, "H02_unwp-others", others_keep_writing);

static void none(const struct backing *b)
{
	struct area a;

	area_arm(&a, b, hugetlb_pages(b), 0);
	REQUIRE_EQ(area_wp(&a, 0, a.pages), 0);
	for (size_t i = 0; i < a.pages; i++)
		EXPECT_PM(area_page(&a, i), PM_UFFD_WP, PM_PRESENT | PM_SWAP);
	EXPECT_READS(&a, a.map);
	EXPECT_PM(a.map, PM_UFFD_WP | PM_PRESENT, 0);
	EXPECT_EQ(touch_read(a.map), 0);
	EXPECT_TRAPS(&a, a.map);
	/* The first access is a write. */
	if (a.pages > 1)
		EXPECT_TRAPS(&a, area_page(&a, 1) + PAGE);
}
CASE_ON(BACKINGS_HUGETLB, "H03_none", none);
CASE_ON(BACKINGS_HUGETLB_1G, "H17_1G-none", none);

static void lifted(const struct backing *b)
{
	struct area a;

	area_arm(&a, b, hugetlb_pages(b), 0);
	REQUIRE_EQ(area_wp(&a, 0, a.pages), 0);
	REQUIRE_EQ(area_unwp(&a, 0, a.pages), 0);
	for (size_t i = 0; i < a.pages; i++)
		EXPECT_PM(area_page(&a, i), 0, PM_UFFD_WP | PM_PRESENT | PM_SWAP);
	EXPECT_NO_TRAP(&a, a.map);
}
CASE_ON(BACKINGS_HUGETLB, "H03_none-lifted", lifted);
CASE_ON(BACKINGS_HUGETLB_1G, "H17_1G-none-lifted", lifted);

/* The file has the page, and this mapping has not touched it. */
static void in_file_only(const struct backing *b)
{
	struct area a;

	area_arm(&a, b, 2, 0);
	area_fill_file(&a, 0, 2);
	REQUIRE_EQ(area_wp(&a, 0, 2), 0);
	EXPECT_PM(a.map, PM_UFFD_WP, PM_PRESENT);
	EXPECT_EQ(touch_read(a.map), file_value(0));
	EXPECT_TRAPS(&a, a.map);
	EXPECT_TRAPS(&a, area_page(&a, 1));
}
CASE_ON(BACKINGS_HUGETLB, "H03_in-file", in_file_only);

#define SPARSE 1536UL	/* of 2 MB: three tables' worth */

/* Page tables that nobody has needed yet are made. */
static void sparse(const struct backing *b)
{
	struct area a;

	area_open_aligned(&a, b, SPARSE, GIANT);
	area_register(&a, 0, UFFDIO_REGISTER_MODE_WP);
	REQUIRE_EQ(area_wp(&a, 1, SPARSE - 2), 0);
	for (size_t i = 1; i < SPARSE - 1; i += 511)
		EXPECT_PM(area_page(&a, i), PM_UFFD_WP, PM_PRESENT);
	EXPECT_PM(a.map, 0, PM_UFFD_WP);
	EXPECT_PM(area_page(&a, SPARSE - 1), 0, PM_UFFD_WP);
	EXPECT_TRAPS(&a, area_page(&a, SPARSE - 2));
	EXPECT_NO_TRAP(&a, area_page(&a, SPARSE - 1));
}
CASE_ON(BACKINGS_HUGETLB, "H03_sparse", sparse);
