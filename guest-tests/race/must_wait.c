// SPDX-License-Identifier: GPL-2.0
/*
 * R11: write faults that race with zaps of their page and with un-WP in two steps (DONTWAKE, then
 * WAKE): no wake-up is lost, and who waits uses no CPU.
 * Needs: REGISTER(WP) on shmem, UFFD_FEATURE_THREAD_ID.
 * Fails on a kernel that lets a waiter sleep on a page which is not protected any more, or that
 * sends who waits round and round. A lost wake-up shows as the watchdog's timeout.
 * A must_wait that does not know markers is not noticed: where a fault maps the page before it waits,
 * such a one costs a waiter one more round for a zap at that very moment.
 */
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "access.h"
#include "backing.h"
#include "ktap.h"
#include "uffd.h"

#define PAGES 8
#define WRITERS 2

struct race {
	struct area a;
	bool stop, handler_stop;
	uint64_t written[WRITERS];
	pid_t tid[WRITERS];
	pthread_t writer[WRITERS];
};

struct writer {
	struct race *race;
	int index;
};

static bool stopped(const bool *flag)
{
	return __atomic_load_n(flag, __ATOMIC_ACQUIRE);
}

static void *write_on(void *arg)
{
	struct writer *w = arg;
	struct race *r = w->race;

	__atomic_store_n(&r->tid[w->index], (pid_t)syscall(SYS_gettid), __ATOMIC_RELEASE);
	while (!stopped(&r->stop)) {
		uint64_t n = ++r->written[w->index];

		*(volatile uint64_t *)(area_page(&r->a, n % PAGES) + 8 * w->index) = n;
		sched_yield();
	}
	return NULL;
}

static void *zap_on(void *arg)
{
	struct race *r = arg;

	for (size_t i = 0; !stopped(&r->stop); i++) {
		SETUP(!madvise(area_page(&r->a, i % PAGES), PAGE, MADV_DONTNEED));
		sched_yield();
	}
	return NULL;
}

static uint64_t cpu_of(pthread_t thread)
{
	struct timespec used;
	clockid_t clock;

	SETUP(!pthread_getcpuclockid(thread, &clock));
	SETUP(!clock_gettime(clock, &used));
	return used.tv_sec * 1000000000ULL + used.tv_nsec;
}

/* The thread of a message comes to rest while its page is zapped under it. */
static void judge_rest(struct race *r, pid_t tid)
{
	int i = 0;

	while (i < WRITERS && __atomic_load_n(&r->tid[i], __ATOMIC_ACQUIRE) != tid)
		i++;
	REQUIRE_MSG(i < WRITERS, "the message names thread %d, which does not write", tid);
	for (uint64_t before, enough = cpu_of(r->writer[i]) + 1000000000ULL; (before = cpu_of(r->writer[i])) < enough;) {
		nanosleep(&(struct timespec){ 0, 2000000 }, NULL);
		if (cpu_of(r->writer[i]) == before) {
			ktap_held();
			return;
		}
	}
	REQUIRE_MSG(false, "a blocked writer goes on using CPU");
}

static void *handle(void *arg)
{
	struct race *r = arg;
	struct pollfd pfd = { .fd = r->a.uffd, .events = POLLIN };
	struct uffd_msg msg;

	for (long n = 0; !stopped(&r->handler_stop);) {
		void *addr;

		if (!uffd_next(r->a.uffd, &msg)) {
			poll(&pfd, 1, 20);
			continue;
		}
		if (n++ % 32 == 0)
			judge_rest(r, (pid_t)msg.arg.pagefault.feat.ptid);
		addr = (void *)(uintptr_t)msg.arg.pagefault.address;
		REQUIRE_EQ(uffd_writeprotect(r->a.uffd, addr, PAGE, UFFDIO_WRITEPROTECT_MODE_DONTWAKE), 0);
		if (n % 2)
			sched_yield();
		REQUIRE_EQ(uffd_wake(r->a.uffd, addr, PAGE), 0);
	}
	return NULL;
}

static void must_wait(const struct backing *b)
{
	static struct race r;
	struct writer w[WRITERS];
	pthread_t zapper, handler;
	long rounds = 0;
	double end;

	area_arm(&r.a, b, PAGES, UFFD_FEATURE_THREAD_ID);
	for (int i = 0; i < WRITERS; i++) {
		w[i] = (struct writer){ &r, i };
		SETUP(!pthread_create(&r.writer[i], NULL, write_on, &w[i]));
	}
	SETUP(!pthread_create(&zapper, NULL, zap_on, &r));
	SETUP(!pthread_create(&handler, NULL, handle, &r));
	end = ktap_now() + ktap_budget();
	for (; ktap_now() < end; rounds++) {
		REQUIRE_EQ(area_wp(&r.a, rounds % PAGES, 1 + rounds % 3 * (rounds % PAGES < PAGES - 2)), 0);
		sched_yield();
	}
	__atomic_store_n(&r.stop, true, __ATOMIC_RELEASE);
	for (int i = 0; i < WRITERS; i++)
		pthread_join(r.writer[i], NULL);
	pthread_join(zapper, NULL);
	__atomic_store_n(&r.handler_stop, true, __ATOMIC_RELEASE);
	pthread_join(handler, NULL);
	ktap_diag("%ld rounds, %llu and %llu writes", rounds, (unsigned long long)r.written[0],
		  (unsigned long long)r.written[1]);
	for (int i = 0; i < WRITERS; i++)	/* the last writes are there */
		EXPECT_EQ(*(uint64_t *)(area_page(&r.a, r.written[i] % PAGES) + 8 * i), r.written[i]);
}
CASE_BUDGET_ON(((const struct backing *const []){ &memfd_shared, &tmpfs_file, NULL }), "R11_must-wait", must_wait);
