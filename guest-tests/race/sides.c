// SPDX-License-Identifier: GPL-2.0
/* What others do to a file and its pages, for tests in which it happens at the wrong moment. */
#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "backing.h"
#include "force.h"
#include "khugepaged.h"
#include "ktap.h"
#include "proc.h"
#include "sides.h"

#define COLLAPSE_WAIT 0.5	/* seconds */

static int result(long err)
{
	return err < 0 ? errno : 0;
}

int side_punch(const struct area *a)
{
	return result(fallocate(a->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, (off_t)a->size));
}

int side_truncate(const struct area *a)
{
	int err = result(ftruncate(a->fd, 0));

	return err ? err : result(ftruncate(a->fd, (off_t)a->size));
}

int side_migrate(const struct area *a, pid_t owner)
{
	int node[SIDE_MOVES], status[SIDE_MOVES];
	void *addr[SIDE_MOVES];

	SETUP(a->pages <= SIDE_MOVES);
	for (size_t i = 0; i < a->pages; i++)
		addr[i] = area_page(a, i);
	if (syscall(SYS_move_pages, owner, a->pages, addr, NULL, status, 0))
		return errno;
	for (size_t i = 0; i < a->pages; i++)
		node[i] = status[i] != 1;
	return result(syscall(SYS_move_pages, owner, a->pages, addr, node, status, MPOL_MF_MOVE_ALL));
}

int side_reclaim(void)
{
	cgroup_squeeze("1M");
	return 0;
}

int side_collapse(const struct area *a)
{
	double end = ktap_now() + COLLAPSE_WAIT;
	long before = khugepaged_collapsed();

	for (int i = 0; i < 2; i++)	/* 5.10 looks at the flag that the call before has set */
		if (madvise(a->alias, a->size, MADV_HUGEPAGE))
			return errno;
	while (khugepaged_collapsed() == before && ktap_now() < end)
		usleep(500);
	return 0;
}

long side_migrated(void)
{
	return vmstat("pgmigrate_success");
}

long side_swapped(void)
{
	return vmstat("pswpout");
}

void need_migration(void)
{
	if (access("/sys/devices/system/node", F_OK))
		SKIP("CONFIG_NUMA: /sys/devices/system/node is not there");
	SETUP_MSG(!access("/sys/devices/system/node/node1", F_OK), "the machine has one NUMA node");
}

void need_reclaim(void)
{
	need_swap();
	cgroup_enter();
}
