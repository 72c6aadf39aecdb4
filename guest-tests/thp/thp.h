/* SPDX-License-Identifier: GPL-2.0 */
/* thp.h: areas of huge pages, for this group. */
#ifndef THP_H
#define THP_H

#include "access.h"
#include "backing.h"
#include "force.h"
#include "khugepaged.h"
#include "ktap.h"
#include "proc.h"
#include "uffd.h"

#define TABLE (HUGE / PAGE)	/* the small pages of a huge one */
#define HUGE_KB ((long)(HUGE >> 10))

#define NEED_HUGE(a, kb) \
	SETUP_MSG(huge_mapped_kb(a) == (kb), "%ld kB are mapped huge, not %ld", huge_mapped_kb(a), (long)(kb))

/* Mapped by huge entries, with data, and registered after that. */
static inline void arm_huge(struct area *a, size_t huge_pages, __u64 features)
{
	need_shmem_wp();
	area_open(a, &thp_shmem, huge_pages * TABLE);
	populate(a, 0, a->pages);
	NEED_HUGE(a, (long)huge_pages * HUGE_KB);
	area_register(a, features, UFFDIO_REGISTER_MODE_WP);
}

/* A memfd of small pages that khugepaged may make huge once MADV_HUGEPAGE says so. */
static inline void arm_small(struct area *a)
{
	need_shmem_wp();
	khugepaged_eager_on_shmem();
	area_open_aligned(a, &memfd_shared, TABLE, HUGE);
	populate(a, 0, TABLE);
	NEED_HUGE(a, 0);
}

/* Offer a mapping to khugepaged. 5.10 looks at it only when it has the flag already: say it twice. */
static inline void offer_to_khugepaged(char *map, size_t size)
{
	SETUP(!madvise(map, size, MADV_HUGEPAGE));
	SETUP(!madvise(map, size, MADV_HUGEPAGE));
}

/* How much of a fresh aligned mapping of the area's file is mapped huge by one read, in kB. */
static inline long fresh_mapping_kb(const struct area *a)
{
	char *hole = mmap(NULL, a->size + HUGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), *map;
	long kb;

	SETUP(hole != MAP_FAILED);
	map = (char *)(((uintptr_t)hole + HUGE - 1) / HUGE * HUGE);
	SETUP(mmap(map, a->size, PROT_READ, MAP_SHARED | MAP_FIXED, a->fd, 0) == map);
	touch_read(map);
	kb = smaps_kb(map, "ShmemPmdMapped");
	munmap(hole, a->size + HUGE);
	return kb;
}

/* All pages of the range still hold what touch_write_all() put there. */
static inline void judge_data(const struct area *a, size_t first, size_t pages)
{
	size_t wrong = 0;

	for (size_t i = first; i < first + pages; i++)
		wrong += touch_read(area_page(a, i)) != file_value(i);
	EXPECT_EQ(wrong, 0);
}

#endif
