// SPDX-License-Identifier: GPL-2.0
/*
 * Memory compaction moves protected pages, and all of them stay protected.
 * Needs: REGISTER(WP) on shmem, COMPACTION, root (to see page frames).
 * Fails on the same kernels as P07; the way there is another one.
 */
#include "access.h"
#include "backing.h"
#include "ktap.h"
#include "proc.h"
#include "trap.h"

#define PAGES 4096	/* 16 MB, half of it holes for the other half to be moved into */
#define BALLAST 32768	/* 128 MB; three of four pages become holes */
#define ROUNDS 4
#define ATTEMPTS 6

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

/*
 * Compaction moves pages up in a zone, to where it finds single free pages: not into free blocks as large
 * as huge pages, nor to the free pages that each CPU keeps for itself (from 6.7 on an eighth of its node at
 * most). So there are more of them than that, below and above.
 */
static void fill_among_holes(const struct area *a)
{
	struct area ballast;

	area_open(&ballast, &anon, BALLAST);
	touch_write_all(&ballast, 0, BALLAST / 2);
	touch_write_all(a, 0, PAGES);
	touch_write_all(&ballast, BALLAST / 2, BALLAST / 2);
	for (size_t i = 0; i < BALLAST; i += 4)
		SETUP(!madvise(area_page(&ballast, i), 3 * PAGE, MADV_DONTNEED));
	for (size_t i = 1; i < PAGES; i += 2)
		SETUP(!madvise(area_page(a, i), PAGE, MADV_REMOVE));
}

/* How many pages of a new area were moved, each of which was at frame[] before. */
static size_t compact_some(struct area *a, const struct backing *b, uint64_t *frame)
{
	size_t count = 0;

	area_arm(a, b, PAGES, 0);
	fill_among_holes(a);
	REQUIRE_EQ(area_wp(a, 0, PAGES), 0);
	frames(a, frame);
	SETUP_MSG(frame[0], "page frames are hidden");
	for (int round = 0; round < ROUNDS && count < 64; round++) {
		if (!file_write("/proc/sys/vm/compact_memory", "1"))
			SKIP("CONFIG_COMPACTION: /proc/sys/vm/compact_memory cannot be written");
		count = moved(a, frame);
	}
	return count;
}

static void compact(const struct backing *b)
{
	static uint64_t frame[PAGES];
	size_t count = 0;
	struct area a;

	/* Where the pages come to lie is luck; what was tried stays, and the next ones lie elsewhere. */
	for (int attempt = 0; attempt < ATTEMPTS && !count; attempt++)
		count = compact_some(&a, b, frame);
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
