// SPDX-License-Identifier: GPL-2.0
/*
 * Write protection has its price, and only while it is there: once the mapping is no longer registered
 * for it, pages that were read cost no second fault when they are written.
 * Needs: REGISTER(WP) on shmem.
 * Fails on a kernel that leaves a mapping with the default protection of a watched one after
 * UNREGISTER, close, mremap without an event, or REGISTER without WP.
 */
#include <unistd.h>

#include "access.h"
#include "backing.h"
#include "ktap.h"
#include "proc.h"
#include "uffd.h"

#define PAGES 64
#define FEW (PAGES / 4)

/* @pages pages of the page cache are mapped by reading them, and are writable then. */
static void judge(char *map, size_t pages)
{
	long n;

	SETUP(!madvise(map, pages * PAGE, MADV_DONTNEED));
	for (size_t i = 0; i < pages; i++)
		touch_read(map + i * PAGE);
	n = faults_of_writing(map, pages);
	EXPECT_MSG(n < FEW, "%ld faults of writing to %zu pages that were mapped by reading", n, pages);
}

static void protect(struct area *a, const struct backing *b)
{
	area_arm(a, b, PAGES, 0);
	area_fill_file(a, 0, PAGES);
	REQUIRE_EQ(area_wp(a, 0, PAGES / 2), 0);
}

static void after_unregister(const struct backing *b)
{
	struct area a;

	protect(&a, b);
	REQUIRE_EQ(uffd_unregister(a.uffd, a.map, a.size), 0);
	judge(a.map, PAGES);
}
CASE_ON(BACKINGS_SHARED_SMALL, "L01_unreg-faults", after_unregister);

static void after_close(const struct backing *b)
{
	struct area a;

	protect(&a, b);
	close(a.uffd);
	a.uffd = -1;
	judge(a.map, PAGES);
}
CASE_ON(BACKINGS_SHARED_SMALL, "L04_close-faults", after_close);

static void after_mremap(const struct backing *b)
{
	struct area a, target;

	protect(&a, b);
	area_open(&target, &anon, PAGES);
	SETUP(mremap(a.map, a.size, a.size, MREMAP_MAYMOVE | MREMAP_FIXED, target.map) == target.map);
	judge(target.map, PAGES);
}
CASE_ON(BACKINGS_SHARED_SMALL, "L09_mremap-noevent-faults", after_mremap);

static void after_other_register(const struct backing *b)
{
	struct area a;

	protect(&a, b);
	need_drop_wp();
	REQUIRE_EQ(uffd_register(a.uffd, a.map, a.size, UFFDIO_REGISTER_MODE_MISSING, NULL), 0);
	judge(a.map, PAGES);
}
CASE_ON(BACKINGS_SHARED_SMALL, "L15_rereg-drop-wp-faults", after_other_register);
