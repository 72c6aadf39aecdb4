// SPDX-License-Identifier: GPL-2.0
/*
 * UFFDIO_COPY and UFFDIO_ZEROPAGE into mappings in MISSING and write-protect mode.
 * Needs: REGISTER(MISSING|WP) on shmem; swap for C02.
 * A failure means: a page that was filled protected is not, a protection that the filling
 * takes away stays, or the filled data is lost at reclaim.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "access.h"
#include "backing.h"
#include "force.h"
#include "ktap.h"
#include "oracle.h"
#include "proc.h"
#include "trap.h"
#include "uffd.h"

#define TABLE (HUGE / PAGE)
#define RUN 4	/* pages of one call */

static uint64_t content[PAGE / 8] = { 0xC0FFEE, 0xBEEF };
static char many[RUN * PAGE];	/* each page with its file_value() */

static void fill_many(void)
{
	for (size_t i = 0; i < RUN; i++)
		touch_write(many + i * PAGE, file_value(i));
}

static void arm_both(struct area *a, const struct backing *b, size_t pages)
{
	area_open(a, b, pages);
	area_register(a, 0, UFFDIO_REGISTER_MODE_MISSING | UFFDIO_REGISTER_MODE_WP);
}

static int copy(const struct area *a, size_t page, __u64 mode)
{
	return uffd_copy(a->uffd, area_page(a, page), content, PAGE, mode, NULL);
}

static void copy_wp(const struct backing *b)
{
	struct area a;

	arm_both(&a, b, 4);
	for (size_t i = 0; i < 4; i++) {
		REQUIRE_EQ(copy(&a, i, UFFDIO_COPY_MODE_WP), 0);
		EXPECT_PM(area_page(&a, i), PM_UFFD_WP | PM_PRESENT, 0);
		EXPECT_READS(&a, area_page(&a, i));
		EXPECT(!memcmp(area_page(&a, i), content, PAGE));
		EXPECT_TRAPS(&a, area_page(&a, i));
		EXPECT_EQ(touch_read(area_page(&a, i) + 8), content[1]);
	}
}
CASE_ON(BACKINGS_FILE, "C01_copy-wp", copy_wp);

/* Pages of one call that begins two pages before the end of a page table, over holes and over markers. */
static void copy_wp_many(const struct backing *b)
{
	const size_t first = TABLE - 2;
	struct area a;
	__s64 done;

	area_open_aligned(&a, b, 2 * TABLE, HUGE);
	area_register(&a, 0, UFFDIO_REGISTER_MODE_MISSING | UFFDIO_REGISTER_MODE_WP);
	fill_many();
	REQUIRE_EQ(area_wp(&a, TABLE - 1, 2), 0);
	REQUIRE_EQ(uffd_copy(a.uffd, area_page(&a, first), many, RUN * PAGE, UFFDIO_COPY_MODE_WP, &done), 0);
	EXPECT_EQ(done, RUN * PAGE);
	EXPECT_PM(area_page(&a, first - 1), 0, PM_PRESENT | PM_UFFD_WP);
	EXPECT_PM(area_page(&a, first + RUN), 0, PM_PRESENT | PM_UFFD_WP);
	EXPECT_EQ(pm_count(area_page(&a, first), RUN, PM_PRESENT | PM_UFFD_WP, 0), RUN);
	for (size_t i = 0; i < RUN; i++) {
		EXPECT_EQ(touch_read(area_page(&a, first + i)), file_value(i));
		EXPECT_TRAPS(&a, area_page(&a, first + i));
	}
}
CASE_ON(BACKINGS_SMALL, "C01_copy-wp-many", copy_wp_many);

/* A page that is there already ends the call: what comes before it is filled and protected, the rest as it was. */
static void copy_wp_part(const struct backing *b)
{
	struct area a;
	__s64 done;

	arm_both(&a, b, 2 * RUN);
	fill_many();
	REQUIRE_EQ(copy(&a, 2, 0), 0);
	EXPECT_EQ(uffd_copy(a.uffd, a.map, many, RUN * PAGE, UFFDIO_COPY_MODE_WP, &done), -EAGAIN);
	EXPECT_EQ(done, 2 * PAGE);
	EXPECT_EQ(pm_count(a.map, 2 * RUN, PM_PRESENT | PM_UFFD_WP, 0), 2);
	EXPECT_EQ(pm_count(area_page(&a, 3), 2 * RUN - 3, 0, PM_PRESENT | PM_UFFD_WP), 2 * RUN - 3);
	for (size_t i = 0; i < 2; i++) {
		EXPECT_EQ(touch_read(area_page(&a, i)), file_value(i));
		EXPECT_TRAPS(&a, area_page(&a, i));
	}
	EXPECT(!memcmp(area_page(&a, 2), content, PAGE));
	EXPECT_NO_TRAP(&a, area_page(&a, 2));
	EXPECT_EQ(uffd_copy(a.uffd, area_page(&a, 2), many, 2 * PAGE, UFFDIO_COPY_MODE_WP, &done), -EEXIST);
	EXPECT_PM(area_page(&a, 3), 0, PM_PRESENT | PM_UFFD_WP);
}
CASE_ON(BACKINGS_SMALL, "C01_copy-wp-part", copy_wp_part);

/* The page is dirty though nobody has written to it: it must survive reclaim. */
static void copy_wp_dirty(const struct backing *b)
{
	struct area a;

	arm_both(&a, b, 16);
	for (size_t i = 0; i < 16; i++)
		REQUIRE_EQ(copy(&a, i, UFFDIO_COPY_MODE_WP), 0);
	swap_out(&a, 0, 16);
	for (size_t i = 0; i < 16; i++) {
		EXPECT_READS(&a, area_page(&a, i));
		EXPECT(!memcmp(area_page(&a, i), content, PAGE));
		EXPECT_TRAPS(&a, area_page(&a, i));
	}
}
CASE_ON(BACKINGS_SMALL, "C02_copy-wp-dirty", copy_wp_dirty);

/* Filling a protected hole without MODE_WP takes the protection away. */
static void copy_over_marker(const struct backing *b)
{
	struct area a;

	arm_both(&a, b, 4);
	REQUIRE_EQ(area_wp(&a, 0, 4), 0);
	EXPECT_PM(a.map, PM_UFFD_WP, PM_PRESENT);
	REQUIRE_EQ(copy(&a, 0, 0), 0);
	EXPECT_PM(a.map, PM_PRESENT, PM_UFFD_WP);
	EXPECT(!memcmp(a.map, content, PAGE));
	EXPECT_NO_TRAP(&a, a.map);
	EXPECT_PM(area_page(&a, 1), PM_UFFD_WP, PM_PRESENT);
}
CASE_ON(BACKINGS_FILE, "C03_copy-over-marker", copy_over_marker);

/* With MODE_WP it stays. */
static void copywp_over_marker(const struct backing *b)
{
	struct area a;

	arm_both(&a, b, 4);
	REQUIRE_EQ(area_wp(&a, 0, 4), 0);
	REQUIRE_EQ(copy(&a, 1, UFFDIO_COPY_MODE_WP), 0);
	EXPECT_PM(area_page(&a, 1), PM_PRESENT | PM_UFFD_WP, 0);
	EXPECT(!memcmp(area_page(&a, 1), content, PAGE));
	EXPECT_TRAPS(&a, area_page(&a, 1));
}
CASE_ON(BACKINGS_FILE, "C04_copywp-over-marker", copywp_over_marker);

/* What the file has is not missing, whether this mapping shows it or a marker. */
static void eexist(const struct backing *b)
{
	struct area a;

	arm_both(&a, b, 4);
	area_fill_file(&a, 0, 4);
	touch_read_all(&a, 0, 2);
	REQUIRE_EQ(area_wp(&a, 1, 2), 0);	/* page 0 present, 1 protected, 2 a marker, 3 not mapped */
	SETUP(!madvise(area_page(&a, 1), PAGE, MADV_DONTNEED));
	touch_read(area_page(&a, 1));
	EXPECT_PM(area_page(&a, 1), PM_UFFD_WP | PM_PRESENT, 0);
	EXPECT_PM(area_page(&a, 2), PM_UFFD_WP, PM_PRESENT);
	for (size_t i = 0; i < 4; i++) {
		EXPECT_EQ(copy(&a, i, 0), -EEXIST);
		EXPECT_EQ(copy(&a, i, UFFDIO_COPY_MODE_WP), -EEXIST);
		EXPECT_EQ(alias_get(&a, area_page(&a, i)), file_value(i));
	}
	EXPECT_TRAPS(&a, area_page(&a, 1));
	EXPECT_TRAPS(&a, area_page(&a, 2));
	EXPECT_NO_TRAP(&a, area_page(&a, 3));
}
CASE_ON(BACKINGS_SHARED_SMALL, "C05_eexist", eexist);

/* A private mapping has no page either way: EEXIST is for what it has mapped. */
static void eexist_private(const struct backing *b)
{
	struct area a;

	arm_both(&a, b, 4);
	area_fill_file(&a, 0, 4);
	touch_read(a.map);
	touch_write(area_page(&a, 1), 1);
	REQUIRE_EQ(area_wp(&a, 0, 2), 0);
	for (size_t i = 0; i < 2; i++) {
		EXPECT_EQ(copy(&a, i, 0), -EEXIST);
		EXPECT_EQ(copy(&a, i, UFFDIO_COPY_MODE_WP), -EEXIST);
		EXPECT_TRAPS(&a, area_page(&a, i));
	}
}
static const struct backing *const PRIVATE[] = { &memfd_private, NULL };
CASE_ON(PRIVATE, "C05_eexist-private", eexist_private);

static void zeropage_over_marker(const struct backing *b)
{
	struct area a;

	arm_both(&a, b, 4);
	REQUIRE_EQ(area_wp(&a, 0, 4), 0);
	if (b->shared) {
		REQUIRE_EQ(uffd_zeropage(a.uffd, a.map, PAGE, 0), 0);
		EXPECT_PM(a.map, PM_PRESENT, PM_UFFD_WP);
		EXPECT_EQ(touch_read(a.map), 0);
		EXPECT_NO_TRAP(&a, a.map);
	} else {	/* refused, or a page that is as protected: C11 */
		int err = uffd_zeropage(a.uffd, a.map, PAGE, 0);

		EXPECT_MSG(!err || err == -EEXIST, "ZEROPAGE over a marker: %d", err);
		EXPECT_PM(a.map, PM_UFFD_WP, err ? PM_PRESENT : 0);
	}
	EXPECT_PM(area_page(&a, 1), PM_UFFD_WP, PM_PRESENT);
}
CASE_ON(BACKINGS_SMALL, "C06_zeropage-over-marker", zeropage_over_marker);

/* A write to a protected hole asks for the page first, and then for leave to write. */
static void missing_first(const struct backing *b)
{
	struct uffd_msg msg;
	struct touch t;
	struct area a;

	arm_both(&a, b, 4);
	REQUIRE_EQ(area_wp(&a, 0, 4), 0);
	touch_start(&t, WRITES, a.map, fresh_value());
	uffd_wait(a.uffd, &msg);
	REQUIRE_EQ(msg.event, UFFD_EVENT_PAGEFAULT);
	EXPECT_EQ(msg.arg.pagefault.address, (uintptr_t)a.map);
	EXPECT_EQ(msg.arg.pagefault.flags, UFFD_PAGEFAULT_FLAG_WRITE);
	EXPECT(touch_asleep(&t));
	REQUIRE_EQ(copy(&a, 0, UFFDIO_COPY_MODE_WP), 0);
	do	/* the first message may come twice */
		uffd_wait(a.uffd, &msg);
	while (!(msg.arg.pagefault.flags & UFFD_PAGEFAULT_FLAG_WP));
	EXPECT(is_wp_message(&a, &msg, a.map));
	EXPECT(touch_asleep(&t));
	EXPECT_EQ(alias_get(&a, a.map), b->shared ? content[0] : 0);
	REQUIRE_EQ(area_unwp(&a, 0, 1), 0);
	EXPECT_EQ(touch_end(&t), COMPLETED);
	EXPECT_EQ(touch_read(a.map), t.value);
	EXPECT_EQ(touch_read(a.map + 8), content[1]);
}
CASE_ON(BACKINGS_SMALL, "C07_missing-first", missing_first);

/* MODE_WP needs a mapping in write-protect mode. */
static void wp_not_armed(const struct backing *b)
{
	struct area a;

	area_open(&a, b, 4);
	area_register(&a, 0, UFFDIO_REGISTER_MODE_MISSING);
	EXPECT_EQ(copy(&a, 0, UFFDIO_COPY_MODE_WP), -EINVAL);
	EXPECT_PM(a.map, 0, PM_PRESENT);
	EXPECT_EQ(copy(&a, 0, 0), 0);
	EXPECT_NO_TRAP(&a, a.map);
}
CASE_ON(BACKINGS_ALL_SMALL, "C08_wp-not-armed", wp_not_armed);

/* Filling a private mapping is not the file's business. */
static void copy_private(void)
{
	struct area a;

	arm_both(&a, &memfd_private, 4);
	REQUIRE_EQ(area_wp(&a, 2, 2), 0);
	for (size_t i = 0; i < 4; i++) {	/* holes, and markers over holes */
		REQUIRE_EQ(copy(&a, i, UFFDIO_COPY_MODE_WP), 0);
		EXPECT_PM(area_page(&a, i), PM_UFFD_WP | PM_PRESENT, PM_FILE);
		EXPECT_TRAPS(&a, area_page(&a, i));
		EXPECT_EQ(alias_get(&a, area_page(&a, i)), 0);
		EXPECT_EQ(alias_get(&a, area_page(&a, i) + 8), 0);
	}
}
CASE("C09_copy-private", copy_private);

/* Beyond the end of the file there is nothing to fill: EFAULT, as for an access. */
static void beyond_the_end(const struct backing *b)
{
	static const char page[PAGE] = "x";
	struct area a;

	area_open(&a, b, 2);
	SETUP(!ftruncate(a.fd, PAGE));
	area_register(&a, 0, UFFDIO_REGISTER_MODE_MISSING);
	EXPECT_EQ(uffd_copy(a.uffd, area_page(&a, 1), page, PAGE, 0, NULL), -EFAULT);
	EXPECT_EQ(uffd_zeropage(a.uffd, area_page(&a, 1), PAGE, 0), -EFAULT);
	EXPECT_EQ(uffd_copy(a.uffd, a.map, page, PAGE, 0, NULL), 0);
}
CASE_ON(BACKINGS_FD, "C12_beyond-the-end", beyond_the_end);
