// SPDX-License-Identifier: GPL-2.0
/*
 * Moving a task with markers between cgroups of version 1 that move charges along
 * (memory.move_charge_at_immigrate) walks its page tables: markers stay, nothing crashes.
 * Needs: REGISTER(WP) on shmem, the memory controller in a version 1 hierarchy (SKIP where it is
 * taken by version 2 or not built: MEMCG_V1).
 * Fails on a kernel whose get_mctgt_type trips over a marker.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ktap.h"
#include "uffd.h"

#define PAGES 512
#define MOUNT "/tmp/wpci-memcg-v1"

static void unmount(void)
{
	file_write(MOUNT "/cgroup.procs", "0");
	rmdir(MOUNT "/a");
	rmdir(MOUNT "/b");
	umount(MOUNT);
	rmdir(MOUNT);
}

static void mount_v1(void)
{
	unmount();
	if (mkdir("/tmp", 0755) && errno != EEXIST)
		SETUP(!"mkdir /tmp");
	SETUP(!mkdir(MOUNT, 0755));
	if (mount("memory", MOUNT, "cgroup", 0, "memory"))
		SKIP("CONFIG_MEMCG_V1: mount of the memory controller, version 1: %s", strerror(errno));
}

static void move_charge(const struct backing *b)
{
	struct area a;

	area_arm(&a, b, PAGES, 0);
	mount_v1();
	SETUP(!mkdir(MOUNT "/a", 0755) && !mkdir(MOUNT "/b", 0755));
	SETUP(file_write(MOUNT "/a/memory.move_charge_at_immigrate", "3"));
	SETUP(file_write(MOUNT "/b/memory.move_charge_at_immigrate", "3"));
	SETUP(file_write(MOUNT "/a/cgroup.procs", "0"));
	touch_write_all(&a, 0, PAGES / 2);
	REQUIRE_EQ(area_wp(&a, 0, PAGES), 0);
	SETUP(!madvise(a.map, PAGES / 4 * PAGE, MADV_DONTNEED));
	EXPECT(file_write(MOUNT "/b/cgroup.procs", "0"));
	EXPECT_EQ(pm_count(a.map, PAGES, PM_UFFD_WP, 0), PAGES);
	for (int i = 0; i < PAGES; i += PAGES / 8)
		EXPECT_TRAPS(&a, area_page(&a, i));
	unmount();
}
CASE_ON(BACKINGS_SMALL, "N08_memcg-move", move_charge);
