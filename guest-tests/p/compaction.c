// SPDX-License-Identifier: GPL-2.0
/*
 * Memory compaction moves protected pages, and all of them stay protected.
 * Needs: REGISTER(WP) on shmem, COMPACTION, root (to see page frames).
 * Fails on the same kernels as P07; the way there is another one.
 */
#include "force.h"
#include "ktap.h"
#include "uffd.h"

#define PAGES 4096	/* 16 MB, half of it holes for the other half to be moved into */
#define ROUNDS 50

static void frames(const struct area *a, uint64_t *frame)
{
	for (size_t i = 0; i < PAGES; i += 2)
		frame[i] = pm(area_page(a, i)) & PM_FRAME;
}

static size_t moved(const struct area *a, const uint64_t *frame)
{
	size_t count = 0;

	for (size_t i = 0; i < PAGES; i += 2) {
		uint64_t entry = pm(area_page(a, i));

		count += (entry & PM_PRESENT) && (entry & PM_FRAME) != frame[i];
	}
	return count;
}

static void compact(const struct backing *b)
{
	static uint64_t frame[PAGES];
	size_t count = 0;
	struct area a;

	area_arm(&a, b, PAGES, 0);
	touch_write_all(&a, 0, PAGES);
	for (size_t i = 1; i < PAGES; i += 2)
		SETUP(!madvise(area_page(&a, i), PAGE, MADV_REMOVE));
	REQUIRE_EQ(area_wp(&a, 0, PAGES), 0);
	frames(&a, frame);
	SETUP_MSG(frame[0], "page frames are hidden");
	for (int round = 0; round < ROUNDS && count < 64; round++) {
		if (!file_write("/proc/sys/vm/compact_memory", "1"))
			SKIP("CONFIG_COMPACTION: /proc/sys/vm/compact_memory cannot be written");
		count = moved(&a, frame);
	}
	SETUP_MSG(count, "compaction moved none of %d pages", PAGES / 2);
	EXPECT_EQ(pm_count(a.map, PAGES, PM_UFFD_WP, 0), PAGES);
	for (size_t i = 0, traps = 0; i < PAGES && traps < 16; i += 2)
		if ((pm(area_page(&a, i)) & PM_FRAME) != frame[i]) {
			EXPECT_TRAPS(&a, area_page(&a, i));
			traps++;
		}
	for (size_t i = 0; i < PAGES; i += 2) {
		REQUIRE_EQ(touch_read(area_page(&a, i)) == file_value(i) || !(pm(area_page(&a, i)) & PM_UFFD_WP), 1);
		ktap_held();
	}
}
CASE_ON(((const struct backing *const []){ &memfd_shared, &tmpfs_file, &anon_shared, NULL }), "P09_compaction", compact);
