// SPDX-License-Identifier: GPL-2.0
/*
 * Futexes in protected memory: what a monitor must know that protects memory with locks in it.
 * FUTEX_WAIT looks its page up for writing, so that it is a write event, and sleeps for the manager past
 * its own timeout; a thread that dies with a robust lock there cannot wait for anybody, and the
 * lock does not say OWNER_DIED; and the ID of one that ends is not cleared, for which its joiner waits.
 * Needs: REGISTER(WP) on shmem, FUTEX.
 * Holds what Documentation/admin-guide/mm/userfaultfd.rst says of it; mainline does the same.
 */
#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "backing.h"
#include "ktap.h"
#include "oracle.h"
#include "proc.h"
#include "trap.h"
#include "uffd.h"

#define PAGES 4
#define TIMEOUT_NS 20000000L

static long futex_wait(void *word)
{
	struct timespec timeout = { 0, TIMEOUT_NS };

	return syscall(SYS_futex, word, FUTEX_WAIT, 0, &timeout, NULL, 0);
}

static void need_futex(void)
{
	static uint32_t word = 1;

	if (syscall(SYS_futex, &word, FUTEX_WAIT, 0, NULL, NULL, 0) < 0 && errno == ENOSYS)
		SKIP("CONFIG_FUTEX: futex(2) is not there");
}

static void expect_timed_out(struct touch *t)
{
	EXPECT_EQ(touch_end(t), COMPLETED);
	EXPECT_EQ(t->result, -1);
	EXPECT_EQ(t->error, ETIMEDOUT);
}

static void wait_is_write(const struct backing *b)
{
	struct uffd_msg msg;
	struct touch t;
	struct area a;
	double begin;

	area_arm(&a, b, PAGES, 0);
	need_futex();
	touch_read_all(&a, 0, PAGES / 2);
	touch_call(&t, futex_wait, a.map);
	expect_timed_out(&t);			/* not protected */
	REQUIRE_EQ(area_wp(&a, 0, PAGES), 0);
	for (size_t i = 0; i < PAGES; i += PAGES - 1) {
		begin = ktap_now();
		touch_call(&t, futex_wait, area_page(&a, i));
		uffd_wait(a.uffd, &msg);
		EXPECT(is_wp_message(&a, &msg, area_page(&a, i)));
		while (ktap_now() < begin + 3 * TIMEOUT_NS / 1e9)
			EXPECT(touch_asleep(&t));
		REQUIRE_EQ(area_unwp(&a, i, 1), 0);
		expect_timed_out(&t);
	}
}
CASE_ON(BACKINGS_SHARED_SMALL, "B22_futex-wait", wait_is_write);
CASE_ON(BACKINGS_HUGETLB, "B22_futex-wait", wait_is_write);

/* A thread that takes a robust lock, and ends with it when it is told to. */
struct owner {
	pthread_t thread;
	uint32_t *word;
	pid_t tid;
	int ready[2], go[2];
};

static void *die_with_lock(void *arg)
{
	struct owner *o = arg;
	static struct robust_list_head head;
	static struct robust_list list;
	char byte;

	list.next = &head.list;
	head.list.next = &list;
	head.futex_offset = (char *)o->word - (char *)&list;
	head.list_op_pending = NULL;
	SETUP(!syscall(SYS_set_robust_list, &head, sizeof(head)));
	o->tid = (pid_t)syscall(SYS_gettid);
	*o->word = (uint32_t)o->tid;
	SETUP(write(o->ready[1], "", 1) == 1);
	SETUP(read(o->go[0], &byte, 1) == 1);
	return NULL;
}

/* What the lock says when its owner is dead: the page is protected before that, or not. */
static void judge_death(const struct area *a, size_t page, bool protect)
{
	struct owner o = { .word = (uint32_t *)area_page(a, page) };
	struct uffd_msg msg;
	char byte;

	SETUP(!pipe(o.ready) && !pipe(o.go));
	SETUP(!pthread_create(&o.thread, NULL, die_with_lock, &o));
	SETUP(read(o.ready[0], &byte, 1) == 1);
	if (protect)
		REQUIRE_EQ(area_wp(a, page, 1), 0);
	SETUP(write(o.go[1], "", 1) == 1);
	pthread_join(o.thread, NULL);
	EXPECT_EQ(*o.word & FUTEX_TID_MASK, protect ? o.tid : 0);
	EXPECT_EQ(*o.word & FUTEX_OWNER_DIED, protect ? 0 : FUTEX_OWNER_DIED);
	EXPECT(!uffd_next(a->uffd, &msg));
	EXPECT_PM(area_page(a, page), protect ? PM_UFFD_WP : 0, protect ? 0 : PM_UFFD_WP);
}

static void robust_lock(const struct backing *b)
{
	struct area a;

	area_arm(&a, b, PAGES, 0);
	need_futex();
	judge_death(&a, 0, false);
	judge_death(&a, 1, true);
}
CASE_ON(BACKINGS_SHARED_SMALL, "B22_futex-robust", robust_lock);

#define STACK 65536

static int wait_and_end(void *go)
{
	char byte;

	return read(*(int *)go, &byte, 1) != 1;
}

/* What joins a thread waits until the kernel has cleared its ID, which lies in the area: a page that is protected, or not. */
static void judge_end(const struct area *a, size_t page, bool protect)
{
	const int flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_CHILD_CLEARTID;
	volatile uint32_t *id = (uint32_t *)area_page(a, page);
	char *stack = malloc(STACK), task[64];
	struct uffd_msg msg;
	int go[2], tid;

	SETUP(stack && !pipe(go));
	*id = 1;
	tid = clone(wait_and_end, stack + STACK, flags, &go[0], NULL, NULL, (void *)id);
	SETUP(tid > 0);
	if (protect)
		REQUIRE_EQ(area_wp(a, page, 1), 0);
	SETUP(write(go[1], "", 1) == 1);
	snprintf(task, sizeof(task), "/proc/self/task/%d", tid);
	while (!access(task, F_OK))
		usleep(1000);
	EXPECT_EQ(*id, protect ? 1 : 0);
	EXPECT(!uffd_next(a->uffd, &msg));
	EXPECT_PM((void *)id, protect ? PM_UFFD_WP : 0, protect ? 0 : PM_UFFD_WP);
}

static void thread_id(const struct backing *b)
{
	struct area a;

	area_arm(&a, b, PAGES, 0);
	need_futex();
	judge_end(&a, 0, false);
	judge_end(&a, 1, true);
}
CASE_ON(BACKINGS_SHARED_SMALL, "B22_thread-id", thread_id);
