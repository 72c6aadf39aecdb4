// SPDX-License-Identifier: GPL-2.0
/*
 * UFFDIO_COPY of huge pages over markers, with and without MODE_WP.
 * Needs: REGISTER(WP) on hugetlbfs, MISSING_HUGETLBFS, huge pages.
 * Fails on a kernel to which a marker is a page that exists, or no page is where the file has one, or that ignores
 * MODE_WP.
 */
#include "access.h"
#include "backing.h"
#include "ktap.h"
#include "proc.h"
#include "trap.h"
#include "uffd.h"

#define PAGES 6

static char *content;

static void arm(struct area *a, const struct backing *b, __u64 mode)
{
	content = mmap(NULL, PAGES * HUGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	SETUP(content != MAP_FAILED);
	for (size_t i = 0; i < PAGES; i++)
		*(uint64_t *)(content + i * HUGE) = file_value(7 + i);
	area_open(a, b, PAGES);
	area_register(a, UFFD_FEATURE_MISSING_HUGETLBFS, mode);
}

static int copy(const struct area *a, size_t page, __u64 mode)
{
	return uffd_copy(a->uffd, area_page(a, page), content, a->page, mode, NULL);
}

static void copied(const struct backing *b)
{
	struct area a;

	arm(&a, b, UFFDIO_REGISTER_MODE_MISSING | UFFDIO_REGISTER_MODE_WP);
	REQUIRE_EQ(area_wp(&a, 1, 3), 0);
	EXPECT_EQ(copy(&a, 0, UFFDIO_COPY_MODE_WP), 0);		/* over nothing */
	EXPECT_EQ(copy(&a, 1, UFFDIO_COPY_MODE_WP), 0);		/* over a marker */
	EXPECT_EQ(copy(&a, 2, 0), 0);				/* over a marker: the protection ends */
	EXPECT_EQ(copy(&a, 0, 0), -EEXIST);
	EXPECT_EQ(copy(&a, 1, UFFDIO_COPY_MODE_WP), -EEXIST);
	EXPECT_PM(a.map, PM_PRESENT | PM_UFFD_WP, 0);
	EXPECT_PM(area_page(&a, 1), PM_PRESENT | PM_UFFD_WP, 0);
	EXPECT_PM(area_page(&a, 2), PM_PRESENT, PM_UFFD_WP);
	EXPECT_PM(area_page(&a, 3), PM_UFFD_WP, PM_PRESENT);
	EXPECT_EQ(touch_read(area_page(&a, 1)), file_value(7));
	EXPECT_TRAPS(&a, a.map);
	EXPECT_TRAPS(&a, area_page(&a, 1));
	EXPECT_NO_TRAP(&a, area_page(&a, 2));
}
CASE_ON(BACKINGS_HUGETLB, "H09_copy-wp", copied);

/* Several pages in one call, over nothing and over markers; the second call meets a page that is there. */
static void several(const struct backing *b)
{
	__s64 done = 0;
	struct area a;

	arm(&a, b, UFFDIO_REGISTER_MODE_MISSING | UFFDIO_REGISTER_MODE_WP);
	REQUIRE_EQ(area_wp(&a, 1, 2), 0);
	REQUIRE_EQ(copy(&a, 4, 0), 0);
	EXPECT_EQ(uffd_copy(a.uffd, a.map, content, 2 * a.page, UFFDIO_COPY_MODE_WP, &done), 0);
	EXPECT_EQ(done, 2 * a.page);
	EXPECT_EQ(uffd_copy(a.uffd, area_page(&a, 2), content + 2 * a.page, 4 * a.page, UFFDIO_COPY_MODE_WP, &done),
		  -EAGAIN);
	EXPECT_EQ(done, 2 * a.page);
	for (size_t i = 0; i < 4; i++) {
		EXPECT_PM(area_page(&a, i), PM_PRESENT | PM_UFFD_WP, 0);
		EXPECT_EQ(touch_read(area_page(&a, i)), file_value(7 + i));
		EXPECT_TRAPS(&a, area_page(&a, i));
	}
	EXPECT_PM(area_page(&a, 4), PM_PRESENT, PM_UFFD_WP);
	EXPECT_PM(area_page(&a, 5), 0, PM_PRESENT | PM_UFFD_WP);
	EXPECT_EQ(touch_read(area_page(&a, 4)), file_value(7));
	EXPECT_NO_TRAP(&a, area_page(&a, 4));
}
CASE_ON(BACKINGS_HUGETLB, "H09_copy-wp-several", several);

static void not_armed(const struct backing *b)
{
	struct area a;

	area_open(&a, b, 1);
	need_hugetlb_wp(a.page);
	arm(&a, b, UFFDIO_REGISTER_MODE_MISSING);
	EXPECT_EQ(copy(&a, 0, UFFDIO_COPY_MODE_WP), -EINVAL);
	EXPECT_PM(a.map, 0, PM_PRESENT);
}
CASE_ON(BACKINGS_HUGETLB, "H09_copy-wp-not-armed", not_armed);

/* A write to a protected hole: first the page is missing, and then it is protected. */
static void missing_first(const struct backing *b)
{
	struct uffd_msg msg;
	struct touch t;
	struct area a;

	arm(&a, b, UFFDIO_REGISTER_MODE_MISSING | UFFDIO_REGISTER_MODE_WP);
	REQUIRE_EQ(area_wp(&a, 0, 4), 0);
	touch_start(&t, WRITES, a.map + PAGE, fresh_value());
	uffd_wait(a.uffd, &msg);
	REQUIRE_EQ(msg.event, UFFD_EVENT_PAGEFAULT);
	EXPECT_EQ(msg.arg.pagefault.address, (uintptr_t)a.map);
	EXPECT_EQ(msg.arg.pagefault.flags, UFFD_PAGEFAULT_FLAG_WRITE);
	EXPECT(touch_asleep(&t));
	REQUIRE_EQ(copy(&a, 0, UFFDIO_COPY_MODE_WP), 0);
	do	/* the first message may come twice */
		uffd_wait(a.uffd, &msg);
	while (!(msg.arg.pagefault.flags & UFFD_PAGEFAULT_FLAG_WP));
	EXPECT_EQ(msg.arg.pagefault.address, (uintptr_t)a.map);
	EXPECT(touch_asleep(&t));
	REQUIRE_EQ(area_unwp(&a, 0, 1), 0);
	EXPECT_EQ(touch_end(&t), COMPLETED);
	EXPECT_EQ(touch_read(a.map + PAGE), t.value);
}
CASE_ON(BACKINGS_HUGETLB, "H09_missing-first", missing_first);

/* Write permission may come later; what MODE_WP asked for stays. */
static void read_only(const struct backing *b)
{
	struct area a;

	arm(&a, b, UFFDIO_REGISTER_MODE_MISSING | UFFDIO_REGISTER_MODE_WP);
	SETUP(!mprotect(a.map, a.size, PROT_READ));
	EXPECT_EQ(copy(&a, 0, UFFDIO_COPY_MODE_WP), 0);
	EXPECT_PM(a.map, PM_PRESENT | PM_UFFD_WP, 0);
	SETUP(!mprotect(a.map, a.size, PROT_READ | PROT_WRITE));
	EXPECT_TRAPS(&a, a.map);
}
CASE_ON(BACKINGS_HUGETLB, "H09_copy-wp-read-only", read_only);

/*
 * What the file has is not missing, though there is a marker. A private mapping may be filled all the same; what it is
 * not filled with it reads from the file.
 */
static void file_has_it(const struct backing *b)
{
	struct area a;

	arm(&a, b, UFFDIO_REGISTER_MODE_MISSING | UFFDIO_REGISTER_MODE_WP);
	area_fill_file(&a, 0, 4);
	REQUIRE_EQ(area_wp(&a, 0, 4), 0);
	for (size_t i = 0; i < 4; i++) {
		EXPECT_PM(area_page(&a, i), PM_UFFD_WP, PM_PRESENT);
		if (b->shared) {
			EXPECT_EQ(copy(&a, i, 0), -EEXIST);
			EXPECT_EQ(copy(&a, i, UFFDIO_COPY_MODE_WP), -EEXIST);
		}
		EXPECT_PM(area_page(&a, i), PM_UFFD_WP, PM_PRESENT);
		EXPECT_EQ(alias_get(&a, area_page(&a, i)), file_value(i));
	}
	for (size_t i = 0; i < 2; i++) {	/* of the others the first access is a write */
		EXPECT_READS(&a, area_page(&a, i));
		EXPECT_PM(area_page(&a, i), PM_UFFD_WP | PM_PRESENT, 0);
		EXPECT_EQ(touch_read(area_page(&a, i)), file_value(i));
	}
	for (size_t i = 0; i < 4; i++) {
		EXPECT_TRAPS(&a, area_page(&a, i));
		EXPECT_PM(area_page(&a, i), PM_PRESENT, PM_UFFD_WP);
		if (!b->shared)
			EXPECT_EQ(alias_get(&a, area_page(&a, i)), file_value(i));
	}
}
CASE_ON(BACKINGS_HUGETLB, "H09_copy-marker-file", file_has_it);
