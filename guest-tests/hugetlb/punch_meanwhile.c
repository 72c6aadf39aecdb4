// SPDX-License-Identifier: GPL-2.0
/*
 * H29: several processes write to pages of hugetlbfs while another one punches them away.
 * Needs: REGISTER(WP) on hugetlbfs. Nothing is registered, but a kernel without it is not asked: 5.10.262
 * hangs, and the tasks and huge pages of this case are lost to those that follow.
 * Fails on a kernel that takes the lock of a page and i_mmap_rwsem in one order to punch, and in the other to fault.
 */
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "access.h"
#include "backing.h"
#include "ktap.h"

#define PAGES 4
#define WRITERS 4

static pid_t writer(const struct area *a, size_t first)
{
	pid_t pid = fork();

	SETUP(pid >= 0);
	if (pid)
		return pid;
	for (size_t page = first;; page++)
		touch_write(area_page(a, page % PAGES), page);
}

static void punch_meanwhile(const struct backing *b)
{
	double end = ktap_now() + ktap_budget();
	pid_t writers[WRITERS];
	struct area a;
	long rounds;

	backing_need_wp(b);
	area_open(&a, b, PAGES);
	for (int i = 0; i < WRITERS; i++)
		writers[i] = writer(&a, (size_t)i);
	for (rounds = 0; rounds < 10 || ktap_now() < end; rounds++)
		REQUIRE_EQ(fallocate(a.fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, (off_t)a.size), 0);
	for (int i = 0; i < WRITERS; i++) {
		kill(writers[i], SIGKILL);
		SETUP(waitpid(writers[i], NULL, 0) == writers[i]);
	}
	ktap_diag("%ld rounds", rounds);
}
static const struct backing *const backings[] = { &hugetlb_shared, &hugetlb_private, NULL };
CASE_BUDGET_ON(backings, "H29_punch-meanwhile", punch_meanwhile);
