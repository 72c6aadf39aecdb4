// SPDX-License-Identifier: GPL-2.0
/*
 * What happens to the file beside the protected mapping, and to the data in it.
 * Needs: REGISTER(WP) on shmem; swap for B19.
 * A failure means: protection of one mapping stops, or is lost to, writes that go past it; or
 * data that was written is gone.
 */
#include <unistd.h>

#include "access.h"
#include "backing.h"
#include "force.h"
#include "ktap.h"
#include "proc.h"
#include "trap.h"
#include "uffd.h"

/* Writes through the descriptor and another mapping are not this mapping's: they pass, and it stays protected. */
static void fd_write(const struct backing *b)
{
	struct uffd_msg msg;
	struct area a;
	uint64_t value;

	area_arm(&a, b, 4, 0);
	populate(&a, 0, 2);
	REQUIRE_EQ(area_wp(&a, 0, 4), 0);
	for (size_t i = 0; i < 4; i++) {
		char *addr = area_page(&a, i);

		value = fresh_value();
		alias_set(&a, addr + 8, value);
		EXPECT_EQ(touch_read(addr + 8), value);
		value = fresh_value();
		if (a.fd >= 0)
			SETUP(pwrite(a.fd, &value, 8, i * PAGE + 8) == 8);
		else
			alias_set(&a, addr + 8, value);
		EXPECT_EQ(touch_read(addr + 8), value);
		EXPECT_PM(addr, PM_UFFD_WP, 0);
		EXPECT(!uffd_next(a.uffd, &msg));
		EXPECT_TRAPS(&a, addr);
		EXPECT_EQ(touch_read(addr + 8), value);
	}
}
CASE_ON(BACKINGS_SHARED, "B17_fd-write", fd_write);

/* A page written after un-WP is dirty: reclaim writes it out. */
static void dirty_kept(const struct backing *b)
{
	struct area a;

	area_arm(&a, b, 16, 0);
	populate(&a, 0, 8);
	REQUIRE_EQ(area_wp(&a, 0, 16), 0);
	for (size_t i = 0; i < 16; i++)
		EXPECT_TRAPS(&a, area_page(&a, i));
	touch_write_all(&a, 0, 16);
	swap_out(&a, 0, 16);
	for (size_t i = 0; i < 16; i++)
		EXPECT_EQ(touch_read(area_page(&a, i)), file_value(i));
}
CASE_ON(BACKINGS_SMALL, "B19_dirty-kept", dirty_kept);

/* Behind the end of the file there is nothing to guard: SIGBUS, as without userfaultfd. */
static void beyond_eof(const struct backing *b)
{
	struct uffd_msg msg;
	struct area a;

	area_arm(&a, b, 8, 0);
	area_fill_file(&a, 0, 8);
	REQUIRE_EQ(area_wp(&a, 0, 8), 0);
	touch_read(area_page(&a, 5));
	SETUP(!ftruncate(a.fd, 4 * PAGE));
	EXPECT_EQ(touch_once(WRITES, area_page(&a, 4), 1), GOT_SIGBUS);
	EXPECT_EQ(touch_once(WRITES, area_page(&a, 5), 1), GOT_SIGBUS);
	EXPECT_EQ(touch_once(READS, area_page(&a, 7), 1), GOT_SIGBUS);
	EXPECT(!uffd_next(a.uffd, &msg));
	EXPECT_TRAPS(&a, area_page(&a, 3));
}
CASE_ON(BACKINGS_FD, "B20_beyond-eof", beyond_eof);
