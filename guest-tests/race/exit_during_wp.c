// SPDX-License-Identifier: GPL-2.0
/*
 * R12: a process ends, or is killed for its memory, while another one that holds its userfaultfd goes
 * on write-protecting it: in the end ESRCH, never a crash or a wait.
 * Needs: REGISTER(WP) on shmem; the OOM half MEMCG.
 * Fails on a kernel that works on a dying mm, or trips over markers in exit or the OOM reaper.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "access.h"
#include "backing.h"
#include "force.h"
#include "ktap.h"
#include "peer.h"
#include "proc.h"
#include "uffd.h"

#define PAGES 4096UL

static struct area area;

static uint64_t order_arm(void *backing, uint64_t unused)
{
	(void)unused;
	area_register(&area, 0, UFFDIO_REGISTER_MODE_WP);
	touch_write_all(&area, 0, PAGES / 8);
	(void)backing;
	return area.uffd;
}

/* By faults, not by mmap: its lock is what the other process is always on. */
static uint64_t order_eat(void *unused, uint64_t unused2)
{
	size_t size = 64 << 20;
	char *map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	(void)unused, (void)unused2;
	SETUP(map != MAP_FAILED);
	SETUP(file_write("/proc/self/oom_score_adj", "1000"));
	for (size_t at = 0; at < size; at += PAGE)
		touch_write(map + at, 1);
	return 0;
}

static uint64_t order_exit(void *unused, uint64_t unused2)
{
	(void)unused, (void)unused2;
	_exit(0);
}

static int take_uffd(const struct peer *p, int fd)
{
	int pidfd = (int)syscall(SYS_pidfd_open, p->pid, 0), mine;

	SETUP(pidfd >= 0);
	mine = (int)syscall(SYS_pidfd_getfd, pidfd, fd, 0);
	SETUP(mine >= 0);
	close(pidfd);
	return mine;
}

/* WP and un-WP until the address space is gone. Returns how often it worked. */
static long protect_until_gone(int uffd)
{
	long count = 0;

	for (;; count++) {
		int err = uffd_writeprotect(uffd, area.map, area.size,
					    count % 2 ? 0 : UFFDIO_WRITEPROTECT_MODE_WP);

		if (err == -ESRCH)
			return count;
		REQUIRE_MSG(!err || err == -EAGAIN, "WRITEPROTECT of a dying process: %s", strerror(-err));
	}
}

static long one_death(const struct backing *b, int how)
{
	struct peer victim;
	long count;
	int uffd;

	peer_start(&victim);
	uffd = take_uffd(&victim, (int)peer_call(&victim, order_arm, (void *)b, 0));
	REQUIRE_EQ(uffd_writeprotect(uffd, area.map, area.size, UFFDIO_WRITEPROTECT_MODE_WP), 0);
	if (how == 0)
		kill(victim.pid, SIGKILL);
	else
		peer_post(&victim, how == 1 ? order_exit : order_eat, NULL, 0);
	count = protect_until_gone(uffd);
	close(victim.orders);
	close(victim.answers);
	SETUP(waitpid(victim.pid, NULL, 0) == victim.pid);
	close(uffd);
	ktap_held();
	return count;
}

static void deaths(const struct backing *b, bool oom)
{
	double end = ktap_now() + ktap_budget() / 2;
	long rounds, count = 0;

	need_shmem_wp();
	if (oom) {
		cgroup_enter();
		cgroup_limit("24M");
	}
	area_open_aligned(&area, b, PAGES, HUGE);
	for (rounds = 0; rounds < 2 || ktap_now() < end; rounds++)
		count += one_death(b, oom ? 2 : rounds % 2);
	ktap_diag("%ld deaths, %ld WRITEPROTECTs meanwhile", rounds, count);
}

static void by_exit(const struct backing *b)
{
	deaths(b, false);
}
CASE_BUDGET_ON(((const struct backing *const []){ &memfd_shared, &memfd_private, NULL }), "R12_exit-during-wp", by_exit);

static void by_oom(const struct backing *b)
{
	deaths(b, true);
}
CASE_BUDGET_ON(((const struct backing *const []){ &memfd_shared, &memfd_private, NULL }), "R12_oom-during-wp", by_oom);
