// SPDX-License-Identifier: GPL-2.0
/*
 * The page tables that WRITEPROTECT makes for a range are the mm's own, and are charged to the memory
 * cgroup of whoever calls it: a manager pays for the memory it watches, and is killed where its
 * cgroup has no room for that.
 * Needs: REGISTER(WP) on shmem, MEMCG, pidfd_getfd(2).
 * Holds what Documentation/admin-guide/mm/userfaultfd.rst says of it; mainline does the same.
 */
#include <signal.h>
#include <sys/wait.h>

#include "access.h"
#include "backing.h"
#include "force.h"
#include "ktap.h"
#include "peer.h"
#include "proc.h"
#include "trap.h"
#include "uffd.h"

#define GB (1UL << 30)
#define LIMIT "16M"
#define TOO_MUCH (32 * GB)	/* 64 MB of page tables */

static struct area area;

/* An order to the manager: live in a small cgroup from now on. */
static uint64_t confine(void *unused, uint64_t unused2)
{
	(void)unused, (void)unused2;
	cgroup_enter();
	cgroup_limit(LIMIT);
	SETUP(file_write("/proc/self/oom_score_adj", "1000"));
	return 0;
}

static uint64_t protect(void *unused, uint64_t bytes)
{
	(void)unused;
	return -uffd_writeprotect(area.uffd, area.map, bytes, UFFDIO_WRITEPROTECT_MODE_WP);
}

static uint64_t charged_kb(void *unused, uint64_t unused2)
{
	(void)unused, (void)unused2;
	return (uint64_t)cgroup_charged() / 1024;
}

static void arm(struct peer *manager)
{
	area_arm(&area, &memfd_shared, TOO_MUCH / PAGE, 0);
	peer_start(manager);	/* has the userfaultfd by inheritance */
	SETUP(!peer_call(manager, confine, NULL, 0));
}

static void who_pays(void)
{
	struct peer manager;
	long tables, charged;

	arm(&manager);
	tables = status_kb("VmPTE");
	charged = (long)peer_call(&manager, charged_kb, NULL, 0);
	REQUIRE_EQ(peer_call(&manager, protect, NULL, GB), 0);
	EXPECT_MSG(status_kb("VmPTE") >= tables + 2048, "VmPTE went from %ld to %ld kB", tables, status_kb("VmPTE"));
	charged = (long)peer_call(&manager, charged_kb, NULL, 0) - charged;
	EXPECT_MSG(charged >= 2048, "the caller was charged %ld kB", charged);
	EXPECT_EQ(peer_end(&manager), 0);
}
CASE("X06_charge", who_pays);

static void no_room(void)
{
	struct peer manager;
	int status;

	arm(&manager);
	peer_post(&manager, protect, NULL, TOO_MUCH);
	status = peer_reap(&manager);
	EXPECT_MSG(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "the caller ended with status %#x", status);
	/* Whose memory it is does not notice, and is protected where the caller got to, or not at all. */
	REQUIRE_EQ(area_wp(&area, 0, 4), 0);
	EXPECT_TRAPS(&area, area.map);
}
CASE("X06_charge-oom", no_room);
