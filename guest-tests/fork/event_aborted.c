// SPDX-License-Identifier: GPL-2.0
/*
 * The fork event is never delivered: the manager closes the userfaultfd, or the forking process
 * is killed, while the event waits. A child that comes to life is not watched, and all its accesses
 * complete, over whatever fork had copied by then, with no more faults than without a userfaultfd.
 * If it registers its memory with a userfaultfd of its own, nothing is protected yet.
 * Needs: REGISTER(WP) on shmem or hugetlbfs, UFFD_FEATURE_EVENT_FORK; for anonymous memory no series.
 * Fails on a kernel whose faults do not tolerate a marker in a mapping without userfaultfd (SIGBUS,
 * an endless fault), or leave such ptes read-only for ever; that leaves the mapping with the default
 * protection of a watched one; or that protects, for a new registration, what the one of the parent
 * had protected.
 */
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "access.h"
#include "backing.h"
#include "ktap.h"
#include "peer.h"
#include "proc.h"
#include "trap.h"
#include "uffd.h"

#define PAGES 8
#define MORE_PAGES 64	/* of which PAGES are protected */

/* The event is there, and nobody reads it. */
static void wait_event(int uffd)
{
	struct pollfd pfd = { .fd = uffd, .events = POLLIN };

	while (poll(&pfd, 1, -1) != 1)
		;
	SETUP_MSG(pfd.revents & POLLIN, "poll of the userfaultfd says %#x", pfd.revents);
}

static void protect(struct area *a)
{
	area_register(a, UFFD_FEATURE_EVENT_FORK, UFFDIO_REGISTER_MODE_WP);
	if (a->backing->file)
		area_fill_file(a, 0, a->pages);
	else
		touch_write_all(a, 0, PAGES);
	touch_read_all(a, 0, PAGES / 2);
	REQUIRE_EQ(area_wp(a, 0, PAGES), 0);
}

/* pagemap may still show what fork had copied; no access may feel it. */
static void judge_child(struct area *a)
{
	for (int i = 0; i < PAGES; i++) {
		if (i % 2)
			EXPECT_EQ(touch_read(area_page(a, i)), file_value(i));
		EXPECT_NO_TRAP(a, area_page(a, i));
	}
}

/* Pages that the child has read cost no second fault when it writes them, but for those that fork has copied. */
static void judge_cost_of_child(struct area *a)
{
	long n;

	for (size_t i = 0; i < a->pages; i++)
		touch_read(area_page(a, i));
	n = faults_of_writing(a->map, a->pages);
	EXPECT_MSG(n < MORE_PAGES / 4, "%ld faults of a child that writes to %zu pages that it has read", n, a->pages);
}

/* The child guards the memory itself, and has protected nothing so far. */
static void judge_rearmed_child(struct area *a)
{
	area_register(a, 0, UFFDIO_REGISTER_MODE_WP);
	for (int i = 0; i < PAGES; i++)
		EXPECT_NO_TRAP(a, area_page(a, i));
	REQUIRE_EQ(area_wp(a, 0, PAGES), 0);
	for (int i = 0; i < PAGES; i++)
		EXPECT_TRAPS(a, area_page(a, i));
}

static void judge_parent(const struct area *a)
{
	EXPECT_EQ(area_count(a, PM_UFFD_WP, 0), 0);
	for (int i = 0; i < PAGES; i++)
		EXPECT_NO_TRAP(a, area_page(a, i));
}

/*
 * The orders of the process that forks. A half-made child has a copy of its descriptors already:
 * only a userfaultfd that it does not hold itself can be closed while it forks.
 */
static struct area area;

static uint64_t order_protect(void *unused, uint64_t unused2)
{
	(void)unused, (void)unused2;
	protect(&area);
	return area.uffd;
}

static uint64_t order_close(void *unused, uint64_t unused2)
{
	(void)unused, (void)unused2;
	close(area.uffd);
	area.uffd = -1;
	return 0;
}

static int fork_unwatched(void (*judge)(struct area *a))
{
	int status;
	pid_t pid = fork();

	SETUP(pid >= 0);
	if (!pid) {
		judge(&area);
		_exit(0);
	}
	SETUP(waitpid(pid, &status, 0) == pid);
	return status;
}

static uint64_t order_fork(void *unused, uint64_t unused2)
{
	int status = fork_unwatched(judge_child);

	(void)unused, (void)unused2;
	judge_parent(&area);
	return status;
}

static uint64_t order_fork_to_count(void *unused, uint64_t unused2)
{
	(void)unused, (void)unused2;
	return fork_unwatched(judge_cost_of_child);
}

static uint64_t order_fork_to_rearm(void *unused, uint64_t unused2)
{
	(void)unused, (void)unused2;
	return fork_unwatched(judge_rearmed_child);
}

/* The userfaultfd of the peer, in this process only. */
static int take_uffd(struct peer *p, int fd)
{
	int pidfd = (int)syscall(SYS_pidfd_open, p->pid, 0), mine;

	SETUP(pidfd >= 0);
	mine = (int)syscall(SYS_pidfd_getfd, pidfd, fd, 0);
	SETUP(mine >= 0);
	close(pidfd);
	peer_call(p, order_close, NULL, 0);
	return mine;
}

/* Have a peer fork as @order says, and close its userfaultfd while the event of that waits. */
static void close_during(peer_fn order, const struct backing *b, size_t pages)
{
	struct peer forker;
	int uffd;

	need_features(UFFD_FEATURE_EVENT_FORK);
	area_open(&area, b, pages);
	peer_start(&forker);
	uffd = take_uffd(&forker, (int)peer_call(&forker, order_protect, NULL, 0));
	peer_post(&forker, order, NULL, 0);
	wait_event(uffd);
	EXPECT(!peer_answered(&forker));
	close(uffd);
	EXPECT_EQ(peer_result(&forker), 0);
	EXPECT_EQ(peer_end(&forker), 0);
}

static void closed(const struct backing *b)
{
	backing_need_wp(b);
	close_during(order_fork, b, PAGES);
}
CASE_ON(BACKINGS_SMALL, "F08_event-aborted-close", closed);
CASE_ON(BACKINGS_HUGETLB, "F08_event-aborted-close", closed);

static void rearmed(const struct backing *b)
{
	backing_need_wp(b);
	close_during(order_fork_to_rearm, b, PAGES);
}
CASE_ON(BACKINGS_ALL_SMALL, "F08_event-aborted-rearm", rearmed);
CASE_ON(BACKINGS_HUGETLB, "F08_event-aborted-rearm", rearmed);

static void faults(const struct backing *b)
{
	backing_need_wp(b);
	close_during(order_fork_to_count, b, MORE_PAGES);
}
CASE_ON(BACKINGS_SHARED_SMALL, "F08_event-aborted-faults", faults);

static void *fork_in_thread(void *unused)
{
	(void)unused;
	if (!fork())
		_exit(0);
	return NULL;
}

/* A process that forks with nobody to read the event, until it is killed. */
static void killed(const struct backing *b)
{
	int ready[2], status;
	char byte;
	struct area a;
	pid_t pid;

	backing_need_wp(b);
	need_features(UFFD_FEATURE_EVENT_FORK);
	SETUP(!pipe(ready));
	area_open(&a, b, PAGES);
	pid = fork();
	SETUP(pid >= 0);
	if (!pid) {
		pthread_t thread;

		protect(&a);
		SETUP(!pthread_create(&thread, NULL, fork_in_thread, NULL));
		wait_event(a.uffd);
		SETUP(write(ready[1], "x", 1) == 1);
		for (;;)
			pause();
	}
	close(ready[1]);
	SETUP(read(ready[0], &byte, 1) == 1);
	kill(pid, SIGKILL);
	SETUP(waitpid(pid, &status, 0) == pid);
	EXPECT(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	/* A half-made child would still hold the write end of the pipe. */
	EXPECT_EQ(read(ready[0], &byte, 1), 0);
	for (int i = 0; i < PAGES; i++)
		EXPECT_NO_TRAP(&a, area_page(&a, i));
}
CASE_ON(BACKINGS_SMALL, "F08_event-aborted-kill", killed);
CASE_ON(BACKINGS_HUGETLB, "F08_event-aborted-kill", killed);
