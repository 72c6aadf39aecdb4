// SPDX-License-Identifier: GPL-2.0
/*
 * A protected hole of a private mapping is missing, too: the manager that answers the message for the
 * missing page with UFFDIO_ZEROPAGE, and the one for the protection with un-WP, gets the writer on.
 * Needs: REGISTER(MISSING|WP) on shmem.
 * Fails on a kernel that says EEXIST for a marker with no page: the writer faults for the missing page
 * again, and so on without end (mainline).
 */
#include <errno.h>

#include "access.h"
#include "backing.h"
#include "ktap.h"
#include "oracle.h"
#include "proc.h"
#include "trap.h"
#include "uffd.h"

#define PAGES 4
#define ENOUGH 16	/* messages for one write: one is missing, one is for the protection, each may come twice */

/* Answer a message. EEXIST is no fault where the page has come meanwhile: then there is one to wake. */
static void answer(const struct area *a, const struct uffd_msg *msg, int *zeroed, int *released)
{
	void *addr = (void *)(uintptr_t)msg->arg.pagefault.address;
	int err;

	REQUIRE_EQ(msg->event, UFFD_EVENT_PAGEFAULT);
	if (msg->arg.pagefault.flags & UFFD_PAGEFAULT_FLAG_WP) {
		REQUIRE_EQ(uffd_writeprotect(a->uffd, addr, PAGE, 0), 0);
		++*released;
		return;
	}
	err = uffd_zeropage(a->uffd, addr, PAGE, 0);
	if (err == -EEXIST)
		REQUIRE_EQ(uffd_wake(a->uffd, addr, PAGE), 0);
	else
		REQUIRE_EQ(err, 0);
	*zeroed += !err;
}

/* Write to a page under such a manager. Stops where it leads nowhere. */
static void write_under_manager(const struct area *a, size_t page, uint64_t value)
{
	int messages = 0, zeroed = 0, released = 0;
	struct uffd_msg msg;
	struct touch t;

	touch_start(&t, WRITES, area_page(a, page), value);
	while (message_or_end(a->uffd, t.done, &msg)) {
		answer(a, &msg, &zeroed, &released);
		REQUIRE_MSG(++messages < ENOUGH, "%d messages, and the writer is where it was", messages);
	}
	EXPECT_EQ(touch_end(&t), COMPLETED);
	EXPECT_MSG(zeroed == 1, "ZEROPAGE filled the hole %d times", zeroed);
	EXPECT_MSG(released, "the write was not reported");
	EXPECT_EQ(touch_read(area_page(a, page)), value);
}

static void no_dead_end(void)
{
	struct area a;

	area_open(&a, &memfd_private, PAGES);
	area_register(&a, 0, UFFDIO_REGISTER_MODE_MISSING | UFFDIO_REGISTER_MODE_WP);
	REQUIRE_EQ(area_wp(&a, 0, PAGES), 0);
	for (size_t i = 0; i < PAGES; i++)
		write_under_manager(&a, i, fresh_value());
	EXPECT_EQ(alias_get(&a, a.map), 0);
	EXPECT_EQ(pm_count(a.map, PAGES, PM_UFFD_WP, 0), 0);
}
CASE("C11_zeropage-private", no_dead_end);

/* The page that ZEROPAGE puts there is as protected as the hole was. */
static void stays_protected(void)
{
	struct area a;

	area_open(&a, &memfd_private, PAGES);
	area_register(&a, 0, UFFDIO_REGISTER_MODE_MISSING | UFFDIO_REGISTER_MODE_WP);
	REQUIRE_EQ(area_wp(&a, 0, PAGES), 0);
	REQUIRE_EQ(uffd_zeropage(a.uffd, a.map, 2 * PAGE, 0), 0);
	EXPECT_EQ(pm_count(a.map, PAGES, PM_UFFD_WP, 0), PAGES);
	EXPECT_EQ(pm_count(a.map, 2, PM_UFFD_WP | PM_PRESENT, PM_FILE), 2);
	EXPECT_READS(&a, a.map);
	EXPECT_EQ(touch_read(a.map), 0);
	EXPECT_TRAPS(&a, a.map);
	SETUP(!madvise(area_page(&a, 1), PAGE, MADV_DONTNEED));
	EXPECT_PM(area_page(&a, 1), PM_UFFD_WP, PM_PRESENT);
	REQUIRE_EQ(area_unwp(&a, 1, 1), 0);
	REQUIRE_EQ(uffd_zeropage(a.uffd, area_page(&a, 1), PAGE, 0), 0);
	EXPECT_PM(area_page(&a, 1), PM_PRESENT, PM_UFFD_WP);
	EXPECT_NO_TRAP(&a, area_page(&a, 1));
}
CASE("C11_zeropage-private-protected", stays_protected);
