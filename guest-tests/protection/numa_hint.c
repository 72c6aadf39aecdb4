// SPDX-License-Identifier: GPL-2.0
/*
 * A NUMA hinting fault on a protected page does not make it writable, also where it moves the page, small or
 * huge, to the node of who touched it.
 * Needs: REGISTER(WP) on shmem, write protection of anonymous memory, NUMA_BALANCING, two NUMA nodes;
 * -anon-huge TRANSPARENT_HUGEPAGE. Before 5.12 the kernel never hints shared memory (mbind refuses
 * MPOL_F_NUMA_BALANCING): there the test is a check that it does not, and that the pages are protected after
 * the scanner has had its time.
 * Fails on a kernel whose do_numa_page takes write permission from vm_page_prot, or whose
 * migrate_misplaced_transhuge_page makes the new entry without a look at the old one (-anon-huge).
 */
#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "access.h"
#include "backing.h"
#include "force.h"
#include "ktap.h"
#include "proc.h"
#include "settings.h"
#include "trap.h"
#include "uffd.h"

#define PAGES 64
#define MPOL_BIND 2
#define MPOL_F_NUMA_BALANCING (1 << 13)
#define BALANCING "/proc/sys/kernel/numa_balancing"

/* The scanner works for running tasks: run, and touch what it may have hinted. */
static long hinted(const struct area *a, double seconds)
{
	long before = vmstat("numa_hint_faults");
	double end = ktap_now() + seconds;

	while (ktap_now() < end && vmstat("numa_hint_faults") < before + 8)
		touch_read_all(a, 0, PAGES);
	return vmstat("numa_hint_faults") - before;
}

static void balance(const char *on)
{
	if (access(BALANCING, F_OK))
		SKIP("CONFIG_NUMA_BALANCING: " BALANCING " is not there");
	set_file(BALANCING, on);
}

static void numa_hint(const struct backing *b)
{
	unsigned long nodes = 3;
	struct area a;
	bool hinting;

	area_arm(&a, b, PAGES, 0);
	balance("1");
	hinting = !syscall(SYS_mbind, a.map, a.size, MPOL_BIND | MPOL_F_NUMA_BALANCING, &nodes, 8, 0);
	SETUP_MSG(hinting || errno == EINVAL, "mbind: %s", strerror(errno));
	touch_write_all(&a, 0, PAGES);
	REQUIRE_EQ(area_wp(&a, 0, PAGES), 0);
	if (hinting)
		SETUP_MSG(hinted(&a, 12) > 0, "no NUMA hinting fault in 12 seconds");
	else
		hinted(&a, 2);
	EXPECT_EQ(pm_count(a.map, PAGES, PM_UFFD_WP, 0), PAGES);
	for (int i = 0; i < PAGES; i += 7)
		EXPECT_TRAPS(&a, area_page(&a, i));
}
CASE_ON(((const struct backing *const []){ &memfd_shared, &anon_shared, NULL }), "P06_numa-hint", numa_hint);

/* Stay where this thread is now; the node of that. */
static int pin_here(void)
{
	unsigned int cpu, node;
	cpu_set_t one;

	SETUP(!syscall(SYS_getcpu, &cpu, &node, NULL));
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	SETUP(!sched_setaffinity(0, sizeof(one), &one));
	SETUP(!syscall(SYS_getcpu, &cpu, &node, NULL));
	return (int)node;
}

/* Of small pages, the last ones may wait for the LRU lists, with a reference that keeps them from being moved. */
static bool came_to(const struct area *a, int node)
{
	return node_of(a->map) == node && node_of(area_page(a, a->pages / 2)) == node;
}

/* Pages on the node that is not this thread's, protected; touch them until hints have brought them here. */
static void pulled(struct area *a, size_t step)
{
	int here = pin_here();
	double end;

	for (size_t i = 0; i < a->pages; i += step)
		if (node_of(area_page(a, i)) == here)
			migrate(a, i, 1, MPOL_MF_MOVE);
	area_register(a, 0, UFFDIO_REGISTER_MODE_WP);
	REQUIRE_EQ(area_wp(a, 0, a->pages), 0);
	SETUP(!came_to(a, here));
	balance("1");
	end = ktap_now() + 12;
	while (ktap_now() < end && !came_to(a, here))
		touch_read_all(a, 0, a->pages);
	SETUP_MSG(came_to(a, here), "no NUMA hinting fault moved the pages in 12 seconds");
	for (size_t i = 0; i < a->pages; i += a->pages / 8)
		EXPECT_TRAPS(a, area_page(a, i));
}

static void pulled_small(void)
{
	struct area a;

	need_anon_wp();
	balance("0");
	area_open(&a, &anon, PAGES);
	touch_write_all(&a, 0, PAGES);
	pulled(&a, 1);
}
CASE("P06_numa-hint-anon", pulled_small);

static void pulled_huge(void)
{
	struct area a;

	need_anon_wp();
	balance("0");
	area_open_aligned(&a, &anon, HUGE / PAGE, HUGE);
	if (madvise(a.map, a.size, MADV_HUGEPAGE))
		SKIP("CONFIG_TRANSPARENT_HUGEPAGE: MADV_HUGEPAGE: %s", strerror(errno));
	touch_write_all(&a, 0, a.pages);
	SETUP_MSG(huge_mapped_kb(&a) == (long)(HUGE >> 10), "%ld kB are mapped huge", huge_mapped_kb(&a));
	pulled(&a, HUGE / PAGE);
}
CASE("P06_numa-hint-anon-huge", pulled_huge);
