// SPDX-License-Identifier: GPL-2.0
/*
 * What the split of a huge mapping for write protection leaves: the range is mapped huge again when
 * nobody watches it any more, and memory that was locked is locked.
 * Needs: REGISTER(WP) on shmem, CONFIG_TRANSPARENT_HUGEPAGE.
 * T14 fails on a kernel that keeps the page table for good, because its khugepaged passes by a range
 * whose page is huge already: there munmap() and mmap() bring the huge mapping back (T09). T15 fails on a
 * kernel that gives up the lock of a huge page which is mapped by small entries.
 */
#include <unistd.h>

#include "access.h"
#include "backing.h"
#include "force.h"
#include "khugepaged.h"
#include "ktap.h"
#include "proc.h"
#include "sweep.h"
#include "thp.h"
#include "uffd.h"

/* A huge page was mapped, protected, and released again. */
static void protect_and_release(struct area *a)
{
	khugepaged_eager_on_shmem();
	arm_huge(a, 1, 0);
	REQUIRE_EQ(area_wp(a, 0, TABLE), 0);
	EXPECT_EQ(huge_mapped_kb(a), 0);
	REQUIRE_EQ(area_unwp(a, 0, TABLE), 0);
}

/* khugepaged has been through this mapping: one that it has no part in shows that it works. */
static void let_khugepaged_work(const struct area *a)
{
	long before = khugepaged_collapsed();
	struct area plain;

	area_open_aligned(&plain, &memfd_shared, TABLE, HUGE);
	touch_write_all(&plain, 0, TABLE);
	touch_read_all(a, 0, TABLE);
	offer_to_khugepaged(a->map, a->size);
	offer_to_khugepaged(plain.map, plain.size);
	while (khugepaged_collapsed() == before)
		usleep(1000);
	for (int tries = 0; tries < 5 && huge_mapped_kb(a) != HUGE_KB; tries++)	/* it gives up what it cannot have at once */
		khugepaged_scans(3);
	area_close(&plain);
}

static void after_unregister(void)
{
	struct area a;

	protect_and_release(&a);
	REQUIRE_EQ(uffd_unregister(a.uffd, a.map, a.size), 0);
	let_khugepaged_work(&a);
	EXPECT_EQ(huge_mapped_kb(&a), HUGE_KB);
	judge_data(&a, 0, TABLE);
}
CASE("T14_huge-again-unregister", after_unregister);

static void after_close(void)
{
	struct area a;

	protect_and_release(&a);
	close(a.uffd);
	let_khugepaged_work(&a);
	EXPECT_EQ(huge_mapped_kb(&a), HUGE_KB);
	judge_data(&a, 0, TABLE);
}
CASE("T14_huge-again-close", after_close);

/* What always helps: a new mapping in its place, and the page table is gone with the old one. */
static void after_mmap(void)
{
	long tables;
	struct area a;

	protect_and_release(&a);
	tables = status_kb("VmPTE");
	REQUIRE_EQ(uffd_unregister(a.uffd, a.map, a.size), 0);
	SETUP(!munmap(a.map, a.size));
	SETUP(mmap(a.map, a.size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, a.fd, 0) == a.map);
	touch_read(a.map);
	EXPECT_EQ(huge_mapped_kb(&a), HUGE_KB);
	EXPECT_MSG(status_kb("VmPTE") <= tables, "VmPTE went from %ld to %ld kB", tables, status_kb("VmPTE"));
	judge_data(&a, 0, TABLE);
}
CASE("T14_huge-again-mmap", after_mmap);

static void stays_locked(void)
{
	long unlocked = meminfo_kb("Mlocked"), locked;
	struct area a;

	SETUP_MSG(unlocked >= 0, "meminfo does not tell what is locked");
	arm_huge(&a, 1, 0);
	SETUP(!mlock(a.map, a.size));
	locked = meminfo_kb("Mlocked");
	SETUP_MSG(locked >= unlocked + HUGE_KB, "Mlocked went from %ld to %ld kB", unlocked, locked);
	REQUIRE_EQ(area_wp(&a, 0, TABLE), 0);
	touch_read_all(&a, 0, TABLE);
	EXPECT_EQ(pm_count(a.map, TABLE, PM_UFFD_WP | PM_PRESENT, 0), TABLE);
	EXPECT_MSG(meminfo_kb("Mlocked") >= locked, "Mlocked went from %ld to %ld kB", locked, meminfo_kb("Mlocked"));
	EXPECT_ALL_TRAP(&a, 0, 8);
}
CASE("T15_mlock-split", stays_locked);
