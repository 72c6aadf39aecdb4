// SPDX-License-Identifier: GPL-2.0
/*
 * One process reads smaps and smaps_rollup of another one, whose huge pages move from node to node meanwhile. It lives,
 * and never sees more of them than there are.
 * Needs: REGISTER(WP) on hugetlbfs, huge pages, two nodes, PROC_PAGE_MONITOR. Nothing is registered, but a kernel
 * without it is not asked: 5.10 may die of it.
 * Fails on a kernel that reads the entry more than once, and without its lock: it may be that of a migration which has
 * ended by the time its page is looked at. That kills the reader, which keeps the mmap_lock; but the moment is short,
 * and most runs on such a kernel pass.
 */
#include <stdio.h>
#include <unistd.h>

#include "access.h"
#include "backing.h"
#include "ktap.h"
#include "mover.h"
#include "peer.h"
#include "uffd.h"

#define PAGES 32
#define MAPPINGS 8	/* of each page: on its way it has the entry of a migration in each */
#define LOOKS 20	/* at smaps_rollup, for one at smaps, which is longer */
#define ALL_KB (MAPPINGS * PAGES * (long)(HUGE >> 10))

/* kB of huge pages, of all mappings in the file; -1 if it tells of none. */
static long hugetlb_kb(const char *name)
{
	char path[48], line[512];
	long kb, sum = -1;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/%s", getppid(), name);
	file = fopen(path, "re");
	if (!file)
		SKIP("CONFIG_PROC_PAGE_MONITOR: %s is not there", path);
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "Shared_Hugetlb: %ld kB", &kb) == 1 || sscanf(line, "Private_Hugetlb: %ld kB", &kb) == 1)
			sum = sum < 0 ? kb : sum + kb;
	fclose(file);
	return sum;
}

static bool look(const char *name, long least)
{
	long kb = hugetlb_kb(name);

	return EXPECT_MSG(kb >= least && kb <= ALL_KB, "%s has %ld kB of huge pages, of %ld", name, kb, ALL_KB);
}

/* An order: the parent has at least @least kB of huge pages at each look. A page has no entry at all for a moment. */
static uint64_t looks(void *unused, uint64_t least)
{
	(void)unused;
	for (int i = 0; i < LOOKS; i++)
		if (!look("smaps_rollup", (long)least))
			return false;
	return look("smaps", (long)least);
}

static void read_meanwhile(void)
{
	double end = ktap_now() + ktap_budget();
	unsigned long orders = 0;
	struct mover mover;
	struct peer reader;
	struct area a;
	bool good;

	need_hugetlb_wp(HUGE);
	area_open(&a, &hugetlb_shared, PAGES);
	peer_start(&reader);	/* which has none of its pages */
	populate(&a, 0, PAGES);
	for (int i = 1; i < MAPPINGS; i++) {
		struct area again = a;

		again.map = area_map_again(&a);
		touch_read_all(&again, 0, PAGES);
	}
	REQUIRE_MSG(peer_call(&reader, looks, NULL, (uint64_t)ALL_KB), "before anything has moved");
	mover_start(&mover, &a);
	do {
		good = peer_call(&reader, looks, NULL, 0);
		orders++;
	} while (good && ktap_now() < end);
	ktap_diag("smaps was read %lu times, smaps_rollup %lu times", orders, orders * LOOKS);
	mover_end(&mover);
	EXPECT(peer_call(&reader, looks, NULL, (uint64_t)ALL_KB));
	for (size_t i = 0; i < PAGES; i++)
		EXPECT_EQ(touch_read(area_page(&a, i)), file_value(i));
	EXPECT_EQ(peer_end(&reader), 0);
}
CASE_BUDGET("H31_smaps-meanwhile", read_meanwhile);
