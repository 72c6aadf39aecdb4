// SPDX-License-Identifier: GPL-2.0
/*
 * The fork event is never delivered: the manager closes the userfaultfd, or the forking process
 * is killed, while the event waits. A child that comes to life is not watched and all its
 * accesses complete, over whatever fork had copied by then.
 * Needs: REGISTER(WP) on shmem, UFFD_FEATURE_EVENT_FORK.
 * Fails on a kernel whose faults do not tolerate a marker in a mapping without userfaultfd
 * (SIGBUS, an endless fault), or leave such ptes read-only for ever.
 */
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ktap.h"
#include "peer.h"

#define PAGES 8

struct forker {
	pthread_t thread;
	struct peer child;
};

static void *fork_in_thread(void *arg)
{
	peer_start(&((struct forker *)arg)->child);
	return NULL;
}

/* The event is there, and nobody reads it. */
static void wait_event(const struct area *a)
{
	struct pollfd pfd = { .fd = a->uffd, .events = POLLIN };

	while (poll(&pfd, 1, -1) != 1)
		;
	SETUP_MSG(pfd.revents & POLLIN, "poll of the userfaultfd says %#x", pfd.revents);
}

static void prepare(struct area *a, const struct backing *b)
{
	area_arm(a, b, PAGES, UFFD_FEATURE_EVENT_FORK);
	area_fill_file(a, 0, PAGES);
	touch_read_all(a, 0, PAGES / 2);
	REQUIRE_EQ(area_wp(a, 0, PAGES), 0);
}

static void closed(const struct backing *b)
{
	struct forker f;
	struct area a;

	prepare(&a, b);
	SETUP(!pthread_create(&f.thread, NULL, fork_in_thread, &f));
	wait_event(&a);
	close(a.uffd);
	a.uffd = -1;
	pthread_join(f.thread, NULL);
	for (int i = 0; i < PAGES; i++) {
		if (i % 2)
			EXPECT_EQ(peer_call(&f.child, peer_get, area_page(&a, i), 0), file_value(i));
		PEER_WRITES(&f.child, &a, area_page(&a, i));
	}
	EXPECT_EQ(peer_end(&f.child), 0);
	EXPECT_EQ(pm_count(a.map, PAGES, PM_UFFD_WP, 0), 0);
	for (int i = 0; i < PAGES; i++)
		EXPECT_NO_TRAP(&a, area_page(&a, i));
}
CASE_ON(BACKINGS_SMALL, "F08_event-aborted-close", closed);

/* A process that forks with nobody to read the event, until it is killed. Its uffd came from its parent's file table. */
static void killed(const struct backing *b)
{
	int ready[2], status;
	char byte;
	struct area a;
	pid_t pid;

	need_shmem_wp();
	need_features(UFFD_FEATURE_EVENT_FORK);
	SETUP(!pipe(ready));
	area_open(&a, b, PAGES);
	pid = fork();
	SETUP(pid >= 0);
	if (!pid) {
		struct forker f;

		area_register(&a, UFFD_FEATURE_EVENT_FORK, UFFDIO_REGISTER_MODE_WP);
		touch_read_all(&a, 0, PAGES / 2);
		REQUIRE_EQ(area_wp(&a, 0, PAGES), 0);
		SETUP(!pthread_create(&f.thread, NULL, fork_in_thread, &f));
		wait_event(&a);
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
