// SPDX-License-Identifier: GPL-2.0
/*
 * A NUMA hinting fault on a protected page does not make it writable.
 * Needs: REGISTER(WP) on shmem, NUMA_BALANCING, two NUMA nodes. Before 5.12 the kernel never hints
 * shared memory (mbind refuses MPOL_F_NUMA_BALANCING): there the test is a check that it does not,
 * and that the pages are protected after the scanner has had its time.
 * Fails on a kernel whose do_numa_page takes write permission from vm_page_prot.
 */
#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "backing.h"
#include "ktap.h"
#include "proc.h"
#include "settings.h"
#include "trap.h"

#define PAGES 64
#define MPOL_BIND 2
#define MPOL_F_NUMA_BALANCING (1 << 13)

/* The scanner works for running tasks: run, and touch what it may have hinted. */
static long hinted(const struct area *a, double seconds)
{
	long before = vmstat("numa_hint_faults");
	double end = ktap_now() + seconds;

	while (ktap_now() < end && vmstat("numa_hint_faults") < before + 8)
		touch_read_all(a, 0, PAGES);
	return vmstat("numa_hint_faults") - before;
}

static void numa_hint(const struct backing *b)
{
	unsigned long nodes = 3;
	struct area a;
	bool hinting;

	area_arm(&a, b, PAGES, 0);
	if (access("/proc/sys/kernel/numa_balancing", F_OK))
		SKIP("CONFIG_NUMA_BALANCING: /proc/sys/kernel/numa_balancing is not there");
	set_file("/proc/sys/kernel/numa_balancing", "1");
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
