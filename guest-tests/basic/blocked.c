// SPDX-License-Identifier: GPL-2.0
/*
 * The writer that waits: what it costs, what its message says, and how it is released.
 * Needs: REGISTER(WP) on shmem; THREAD_ID for B13, SIGBUS for B15.
 * A failure means: a blocked thread spins (and on one CPU starves its handler), cannot be
 * killed, or wakes when it should not.
 */
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "access.h"
#include "backing.h"
#include "ktap.h"
#include "oracle.h"
#include "proc.h"
#include "trap.h"
#include "uffd.h"

/*
 * Drop the page that the writer waits for, again and again, for @seconds. With a pause between,
 * so that a writer that has been woken finds the time to map the page and wait once more.
 */
static void zap(const struct area *a, double seconds, long pause_ns)
{
	double end = ktap_now() + seconds;

	do {
		SETUP(!madvise(a->map, PAGE, MADV_DONTNEED));
		if (pause_ns)
			nanosleep(&(struct timespec){ 0, pause_ns }, NULL);
	} while (ktap_now() < end);
}

/*
 * The fault on a marker maps the page, protected, and the writer waits for that. The page is zapped
 * under it, which leaves a marker: nobody wakes the writer for it, and when something does, it
 * maps the page once more and waits again. Either must cost it next to nothing.
 * Whether the kernel looks for a marker before it puts the writer to sleep does not show here: where it
 * does not, a writer that meets a zap at that very moment goes round once more, and no further.
 */
static void no_spin(const struct backing *b)
{
	struct trap t;
	struct area a;
	double share = 1;
	uint64_t cpu;

	area_arm(&a, b, 4, 0);
	REQUIRE_EQ(area_wp(&a, 0, 4), 0);
	REQUIRE(trap_begin(&a, a.map, &t));
	cpu = touch_cpu(&t.touch);
	zap(&a, 0.5, 0);
	EXPECT_EQ(touch_cpu(&t.touch), cpu);	/* nobody has woken it */
	/* The quietest round counts: an emulated CPU that the host stops looks busy. */
	for (int i = 0; i < 6; i++) {
		double begin = ktap_now(), used;

		cpu = touch_cpu(&t.touch);
		REQUIRE_EQ(uffd_wake(a.uffd, a.map, PAGE), 0);
		zap(&a, 0.25, 5000000);
		used = (touch_cpu(&t.touch) - cpu) / 1e9 / (ktap_now() - begin);
		share = used < share ? used : share;
	}
	EXPECT_MSG(share < 0.05, "the blocked writer used %.0f %% of a CPU", share * 100);
	EXPECT(!touch_ended(&t.touch));
	EXPECT(touch_asleep(&t.touch));
	EXPECT_PM(a.map, PM_UFFD_WP, 0);
	trap_end(&a, &t);
}
CASE_ON(BACKINGS_SHARED, "B12_no-spin", no_spin);

/* The same while the writer waits for the page itself: MISSING mode, a marker over a hole. */
static void no_spin_missing(const struct backing *b)
{
	static char content[PAGE];
	struct uffd_msg msg;
	struct touch t;
	struct area a;

	area_open(&a, b, 4);
	area_register(&a, 0, UFFDIO_REGISTER_MODE_WP | UFFDIO_REGISTER_MODE_MISSING);
	REQUIRE_EQ(area_wp(&a, 0, 4), 0);
	touch_start(&t, WRITES, a.map, 1);
	uffd_wait(a.uffd, &msg);
	EXPECT(touch_asleep(&t));
	EXPECT_EQ(uffd_copy(a.uffd, a.map, content, PAGE, 0, NULL), 0);
	EXPECT_EQ(touch_end(&t), COMPLETED);
}
CASE_ON(BACKINGS_SMALL, "B12_no-spin-missing", no_spin_missing);

static void msg_fields(const struct backing *b)
{
	struct trap t;
	struct area a;

	area_arm(&a, b, 4, UFFD_FEATURE_THREAD_ID);
	populate(&a, 0, 2);
	REQUIRE_EQ(area_wp(&a, 0, 4), 0);
	for (size_t i = 0; i < 4; i++) {
		REQUIRE(trap_begin(&a, area_page(&a, i) + 1000, &t));
		EXPECT_EQ(t.msg.arg.pagefault.flags, UFFD_PAGEFAULT_FLAG_WP | UFFD_PAGEFAULT_FLAG_WRITE);
		EXPECT_EQ(t.msg.arg.pagefault.address, (uintptr_t)area_page(&a, i));
		EXPECT_EQ(t.msg.arg.pagefault.feat.ptid, t.touch.tid);
		trap_end(&a, &t);
	}
}
CASE_ON(BACKINGS_FILE, "B13_msg-fields", msg_fields);
CASE_ON(BACKINGS_HUGETLB, "B13_msg-fields", msg_fields);

/* DONTWAKE takes the protection away and leaves the writer for UFFDIO_WAKE. */
static void dontwake(const struct backing *b)
{
	struct trap t;
	struct area a;

	area_arm(&a, b, 4, 0);
	populate(&a, 0, 2);
	REQUIRE_EQ(area_wp(&a, 0, 4), 0);
	for (size_t i = 1; i < 4; i += 2) {
		REQUIRE(trap_begin(&a, area_page(&a, i), &t));
		REQUIRE_EQ(uffd_writeprotect(a.uffd, area_page(&a, i), a.page, UFFDIO_WRITEPROTECT_MODE_DONTWAKE), 0);
		EXPECT_PM(area_page(&a, i), 0, PM_UFFD_WP);
		EXPECT(touch_asleep(&t.touch));
		REQUIRE_EQ(uffd_wake(a.uffd, area_page(&a, i), a.page), 0);
		trap_released(&a, &t);
	}
}
CASE_ON(BACKINGS_FILE, "B14_dontwake", dontwake);
CASE_ON(BACKINGS_HUGETLB, "B14_dontwake", dontwake);

/*
 * Who is woken finds the protection gone. Here it is the last of many pages to be lifted: a writer that is woken
 * before that traps once more, and nobody may ever answer that.
 */
#define MANY 65536
#define TIMES 5

static void lifted_first(const struct backing *b)
{
	struct uffd_msg again;
	struct trap t;
	struct area a;

	area_arm(&a, b, MANY, 0);
	for (int i = 0; i < TIMES; i++) {
		REQUIRE_EQ(area_wp(&a, 0, MANY), 0);
		REQUIRE(trap_begin(&a, area_page(&a, MANY - 1), &t));
		REQUIRE_EQ(area_unwp(&a, 0, MANY), 0);
		EXPECT_MSG(!message_or_end(a.uffd, t.touch.done, &again),
			   "the writer was woken too early: it has trapped again");
		REQUIRE(trap_end(&a, &t));
	}
}
CASE_ON(BACKINGS_SMALL, "B14_unwp-then-wake", lifted_first);

/* With FEATURE_SIGBUS nobody waits: the write fails, and has not happened. */
static void sigbus(const struct backing *b)
{
	struct uffd_msg msg;
	struct area a;

	area_arm(&a, b, 4, UFFD_FEATURE_SIGBUS);
	populate(&a, 0, 2);
	REQUIRE_EQ(area_wp(&a, 0, 4), 0);
	for (size_t i = 0; i < 4; i++) {
		EXPECT_EQ(touch_once(WRITES, area_page(&a, i), 7), GOT_SIGBUS);
		EXPECT_EQ(touch_once(READS, area_page(&a, i), 0), COMPLETED);
		EXPECT_EQ(touch_read(area_page(&a, i)), i < 2 ? file_value(i) : 0);
		EXPECT_EQ(touch_once(WRITES, area_page(&a, i), 7), GOT_SIGBUS);
	}
	EXPECT(!uffd_next(a.uffd, &msg));
	REQUIRE_EQ(area_unwp(&a, 0, 4), 0);
	EXPECT_EQ(touch_once(WRITES, area_page(&a, 3), 7), COMPLETED);
	EXPECT_EQ(touch_read(area_page(&a, 3)), 7);
}
CASE_ON(BACKINGS_FILE, "B15_sigbus", sigbus);
CASE_ON(BACKINGS_HUGETLB, "B15_sigbus", sigbus);

/* A process whose only writer has trapped says so, and can then do nothing but be killed. */
static void block_in_child(const struct backing *b, size_t page, int out)
{
	struct trap t;
	struct area a;

	area_arm(&a, b, 4, 0);
	populate(&a, 0, 2);
	REQUIRE_EQ(area_wp(&a, 0, 4), 0);
	REQUIRE(trap_begin(&a, area_page(&a, page), &t));
	SETUP(write(out, "", 1) == 1);
	touch_end(&t.touch);
}

/* SIGKILL does not wait for a handler. */
static void kill_blocked(const struct backing *b)
{
	for (size_t page = 0; page < 4; page += 3) {	/* a mapped one, and a marker */
		int ends[2], status;
		char byte;
		pid_t pid;

		SETUP(!pipe(ends));
		pid = fork();
		SETUP(pid >= 0);
		if (!pid) {
			block_in_child(b, page, ends[1]);
			_exit(0);
		}
		close(ends[1]);
		REQUIRE(read(ends[0], &byte, 1) == 1);
		SETUP(!kill(pid, SIGKILL));
		REQUIRE_EQ(waitpid(pid, &status, 0), pid);
		EXPECT(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
		close(ends[0]);
	}
}
CASE_ON(BACKINGS_FILE, "B21_kill-blocked", kill_blocked);
CASE_ON(BACKINGS_HUGETLB, "B21_kill-blocked", kill_blocked);
