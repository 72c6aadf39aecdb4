// SPDX-License-Identifier: GPL-2.0
/*
 * Two system calls wait for their events at once, a fork and a MADV_DONTNEED. Until the monitor has read both,
 * UFFDIO_WRITEPROTECT and UFFDIO_COPY say EAGAIN: what the one has changed already it does not know yet, and a
 * protection of the parent would not be the child's. Afterwards each has its own.
 * Needs: UFFD_FEATURE_EVENT_FORK, UFFD_FEATURE_EVENT_REMOVE; REGISTER(WP) on shmem, but for anonymous memory.
 * Fails on a kernel that takes the first event that has been read for the last one.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "access.h"
#include "backing.h"
#include "ktap.h"
#include "peer.h"
#include "proc.h"
#include "trap.h"
#include "uffd.h"

#define PAGES 4

/* While a thread forks, the C library begins and joins no other: they wait for their go, and say when they are done. */
struct caller {
	struct area *a;
	struct peer child;
	void (*call)(struct caller *c);
	pid_t tid;
	bool go, done;
};

static void forks(struct caller *c)
{
	peer_start(&c->child);
}

static void drops(struct caller *c)
{
	SETUP(!madvise(area_page(c->a, PAGES), PAGE, MADV_DONTNEED));
}

static void *calling(void *arg)
{
	struct caller *c = arg;

	__atomic_store_n(&c->tid, (pid_t)syscall(SYS_gettid), __ATOMIC_RELEASE);
	while (!__atomic_load_n(&c->go, __ATOMIC_ACQUIRE))
		sched_yield();
	c->call(c);
	__atomic_store_n(&c->done, true, __ATOMIC_RELEASE);
	pause();	/* a peer dies with the thread that has forked it */
	return NULL;
}

static void prepare(struct caller *c, struct area *a, void (*call)(struct caller *c))
{
	pthread_t thread;

	*c = (struct caller) { .a = a, .call = call };
	SETUP(!pthread_create(&thread, NULL, calling, c));
	while (!__atomic_load_n(&c->tid, __ATOMIC_ACQUIRE))
		sched_yield();
}

/* Begin a call; it has done what it does before its event, and waits for that to be read. */
static void begin(struct caller *c)
{
	__atomic_store_n(&c->go, true, __ATOMIC_RELEASE);
	while (task_state(c->tid) != 'D')
		sched_yield();
}

static void end(struct caller *c, struct uffd_msg *msg, int event)
{
	uffd_wait(c->a->uffd, msg);
	REQUIRE_EQ(msg->event, event);
	while (!__atomic_load_n(&c->done, __ATOMIC_ACQUIRE))
		sched_yield();
}

static void judge_changing(const struct area *a)
{
	EXPECT_EQ(area_wp(a, 0, PAGES), -EAGAIN);
	EXPECT_EQ(uffd_copy(a->uffd, a->map, a->map, PAGE, 0, NULL), -EAGAIN);
}

static void two(const struct backing *b, bool fork_first)
{
	struct caller forking, dropping;
	struct uffd_msg msg;
	struct area a, seen;

	area_arm(&a, b, PAGES + 1, UFFD_FEATURE_EVENT_FORK | UFFD_FEATURE_EVENT_REMOVE);
	touch_write_all(&a, 0, PAGES + 1);
	prepare(&forking, &a, forks);
	prepare(&dropping, &a, drops);
	if (fork_first) {
		begin(&forking);
		begin(&dropping);
	} else {
		begin(&dropping);
		begin(&forking);
		judge_changing(&a);
		end(&dropping, &msg, UFFD_EVENT_REMOVE);
	}
	judge_changing(&a);
	end(&forking, &msg, UFFD_EVENT_FORK);
	seen = a;
	seen.uffd = (int)msg.arg.fork.ufd;
	if (fork_first) {
		judge_changing(&a);
		end(&dropping, &msg, UFFD_EVENT_REMOVE);
	}
	REQUIRE_EQ(area_wp(&a, 0, PAGES / 2), 0);
	REQUIRE_EQ(area_wp(&seen, PAGES / 2, PAGES / 2), 0);
	for (int i = 0; i < PAGES / 2; i++) {
		PEER_WRITES(&forking.child, &seen, area_page(&a, i));
		EXPECT_TRAPS(&a, area_page(&a, i));
	}
	for (int i = PAGES / 2; i < PAGES; i++) {
		PEER_TRAPS(&forking.child, &seen, area_page(&a, i));
		EXPECT_NO_TRAP(&a, area_page(&a, i));
	}
	EXPECT_EQ(peer_end(&forking.child), 0);
}

static void fork_first(const struct backing *b)
{
	two(b, true);
}
CASE_ON(BACKINGS_ALL_SMALL, "F11_two-events-fork-first", fork_first);

static void fork_last(const struct backing *b)
{
	two(b, false);
}
CASE_ON(BACKINGS_ALL_SMALL, "F11_two-events-fork-last", fork_last);
