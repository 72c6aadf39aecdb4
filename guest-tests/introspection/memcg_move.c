// SPDX-License-Identifier: GPL-2.0
/*
 * Moving a task with markers between cgroups of version 1 that move charges along
 * (memory.move_charge_at_immigrate) walks its page tables: a marker stays, and a page of the file that
 * lies behind one moves as it does behind an empty pte.
 * Needs: REGISTER(WP) on shmem, version 1 of the memory controller, in a guest that leaves it to that
 * (the variant memcg1, which says so on its command line): version 2 does not get the controller back
 * before the last page is freed that was charged, and other tests need it.
 * Fails on a kernel whose get_mctgt_type() takes a marker for a page that is migrated, or trips over it.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "access.h"
#include "backing.h"
#include "force.h"
#include "ktap.h"
#include "proc.h"
#include "trap.h"

#define PAGES 1024
#define MARKED (PAGES / 2)
/* The counters of a cgroup may be behind by so much: 32 pages a CPU. */
#define UNSURE (PAGES / 4)
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
	if (!memcg_is_v1())
		SKIP("the memory controller is version 2's in this guest");
	unmount();
	if (mkdir("/tmp", 0755) && errno != EEXIST)
		SETUP(!"mkdir /tmp");
	SETUP(!mkdir(MOUNT, 0755));
	SETUP_MSG(!mount("memory", MOUNT, "cgroup", 0, "memory"), "mount of the memory controller: %s", strerror(errno));
}

/* Pages of files (shmem counts as such) that are charged to the first cgroup. */
static long file_pages(void)
{
	char text[4096], *line;

	SETUP(file_read(MOUNT "/a/memory.stat", text, sizeof(text)));
	line = strstr(text, "cache ");
	SETUP(line);
	return atol(line + strlen("cache ")) / PAGE;
}

static void move_charge(const struct backing *b)
{
	struct area a;
	long before;

	area_arm(&a, b, PAGES, 0);
	mount_v1();
	SETUP(!mkdir(MOUNT "/a", 0755) && !mkdir(MOUNT "/b", 0755));
	SETUP(file_write(MOUNT "/b/memory.move_charge_at_immigrate", "3"));
	SETUP(file_write(MOUNT "/a/cgroup.procs", "0"));
	touch_write_all(&a, 0, PAGES);
	REQUIRE_EQ(area_wp(&a, 0, PAGES), 0);
	SETUP(!madvise(a.map, MARKED * PAGE, MADV_DONTNEED));
	before = file_pages();
	EXPECT(file_write(MOUNT "/b/cgroup.procs", "0"));
	if (b->shared) {
		SETUP_MSG(before > PAGES - UNSURE, "only %ld pages are charged", before);
		EXPECT_MSG(file_pages() < UNSURE, "%ld of %ld pages stay where they were charged", file_pages(), before);
	}
	EXPECT_EQ(pm_count(a.map, PAGES, PM_UFFD_WP, 0), PAGES);
	for (int i = 0; i < PAGES; i += PAGES / 8)
		EXPECT_TRAPS(&a, area_page(&a, i));
	unmount();
}
CASE_ON(BACKINGS_SMALL, "N08_memcg-move", move_charge);
