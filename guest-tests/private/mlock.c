// SPDX-License-Identifier: GPL-2.0
/*
 * mlock of a private mapping copies its pages as a write does: at each protected one it waits until the protection is
 * lifted, be the page its own, the file's or only a marker, and then it goes on to the next, to the end.
 * Needs: REGISTER(WP) on shmem; on hugetlbfs for hugetlb-private, and huge pages.
 * Fails on a kernel whose mlock copies a page that is protected, stops at it with an error, or never gets on.
 */
#include "access.h"
#include "backing.h"
#include "ktap.h"
#include "oracle.h"
#include "proc.h"
#include "trap.h"

#define PAGES 6
#define ENOUGH (8 * PAGES)	/* messages: each may come more than once */

static long lock_all(void *area)
{
	const struct area *a = area;

	return mlock(a->map, a->size);
}

/* Own copies, pages of the file, and addresses at which nothing is mapped. */
static void arm(struct area *a, const struct backing *b)
{
	area_arm(a, b, PAGES, 0);
	area_fill_file(a, 0, PAGES);
	touch_write_all(a, 0, PAGES / 3);
	touch_read_all(a, PAGES / 3, PAGES / 3);
	REQUIRE_EQ(area_wp(a, 0, PAGES), 0);
	REQUIRE_EQ(area_count(a, PM_UFFD_WP, 0), PAGES);
}

static void waits_for_each(const struct backing *b)
{
	bool seen[PAGES] = { false };
	int messages = 0;
	struct uffd_msg msg;
	struct touch t;
	struct area a;

	arm(&a, b);
	touch_call(&t, lock_all, &a);
	while (message_or_end(a.uffd, t.done, &msg)) {
		ssize_t page = wp_message_page(&a, &msg);

		REQUIRE_MSG(page >= 0, "not a WP message of a page: event %#x, flags %#llx", msg.event,
			    (unsigned long long)msg.arg.pagefault.flags);
		REQUIRE_MSG(++messages <= ENOUGH, "%d messages, and mlock is at page %zd", messages, page);
		if (!seen[page]) {	/* what comes again may have been answered by then */
			EXPECT_MSG(touch_asleep(&t), "mlock does not wait at page %zd", page);
			EXPECT_PM(area_page(&a, page), PM_UFFD_WP, 0);
		}
		seen[page] = true;
		REQUIRE_EQ(area_unwp(&a, (size_t)page, 1), 0);
	}
	EXPECT_EQ(touch_end(&t), COMPLETED);
	EXPECT_MSG(!t.result, "mlock: %ld, errno %d", t.result, t.error);
	for (size_t i = 0; i < PAGES; i++) {
		EXPECT_MSG(seen[i], "mlock did not wait at page %zu", i);
		EXPECT_EQ(touch_read(area_page(&a, i)), file_value(i));
	}
	EXPECT_EQ(area_count(&a, PM_PRESENT, PM_UFFD_WP | PM_FILE), PAGES);
}
static const struct backing *const PRIVATE[] = { &memfd_private, &hugetlb_private, NULL };
CASE_ON(PRIVATE, "V09_mlock", waits_for_each);
