// SPDX-License-Identifier: GPL-2.0
/*
 * What the end of a registration leaves beside the uffd-wp bit: a write that soft-dirty tracking wants to
 * see is seen, what was written is not lost, pages that nobody had protected are written without a
 * fault, and huge entries that nobody had split are whole.
 * Needs: REGISTER(WP) on shmem; -soft-dirty MEM_SOFT_DIRTY, -data a swap device, -huge TRANSPARENT_HUGEPAGE.
 * Fails on a kernel that gives write permission back by itself, drops the dirty bit with the other one, or
 * rewrites every entry of the range.
 */
#include <string.h>
#include <unistd.h>

#include "access.h"
#include "backing.h"
#include "force.h"
#include "ktap.h"
#include "proc.h"
#include "uffd.h"

#define PAGES 64
#define CLEAR_REFS "/proc/self/clear_refs"

/* The ways in which protection ends: by itself, or with its registration. */
struct end {
	const char *name;
	void (*make)(struct area *a);
};

static void by_unwp(struct area *a)
{
	REQUIRE_EQ(area_unwp(a, 0, a->pages), 0);
}

static void by_unregister(struct area *a)
{
	REQUIRE_EQ(uffd_unregister(a->uffd, a->map, a->size), 0);
}

static void by_close(struct area *a)
{
	close(a->uffd);
	a->uffd = -1;
}

static void by_register(struct area *a)
{
	REQUIRE_EQ(uffd_register(a->uffd, a->map, a->size, UFFDIO_REGISTER_MODE_MISSING, NULL), 0);
}

static void by_mremap(struct area *a)
{
	char *to = mmap(NULL, a->size + HUGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	SETUP(to != MAP_FAILED);
	to = (char *)(((uintptr_t)to + HUGE - 1) / HUGE * HUGE);
	SETUP(mremap(a->map, a->size, a->size, MREMAP_MAYMOVE | MREMAP_FIXED, to) == to);
	a->map = to;
}

static const struct end ends[] = {
	{ "un-WP", by_unwp }, { "UNREGISTER", by_unregister }, { "close", by_close },
	{ "REGISTER", by_register }, { "mremap", by_mremap },
};

#define ENDS (sizeof(ends) / sizeof(*ends))

static bool is_offered(size_t end)
{
	return ends[end].make != by_register || may_drop_wp();
}

/* A page that is written before clear_refs, and protected after it. */
static void soft_dirty(const struct backing *b)
{
	for (size_t e = 0; e < ENDS; e++) {
		struct area a;
		size_t seen;

		if (ends[e].make == by_mremap || !is_offered(e))	/* what moves is soft-dirty altogether */
			continue;
		area_arm(&a, b, PAGES, 0);
		touch_write_all(&a, 0, PAGES);
		if (!(pm(a.map) & PM_SOFT_DIRTY))
			SKIP("CONFIG_MEM_SOFT_DIRTY: a written page is not soft-dirty");
		SETUP(file_write(CLEAR_REFS, "4"));
		touch_read_all(&a, 0, PAGES);
		REQUIRE_EQ(area_wp(&a, 0, PAGES), 0);
		ends[e].make(&a);
		EXPECT_EQ(pm_count(a.map, PAGES, PM_UFFD_WP, 0), 0);
		EXPECT_EQ(pm_count(a.map, PAGES, PM_PRESENT, PM_SOFT_DIRTY), PAGES);
		touch_write_all(&a, 0, PAGES);
		seen = pm_count(a.map, PAGES, PM_SOFT_DIRTY, 0);
		EXPECT_MSG(seen == PAGES, "after %s, %zu of %d writes are soft-dirty", ends[e].name, seen, PAGES);
		area_close(&a);
	}
}
CASE_ON(BACKINGS_SMALL, "L22_end-soft-dirty", soft_dirty);

/* Written, and protected while dirty; then reclaim has the choice of writing it out or dropping it. */
static void data(const struct backing *b)
{
	need_shmem_wp();
	need_swap();
	for (size_t e = 0; e < ENDS; e++) {
		struct area a;
		size_t wrong = 0;

		if (!is_offered(e))
			continue;
		area_arm(&a, b, PAGES, 0);
		touch_write_all(&a, 0, PAGES);
		REQUIRE_EQ(area_wp(&a, 0, PAGES), 0);
		ends[e].make(&a);
		swap_out(&a, 0, PAGES);
		for (size_t i = 0; i < PAGES; i++)
			wrong += touch_read(area_page(&a, i)) != file_value(i);
		EXPECT_MSG(!wrong, "after %s, %zu of %d pages have lost what was written", ends[e].name, wrong, PAGES);
		area_close(&a);
	}
}
CASE_ON(BACKINGS_SMALL, "L22_end-data", data);

/* Freed by MADV_FREE and written again: its entry's dirty bit alone keeps the page from being thrown away. */
static void lazyfree(const struct backing *b)
{
	for (size_t e = 0; e < ENDS; e++) {
		struct area a;
		size_t lost = 0;

		if (!is_offered(e))
			continue;
		area_arm(&a, b, PAGES, 0);
		touch_write_all(&a, 0, PAGES);
		SETUP(!madvise(a.map, a.size, MADV_FREE));
		touch_write_all(&a, 0, PAGES);
		REQUIRE_EQ(area_wp(&a, 0, PAGES), 0);
		ends[e].make(&a);
		SETUP(!madvise(a.map, a.size, MADV_PAGEOUT));
		for (size_t i = 0; i < PAGES; i++)
			lost += touch_read(area_page(&a, i)) != file_value(i);
		EXPECT_MSG(!lost, "after %s, %zu of %d pages have lost what was written", ends[e].name, lost, PAGES);
		area_close(&a);
	}
}
CASE_ON(BACKINGS_ANON, "L22_end-lazyfree", lazyfree);

static void writes(const struct backing *b)
{
	for (size_t e = 0; e < ENDS; e++) {
		struct area a;
		long n;

		if (ends[e].make == by_mremap || !is_offered(e))	/* which moves entries as they are, but not all of them */
			continue;
		area_arm(&a, b, PAGES, 0);
		touch_write_all(&a, 0, PAGES);
		REQUIRE_EQ(area_wp(&a, PAGES / 2, PAGES / 2), 0);
		ends[e].make(&a);
		n = faults_of_writing(a.map, PAGES / 2);
		EXPECT_MSG(n < PAGES / 8, "after %s, %ld faults of writing to %d pages that were writable",
			   ends[e].name, n, PAGES / 2);
		area_close(&a);
	}
}
CASE_ON(BACKINGS_ALL_SMALL, "L22_end-writes", writes);

static void huge(void)
{
	const long kb = HUGE >> 10;

	need_shmem_wp();
	for (size_t e = 0; e < ENDS; e++) {
		struct area a;

		if (!is_offered(e))
			continue;
		area_open(&a, &thp_shmem, 2 * HUGE / PAGE);
		populate(&a, 0, a.pages);
		SETUP_MSG(huge_mapped_kb(&a) == 2 * kb, "%ld kB are mapped huge", huge_mapped_kb(&a));
		area_register(&a, 0, UFFDIO_REGISTER_MODE_WP);
		REQUIRE_EQ(area_wp(&a, 3, 1), 0);
		REQUIRE_EQ(huge_mapped_kb(&a), kb);
		ends[e].make(&a);
		EXPECT_MSG(huge_mapped_kb(&a) == kb, "after %s, %ld kB are mapped huge, not %ld", ends[e].name,
			   huge_mapped_kb(&a), kb);
		EXPECT_EQ(pm_count(a.map, a.pages, PM_UFFD_WP, 0), 0);
		area_close(&a);
	}
}
CASE("L22_end-huge", huge);
