// SPDX-License-Identifier: GPL-2.0
/*
 * Futexes in protected memory: what a monitor must know that protects memory with locks in it.
 * Whatever is done to a futex that may be shared looks its page up for writing, so that it is a write event, FUTEX_WAIT
 * and FUTEX_WAKE as well: it sleeps for the manager, past a timeout of its own, and then does what it was to do. With
 * FUTEX_PRIVATE_FLAG nothing is looked up: what only reads the word passes unseen, and what writes it cannot wait, and
 * is refused with EFAULT. The same is so of all futexes where the userfaultfd reports no accesses by the kernel.
 * A thread that dies with a robust lock there cannot wait for anybody, and the lock does not say OWNER_DIED; and the ID
 * of one that ends is not cleared, for which its joiner waits.
 * Needs: REGISTER(WP) on shmem, hugetlbfs or anonymous memory, FUTEX, FUTEX_PI.
 * Holds what Documentation/admin-guide/mm/userfaultfd.rst says of it; mainline does the same.
 */
#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "access.h"
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

/* ---- every operation ---- */

/* What an operation leaves in the word: the ID is that of a thread. */
enum left { ZERO, ONE, ID_OF_CALLER, ID_OF_WAITER };

/* Who sleeps before it: by FUTEX_WAIT on the word, or by FUTEX_WAIT_REQUEUE_PI on the other one. */
enum waiter { NOBODY, ON_WORD, ON_OTHER };

struct op {
	const char *name;
	int cmd;
	bool word_is_second;	/* of its two words */
	bool owned;		/* the word has the ID of the caller before it */
	bool writes;		/* to the word */
	enum waiter waiter;
	unsigned long val2;
	uint32_t val3;
	long result;
	int error;
	enum left left;
};

static const struct op ops[] = {
	{ .name = "FUTEX_WAIT", .cmd = FUTEX_WAIT, .result = -1, .error = ETIMEDOUT },
	{ .name = "FUTEX_WAKE", .cmd = FUTEX_WAKE, .waiter = ON_WORD, .result = 1 },
	{ .name = "FUTEX_CMP_REQUEUE", .cmd = FUTEX_CMP_REQUEUE, .val2 = 1, .waiter = ON_WORD, .result = 1 },
	{ .name = "FUTEX_CMP_REQUEUE to it", .cmd = FUTEX_CMP_REQUEUE, .word_is_second = true, .val2 = 1 },
	{ .name = "FUTEX_WAKE_OP", .cmd = FUTEX_WAKE_OP, .word_is_second = true, .writes = true, .val2 = 1,
	  .val3 = FUTEX_OP(FUTEX_OP_SET, 1, FUTEX_OP_CMP_EQ, 0), .waiter = ON_WORD, .result = 1, .left = ONE },
	{ .name = "FUTEX_LOCK_PI", .cmd = FUTEX_LOCK_PI, .writes = true, .left = ID_OF_CALLER },
	{ .name = "FUTEX_TRYLOCK_PI", .cmd = FUTEX_TRYLOCK_PI, .writes = true, .left = ID_OF_CALLER },
	{ .name = "FUTEX_UNLOCK_PI", .cmd = FUTEX_UNLOCK_PI, .owned = true, .writes = true },
	{ .name = "FUTEX_CMP_REQUEUE_PI", .cmd = FUTEX_CMP_REQUEUE_PI, .word_is_second = true, .writes = true,
	  .waiter = ON_OTHER, .result = 1, .left = ID_OF_WAITER },
};

/* One call of an operation on the word of a page, by a thread of its own. */
struct call {
	const struct op *op;
	const struct area *a;
	bool dropped;		/* the page is not mapped */
	int flag;		/* FUTEX_PRIVATE_FLAG, or none */
	uint32_t *word, *other;
	bool refused;		/* with EFAULT, at first */
};

static long operate(const struct call *c)
{
	const struct op *op = c->op;
	uint32_t *first = op->word_is_second ? c->other : c->word, *second = op->word_is_second ? c->word : c->other;
	struct timespec timeout = { 0, TIMEOUT_NS };

	return syscall(SYS_futex, first, op->cmd | c->flag, op->cmd == FUTEX_WAIT ? 0 : 1,
		       op->cmd == FUTEX_WAIT ? &timeout : (void *)op->val2, second, op->val3);
}

/* Stock 5.10 protects anonymous memory, but its pagemap does not say so. */
static void expect_still_protected(const struct call *c)
{
	if (c->a->backing->file)
		EXPECT_PM(c->word, PM_UFFD_WP, 0);
}

/* The page is protected before it. Where it is refused, once more without protection. */
static long protect_and_operate(void *call)
{
	struct call *c = call;
	long result;

	if (c->op->owned)
		*c->word = (uint32_t)syscall(SYS_gettid);
	if (c->dropped)
		SETUP(!madvise(c->word, PAGE, MADV_DONTNEED));
	REQUIRE_EQ(area_wp(c->a, 0, 1), 0);
	result = operate(c);
	c->refused = result < 0 && errno == EFAULT;
	if (!c->refused)
		return result;
	expect_still_protected(c);
	REQUIRE_EQ(area_unwp(c->a, 0, 1), 0);
	return operate(c);
}

static long wait_for_it(void *call)
{
	const struct call *c = call;

	if (c->op->waiter == ON_WORD)
		return syscall(SYS_futex, c->word, FUTEX_WAIT | c->flag, 0, NULL, NULL, 0);
	return syscall(SYS_futex, c->other, FUTEX_WAIT_REQUEUE_PI | c->flag, 0, NULL, c->word, 0);
}

/* The message comes, and the caller sleeps until the protection is lifted. */
static void expect_report(const struct call *c, const struct touch *t)
{
	struct uffd_msg msg;

	REQUIRE_MSG(message_or_end(c->a->uffd, t->done, &msg), "%s ended without a message", c->op->name);
	EXPECT_MSG(is_wp_message(c->a, &msg, c->word), "%s: the message is not about its word", c->op->name);
	EXPECT_MSG(touch_asleep(t), "%s does not sleep", c->op->name);
	REQUIRE_EQ(area_unwp(c->a, 0, 1), 0);
}

static void judge_op(const struct area *a, const struct op *op, int flag, bool reported, bool dropped)
{
	struct call c = { .op = op, .a = a, .dropped = dropped, .flag = flag };
	struct touch t, waiter = { 0 };
	struct uffd_msg msg;
	uint32_t left;

	c.word = (uint32_t *)area_page(a, 0);
	c.other = (uint32_t *)area_page(a, PAGES - 1);
	*c.word = *c.other = 0;
	if (op->waiter) {
		touch_call(&waiter, wait_for_it, &c);
		SETUP_MSG(touch_asleep(&waiter), "%s: nobody waits", op->name);
	}
	touch_call(&t, protect_and_operate, &c);
	if (reported)
		expect_report(&c, &t);
	touch_end(&t);
	EXPECT_MSG(c.refused == (op->writes && !reported), "%s is %srefused", op->name, c.refused ? "" : "not ");
	EXPECT_MSG(t.result == op->result && (t.result >= 0 || t.error == op->error), "%s returns %ld, errno %d", op->name,
		   t.result, t.error);
	EXPECT_MSG(!uffd_next(a->uffd, &msg), "%s: a message too many", op->name);
	if (!reported && !op->writes)
		expect_still_protected(&c);
	if (op->waiter) {
		touch_end(&waiter);
		EXPECT_MSG(!waiter.result, "%s: the waiter's result is %ld, errno %d", op->name, waiter.result, waiter.error);
	}
	left = op->left == ID_OF_CALLER ? (uint32_t)t.tid : op->left == ID_OF_WAITER ? (uint32_t)waiter.tid : op->left == ONE;
	EXPECT_MSG((*c.word & FUTEX_TID_MASK) == left, "%s leaves %#x, not %#x", op->name, *c.word, left);
	REQUIRE_EQ(area_unwp(a, 0, 1), 0);
}

static void judge_ops(const struct area *a, int flag, bool reported)
{
	bool droppable = a->backing->shared && !a->backing->hugetlb;	/* the word stays in the file */

	for (size_t i = 0; i < sizeof(ops) / sizeof(*ops); i++)
		for (int dropped = 0; dropped <= droppable; dropped++)
			judge_op(a, &ops[i], flag, reported, dropped);
}

static void need_futex_pi(void)
{
	static uint32_t word;

	need_futex();
	if (syscall(SYS_futex, &word, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0) < 0 && errno == ENOSYS)
		SKIP("CONFIG_FUTEX_PI: FUTEX_UNLOCK_PI is not there");
}

/* Without FUTEX_PRIVATE_FLAG, whatever the mapping is. */
static void shared_ops(const struct backing *b)
{
	struct area a;

	area_arm(&a, b, PAGES, 0);
	need_futex_pi();
	judge_ops(&a, 0, true);
}
CASE_ON(BACKINGS_ALL_SMALL, "B22_futex-shared", shared_ops);
CASE_ON(BACKINGS_HUGETLB, "B22_futex-shared", shared_ops);

static void private_ops(const struct backing *b)
{
	struct area a;

	area_arm(&a, b, PAGES, 0);
	need_futex_pi();
	judge_ops(&a, FUTEX_PRIVATE_FLAG, false);
}
CASE_ON(BACKINGS_ALL_SMALL, "B22_futex-private", private_ops);
CASE_ON(BACKINGS_HUGETLB, "B22_futex-private", private_ops);

/* A userfaultfd that says SIGBUS, or is for accesses of user space only: nobody is to wait. */
static void unreported_ops(const struct backing *b)
{
	struct area a;

	area_arm(&a, b, PAGES, UFFD_FEATURE_SIGBUS);
	need_futex_pi();
	judge_ops(&a, 0, false);
	area_close(&a);
	area_open(&a, b, PAGES);
	a.uffd = uffd_create(UFFD_USER_MODE_ONLY);
	if (a.uffd == -EINVAL)		/* a kernel older than 5.11 */
		return;
	SETUP(a.uffd >= 0);
	SETUP(!uffd_api(a.uffd, 0, NULL));
	REQUIRE_EQ(uffd_register(a.uffd, a.map, a.size, UFFDIO_REGISTER_MODE_WP, NULL), 0);
	judge_ops(&a, 0, false);
}
CASE_ON(BACKINGS_SHARED_SMALL, "B22_futex-unreported", unreported_ops);

/* ---- ends ---- */

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
