// SPDX-License-Identifier: GPL-2.0
/*
 * X05: write protection takes no type of swap entries away from swap areas: there can be as many as ever.
 * Calls of swapon(2) that wait for the name of their file to be paged in have an area each meanwhile; none of them is
 * turned on. (How large an area may be cannot be tried: the limit is 2^50 pages, its header has 32 bits for them.)
 * Needs: SWAP, MIGRATION, USERFAULTFD for missing pages.
 * Fails on a kernel that has a type less for swap areas than 5.10 has.
 */
#include <errno.h>
#include <string.h>
#include <sys/swap.h>
#include <unistd.h>

#include "backing.h"
#include "force.h"
#include "ktap.h"
#include "proc.h"
#include "trap.h"
#include "uffd.h"

#define TYPES 32

static long turn_on(void *name)
{
	return swapon(name, 0);
}

static int areas_now(void)
{
	char text[4096];
	int lines = 0;

	if (!file_read("/proc/swaps", text, sizeof(text)))
		SKIP("CONFIG_SWAP: /proc/swaps is not there");
	for (char *at = text; (at = strchr(at, '\n')); at++)
		lines++;
	return lines - 1;
}

/* Types that 5.10 uses for what is no swap: migration, poisoned pages, and pages of devices. */
static int types_used(void)
{
	return 2 + !access("/proc/sys/vm/memory_failure_recovery", F_OK) + 2 * !access("/dev/hmm_dmirror0", F_OK);
}

static void most_areas(void)
{
	int areas = areas_now(), waiting = 0;
	struct touch calls[TYPES + 1];
	struct area a;

	node_of(&areas);	/* SKIP without migration */
	area_open(&a, &anon, 1);
	area_register(&a, 0, UFFDIO_REGISTER_MODE_MISSING);
	do
		touch_call(&calls[waiting], turn_on, a.map);
	while (touch_asleep(&calls[waiting]) && ++waiting < TYPES);
	ktap_diag("%d areas are on, and %d calls wait", areas, waiting);
	EXPECT_EQ(areas + waiting, TYPES - types_used());
	if (waiting < TYPES) {
		EXPECT_EQ(touch_end(&calls[waiting]), COMPLETED);
		EXPECT_EQ(calls[waiting].result, -1);
		EXPECT_EQ(calls[waiting].error, EPERM);
	}
	REQUIRE_EQ(uffd_zeropage(a.uffd, a.map, a.size, 0), 0);
	for (int i = 0; i < waiting; i++) {
		EXPECT_EQ(touch_end(&calls[i]), COMPLETED);
		EXPECT_EQ(calls[i].error, ENOENT);	/* there is no file without a name */
	}
	EXPECT_EQ(areas_now(), areas);
}
CASE("X05_swap-limits", most_areas);
