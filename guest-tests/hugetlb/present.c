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
	const size_t part = b->hugetlb == GIANT ? HUGE : PAGE;	/* a page of another size */
	struct area a;
	__u64 ioctls = 0;

	area_open(&a, b, hugetlb_pages(b));
	need_hugetlb_wp(a.page);
	a.uffd = uffd_open(0);
	REQUIRE_EQ(uffd_register(a.uffd, a.map, a.size, UFFDIO_REGISTER_MODE_WP, &ioctls), 0);
	EXPECT(ioctls & (1 << _UFFDIO_WRITEPROTECT));
	EXPECT(!(ioctls & (1 << _UFFDIO_ZEROPAGE)));
	EXPECT_EQ(uffd_writeprotect(a.uffd, a.map, part, UFFDIO_WRITEPROTECT_MODE_WP), -EINVAL);
	EXPECT_EQ(uffd_writeprotect(a.uffd, a.map + part, a.page - part, UFFDIO_WRITEPROTECT_MODE_WP), -EINVAL);
	EXPECT_EQ(uffd_writeprotect(a.uffd, a.map, part, 0), -EINVAL);
	EXPECT_PM(a.map, 0, PM_UFFD_WP);
	EXPECT_EQ(area_wp(&a, 0, a.pages), 0);
	if (!may_drop_wp())
		SETUP(!uffd_unregister(a.uffd, a.map, a.size));
	EXPECT_EQ(uffd_register(a.uffd, a.map, a.size, UFFDIO_REGISTER_MODE_MISSING, &ioctls), 0);
	EXPECT(!(ioctls & (1 << _UFFDIO_WRITEPROTECT)));
}
CASE_ON(BACKINGS_HUGETLB, "H01_register", registered);
CASE_ON(BACKINGS_HUGETLB_1G, "H17_1G-register", registered);

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

#define TABLE (GIANT / HUGE)
#define SPARSE (3 * TABLE)

/* A range, and the tables that are there before, by a page in their middle: one bit for each. */
struct sparse {
	size_t first, pages;
	int there;
};

/* Those from @first to @end are protected, and no others: beside the borders of the range and of the tables. */
static void judge(const struct area *a, const struct sparse *s, size_t first, size_t end)
{
	const size_t borders[] = { s->first, TABLE, 2 * TABLE, s->first + s->pages };

	for (size_t i = 0; i < sizeof(borders) / sizeof(*borders); i++) {
		for (size_t at = borders[i] - !!borders[i]; at <= borders[i] && at < SPARSE; at++) {
			bool protected = pm(area_page(a, at)) & PM_UFFD_WP;

			EXPECT_MSG(protected == (at >= first && at < end),
				   "tables %d, %zu pages from %zu: page %zu is%s protected when %zu to %zu are to be",
				   s->there, s->pages, s->first, at, protected ? "" : " not", first, end);
		}
	}
}

static void one_sparse(const struct backing *b, const struct sparse *s)
{
	size_t end = s->first + s->pages;
	struct area a;

	area_open_aligned(&a, b, SPARSE, GIANT);
	area_register(&a, 0, UFFDIO_REGISTER_MODE_WP);
	for (size_t i = 0; i < SPARSE / TABLE; i++)
		if (s->there & 1 << i)
			touch_write(area_page(&a, i * TABLE + TABLE / 2), 1);
	REQUIRE_EQ(area_wp(&a, s->first, s->pages), 0);
	judge(&a, s, s->first, end);
	EXPECT_TRAPS(&a, area_page(&a, end - 1));
	if (end < SPARSE)
		EXPECT_NO_TRAP(&a, area_page(&a, end));
	REQUIRE_EQ(area_unwp(&a, s->first + 1, s->pages - 1), 0);
	judge(&a, s, s->first, s->first + 1);
	REQUIRE_EQ(uffd_unregister(a.uffd, a.map, a.size), 0);
	judge(&a, s, 0, 0);
	area_close(&a);
}

/* Page tables that nobody has needed yet are made, wherever in a table the range begins and ends. */
static void sparse(const struct backing *b)
{
	static const struct sparse ranges[] = {
		{ 1, SPARSE - 2, 0 },
		{ TABLE - 1, TABLE + 7, 0 },
		{ TABLE - 2, 3, 0 },		/* one page of the last table */
		{ TABLE - 2, TABLE + 3, 2 },
		{ TABLE - 1, TABLE + 1, 5 },
		{ 0, 2 * TABLE + 1, 3 },
	};

	for (size_t i = 0; i < sizeof(ranges) / sizeof(*ranges); i++)
		one_sparse(b, &ranges[i]);
}
CASE_ON(BACKINGS_HUGETLB, "H03_sparse", sparse);
