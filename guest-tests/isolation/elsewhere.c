// SPDX-License-Identifier: GPL-2.0
/*
 * What others pay while a file is protected in one mapping: nothing. Another mapping of the same file, in the
 * same process and in another one, takes as many faults as before, is mapped around a fault,
 * and is written without a second fault where it was read.
 * Needs: REGISTER(WP) on shmem.
 * Fails on a kernel that looks at the file, or at the mm, where it should look at the vma.
 */
#include "access.h"
#include "backing.h"
#include "ktap.h"
#include "peer.h"
#include "proc.h"

#define PAGES 64

/* Of a mapping that has none of its pages: the faults of reading each, and of writing to each then. */
struct faults {
	long reading, writing;
};

static struct faults measure(char *map)
{
	struct faults f;

	SETUP(!madvise(map, PAGES * PAGE, MADV_DONTNEED));
	f.reading = faults_of_reading(map, PAGES);
	f.writing = faults_of_writing(map, PAGES);
	return f;
}

static uint64_t measure_there(void *map, uint64_t unused)
{
	struct faults f = measure(map);

	(void)unused;
	return (uint64_t)f.reading << 32 | (uint64_t)f.writing;
}

static struct faults of_peer(struct peer *p, char *map)
{
	uint64_t both = peer_call(p, measure_there, map, 0);

	return (struct faults){ (long)(both >> 32), (long)(both & 0xffffffff) };
}

/* The first measurement warms up what the program itself needs. */
static void judge(const char *where, struct faults before, struct faults after)
{
	EXPECT_MSG(after.reading <= before.reading + 2, "%s: %ld faults of reading %d pages, and %ld before",
		   where, after.reading, PAGES, before.reading);
	EXPECT_MSG(after.writing <= before.writing + 2, "%s: %ld faults of writing to %d pages, and %ld before",
		   where, after.writing, PAGES, before.writing);
}

static void others_pay_nothing(const struct backing *b)
{
	struct faults here, there;
	struct peer other;
	struct area a;
	char *again;

	area_arm(&a, b, PAGES, 0);
	area_fill_file(&a, 0, PAGES);
	again = area_map_again(&a);
	peer_start(&other);
	here = measure(again);
	there = of_peer(&other, a.map);
	REQUIRE_EQ(area_wp(&a, 0, PAGES), 0);
	touch_read_all(&a, 0, PAGES / 2);
	judge("another mapping", here, measure(again));
	judge("another process", there, of_peer(&other, a.map));
	EXPECT_EQ(pm_count(a.map, PAGES, PM_UFFD_WP, 0), PAGES);
	EXPECT_EQ(peer_end(&other), 0);
}
CASE_ON(BACKINGS_SMALL, "I08_elsewhere-faults", others_pay_nothing);
