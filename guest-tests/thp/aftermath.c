// SPDX-License-Identifier: GPL-2.0
/*
 * What the split of a huge mapping for write protection leaves: the range is mapped huge again when
 * nobody watches it any more, and memory that was locked is locked.
 * Needs: REGISTER(WP) on shmem, CONFIG_TRANSPARENT_HUGEPAGE.
 * T14_huge-again fails on a kernel that keeps the page table for good, because its khugepaged passes by a range
 * whose page is huge already: there munmap() and mmap() bring the huge mapping back (T09). T15_mlock-split and
 * -written fail on a kernel that gives up the lock of a huge page which is mapped by small entries. These ask for
 * that alone; whatever else is to be so in the same place is asked for in cases of their own, T14_small-again and
 * T15_mlock-protected.
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

static void by_unregister(struct area *a)
{
	SETUP(!uffd_unregister(a->uffd, a->map, a->size));
}

static void by_close(struct area *a)
{
	close(a->uffd);
	a->uffd = -1;
}

/* A huge page was mapped, protected, and released again. */
static void protect_and_release(struct area *a)
{
	khugepaged_eager_on_shmem();
	arm_huge(a, 1, 0);
	SETUP(!area_wp(a, 0, TABLE));
	NEED_HUGE(a, 0);
	SETUP(!area_unwp(a, 0, TABLE));
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

static void huge_again(void (*end)(struct area *a))
{
	struct area a;

	protect_and_release(&a);
	end(&a);
	let_khugepaged_work(&a);
	EXPECT_EQ(huge_mapped_kb(&a), HUGE_KB);
}

static void after_unregister(void)
{
	huge_again(by_unregister);
}
CASE("T14_huge-again-unregister", after_unregister);

static void after_close(void)
{
	huge_again(by_close);
}
CASE("T14_huge-again-close", after_close);

/*
 * However it is mapped then: the file has its huge page, with what was written to it, no page is protected, a write
 * costs no more than the fault that maps its page, and what is protected again traps.
 */
static void small_again(void (*end)(struct area *a))
{
	struct area a;
	long faults;

	protect_and_release(&a);
	REQUIRE_EQ(pm_count(a.map, TABLE, PM_UFFD_WP, 0), 0);
	end(&a);
	let_khugepaged_work(&a);
	EXPECT_EQ(fresh_mapping_kb(&a), HUGE_KB);
	judge_data(&a, 0, TABLE);
	EXPECT_EQ(pm_count(a.map, TABLE, PM_UFFD_WP, 0), 0);
	faults_of_writing(a.map, TABLE);
	faults = faults_of_writing(a.map, TABLE);
	EXPECT_MSG(!faults, "%ld faults of writing to what was written before", faults);
	area_register(&a, 0, UFFDIO_REGISTER_MODE_WP);
	EXPECT_NONE_TRAPS(&a, 0, TABLE / 4);
	REQUIRE_EQ(area_wp(&a, 0, TABLE), 0);
	EXPECT_EQ(pm_count(a.map, TABLE, PM_UFFD_WP, 0), TABLE);
	EXPECT_ALL_TRAP(&a, 0, TABLE);
}

static void small_after_unregister(void)
{
	small_again(by_unregister);
}
CASE("T14_small-again-unregister", small_after_unregister);

static void small_after_close(void)
{
	small_again(by_close);
}
CASE("T14_small-again-close", small_after_close);

/* What always helps: a new mapping in its place, and the page table is gone with the old one. */
static void after_mmap(void)
{
	long tables;
	struct area a;

	protect_and_release(&a);
	tables = status_kb("VmPTE");
	by_unregister(&a);
	SETUP(!munmap(a.map, a.size));
	SETUP(mmap(a.map, a.size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, a.fd, 0) == a.map);
	touch_read(a.map);
	EXPECT_EQ(huge_mapped_kb(&a), HUGE_KB);
	EXPECT_MSG(status_kb("VmPTE") <= tables, "VmPTE went from %ld to %ld kB", tables, status_kb("VmPTE"));
	judge_data(&a, 0, TABLE);
}
CASE("T14_huge-again-mmap", after_mmap);

/* A huge page that is mapped huge, and locked. Returns the locked kB of the machine. */
static long lock_huge(const struct area *a, long unlocked)
{
	long locked;

	SETUP_MSG(unlocked >= 0, "meminfo does not tell what is locked");
	SETUP(!mlock(a->map, a->size));
	NEED_HUGE(a, HUGE_KB);
	locked = meminfo_kb("Mlocked");
	SETUP_MSG(locked >= unlocked + HUGE_KB, "Mlocked went from %ld to %ld kB", unlocked, locked);
	return locked;
}

static void expect_locked(long locked)
{
	EXPECT_MSG(meminfo_kb("Mlocked") >= locked, "Mlocked went from %ld to %ld kB", locked, meminfo_kb("Mlocked"));
}

static void lock_and_protect(struct area *a, long *locked)
{
	long unlocked = meminfo_kb("Mlocked");

	arm_huge(a, 1, 0);
	*locked = lock_huge(a, unlocked);
	SETUP(!area_wp(a, 0, TABLE));
	touch_read_all(a, 0, TABLE);
}

static void stays_locked(void)
{
	struct area a;
	long locked;

	lock_and_protect(&a, &locked);
	expect_locked(locked);
}
CASE("T15_mlock-split", stays_locked);

/* The pages are there, and protected, whether they are locked or not. */
static void locked_is_protected(void)
{
	struct area a;
	long locked;

	lock_and_protect(&a, &locked);
	EXPECT_EQ(huge_mapped_kb(&a), 0);
	EXPECT_EQ(pm_count(a.map, TABLE, PM_UFFD_WP | PM_PRESENT, 0), TABLE);
	EXPECT_EQ(fresh_mapping_kb(&a), HUGE_KB);
	judge_data(&a, 0, TABLE);
	EXPECT_ALL_TRAP(&a, 0, TABLE);
	EXPECT_EQ(munlock(a.map, a.size), 0);
}
CASE("T15_mlock-protected", locked_is_protected);

/* Registered, mapped huge by a read, and locked: nothing is protected when it is written for the first time. */
static void lock_and_write(struct area *a, long *locked)
{
	long unlocked = meminfo_kb("Mlocked");

	need_shmem_wp();
	area_open(a, &thp_shmem, TABLE);
	populate(a, 0, TABLE);
	SETUP(!madvise(a->map, a->size, MADV_DONTNEED));
	area_register(a, 0, UFFDIO_REGISTER_MODE_WP);
	touch_read(a->map);
	*locked = lock_huge(a, unlocked);
	touch_write(a->map, file_value(0));
}

static void stays_locked_when_written(void)
{
	struct area a;
	long locked;

	lock_and_write(&a, &locked);
	expect_locked(locked);
}
CASE("T15_mlock-written", stays_locked_when_written);

static void locked_is_written(void)
{
	struct area a;
	long locked;

	lock_and_write(&a, &locked);
	EXPECT_EQ(pm_count(a.map, TABLE, PM_UFFD_WP, 0), 0);
	EXPECT_EQ(fresh_mapping_kb(&a), HUGE_KB);
	judge_data(&a, 0, TABLE);
	EXPECT_NONE_TRAPS(&a, 0, TABLE);
	REQUIRE_EQ(area_wp(&a, 0, TABLE), 0);
	EXPECT_EQ(pm_count(a.map, TABLE, PM_UFFD_WP, 0), TABLE);
	EXPECT_ALL_TRAP(&a, 0, TABLE);
	EXPECT_EQ(munlock(a.map, a.size), 0);
}
CASE("T15_mlock-written-data", locked_is_written);
