// SPDX-License-Identifier: GPL-2.0
/*
 * Snapshots of memory that is being written: the engine, and R01, which has no other trouble.
 * Needs: REGISTER(WP) on shmem or hugetlbfs.
 * Fails on a kernel where a write after WRITEPROTECT can go through without a message.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "access.h"
#include "backing.h"
#include "ktap.h"
#include "proc.h"
#include "snapshot.h"
#include "uffd.h"

uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static bool stopped(const bool *flag)
{
	return __atomic_load_n(flag, __ATOMIC_ACQUIRE);
}

static void wait_out_pause(struct snapshot *s)
{
	while (stopped(&s->pause) && !stopped(&s->stop))
		usleep(1000);
}

struct worker {
	pthread_t thread;
	struct snapshot *s;
	uint64_t random;
	size_t first;
};

static void *write_pages(void *arg)
{
	struct worker *w = arg;
	struct snapshot *s = w->s;

	while (!stopped(&s->stop)) {
		size_t i = next_random(&w->random) % (SNAP_PAGES / SNAP_WRITERS) * SNAP_WRITERS + w->first;
		uint64_t number = s->pages[i].finished + 1;

		wait_out_pause(s);
		__atomic_store_n(&s->pages[i].started, number, __ATOMIC_SEQ_CST);
		touch_write(area_page(&s->a, i), number);
		__atomic_store_n(&s->pages[i].finished, number, __ATOMIC_SEQ_CST);
		if (s->calm)
			usleep(2000);
		else if (number % 4 == 0)	/* on few CPUs the snapshotter must have its turn */
			sched_yield();
	}
	return NULL;
}

static void *make_trouble(void *arg)
{
	struct worker *w = arg;

	while (!stopped(&w->s->stop)) {
		w->s->chaos->step(w->s, next_random(&w->random));
		sched_yield();
	}
	return NULL;
}

/* A range that lies in more than one vma for the moment may have to be done in pieces (before 6.4). */
static int change(struct snapshot *s, size_t first, size_t count, bool wp)
{
	int err = wp ? area_wp(&s->a, first, count) : area_unwp(&s->a, first, count);

	if (err != -ENOENT || count == 1)
		return err;
	for (size_t i = 0; i < count; i++) {
		err = change(s, first + i, 1, wp);
		if (err)
			return err;
	}
	return 0;
}

/* Save the pages that nobody has saved, and let writes to them go on, before another snapshot can begin. */
static void save(struct snapshot *s, size_t first, size_t count)
{
	int err;

	pthread_mutex_lock(&s->lock);
	for (size_t i = first; i < first + count; i++) {
		if (!s->pages[i].is_saved)
			s->pages[i].saved = touch_read(area_page(&s->a, i));
		s->pages[i].is_saved = true;
	}
	err = change(s, first, count, false);
	pthread_mutex_unlock(&s->lock);
	REQUIRE_EQ(err, 0);
}

static void *handle(void *arg)
{
	struct snapshot *s = arg;
	struct pollfd pfd = { .fd = s->a.uffd, .events = POLLIN };

	while (!stopped(&s->handler_stop)) {
		struct uffd_msg msg;
		size_t page;

		if (!uffd_next(s->a.uffd, &msg)) {
			poll(&pfd, 1, 20);
			continue;
		}
		page = (msg.arg.pagefault.address - (uintptr_t)s->a.map) / s->a.page;
		REQUIRE_MSG(msg.event == UFFD_EVENT_PAGEFAULT && page < SNAP_PAGES &&
			    (msg.arg.pagefault.flags & UFFD_PAGEFAULT_FLAG_WP),
			    "message %#x, flags %#llx, page %zu", msg.event,
			    (unsigned long long)msg.arg.pagefault.flags, page);
		save(s, page, 1);
	}
	return NULL;
}

static void take(struct snapshot *s)
{
	int err;

	pthread_mutex_lock(&s->lock);
	for (size_t i = 0; i < SNAP_PAGES; i++) {
		s->pages[i].is_saved = false;
		s->pages[i].before = __atomic_load_n(&s->pages[i].finished, __ATOMIC_SEQ_CST);
	}
	err = change(s, 0, SNAP_PAGES, true);
	for (size_t i = 0; i < SNAP_PAGES; i++)
		s->pages[i].after = __atomic_load_n(&s->pages[i].started, __ATOMIC_SEQ_CST);
	pthread_mutex_unlock(&s->lock);
	REQUIRE_EQ(err, 0);
}

static void judge(const struct snapshot *s)
{
	for (size_t i = 0; i < SNAP_PAGES; i++) {
		const struct snap_page *p = &s->pages[i];

		REQUIRE_MSG(p->before <= p->saved && p->saved <= p->after,
			    "page %zu was saved as %llu; it was between %llu and %llu when it was protected; pagemap %#llx",
			    i, (unsigned long long)p->saved, (unsigned long long)p->before,
			    (unsigned long long)p->after, (unsigned long long)pm(area_page(&s->a, i)));
	}
	ktap_held();
}

static long take_snapshots(struct snapshot *s)
{
	double end = ktap_now() + ktap_budget();
	uint64_t random = ktap_seed() * 77 + 3;
	long count = 0, before = s->chaos && s->chaos->happened ? s->chaos->happened(s) : 0;

	while (ktap_now() < end ||	/* a slow machine still must see the trouble */
	       (s->chaos && s->chaos->happened && s->chaos->happened(s) == before && ktap_now() < end + 10)) {
		size_t piece = 1UL << next_random(&random) % 5, start = next_random(&random) % SNAP_PAGES;

		take(s);
		for (size_t i = 0; i < SNAP_PAGES; i += piece) {
			wait_out_pause(s);
			save(s, (start + i) % SNAP_PAGES / piece * piece, piece);
		}
		judge(s);
		count++;
		if (s->calm)
			usleep(5000);
	}
	if (s->chaos && s->chaos->happened) {
		SETUP_MSG(s->chaos->happened(s) > before, "the trouble never happened");
		ktap_diag("%ld snapshots; %ld times trouble", count, s->chaos->happened(s) - before);
	} else {
		ktap_diag("%ld snapshots", count);
	}
	return count;
}

static void prepare(struct snapshot *s, const struct backing *b, size_t pages)
{
	pthread_mutex_init(&s->lock, NULL);
	backing_need_wp(b);
	if (s->chaos && s->chaos->prepare)
		s->chaos->prepare(s);
	area_open_aligned(&s->a, b, pages, HUGE);
	s->size = pages;
	s->second = area_map_again(&s->a);
	area_register(&s->a, 0, UFFDIO_REGISTER_MODE_WP);
	if (s->chaos && s->chaos->begin)
		s->chaos->begin(s);
}

void snapshot_run(const struct backing *b, size_t pages, const struct chaos *chaos)
{
	static struct snapshot s;
	struct worker writers[SNAP_WRITERS], trouble = { .s = &s, .random = ktap_seed() * 31 + 5 };
	pthread_t handler;

	s.chaos = chaos;
	prepare(&s, b, pages);
	SETUP(!pthread_create(&handler, NULL, handle, &s));
	for (size_t i = 0; i < SNAP_WRITERS; i++) {
		writers[i] = (struct worker){ .s = &s, .random = ktap_seed() * 101 + i + 1, .first = i };
		SETUP(!pthread_create(&writers[i].thread, NULL, write_pages, &writers[i]));
	}
	if (chaos)
		SETUP(!pthread_create(&trouble.thread, NULL, make_trouble, &trouble));
	take_snapshots(&s);
	__atomic_store_n(&s.stop, true, __ATOMIC_RELEASE);
	for (size_t i = 0; i < SNAP_WRITERS; i++)
		pthread_join(writers[i].thread, NULL);
	if (chaos)
		pthread_join(trouble.thread, NULL);
	__atomic_store_n(&s.handler_stop, true, __ATOMIC_RELEASE);
	pthread_join(handler, NULL);
	for (size_t i = 0; i < SNAP_PAGES; i++)	/* no write was lost */
		EXPECT_EQ(touch_read(area_page(&s.a, i)), s.pages[i].finished);
}

const struct backing *const SNAPSHOTS[] = { &memfd_shared, &memfd_private, &hugetlb_shared, &hugetlb_private, NULL };

static void snapshot(const struct backing *b)
{
	snapshot_run(b, SNAP_PAGES, NULL);
}
CASE_BUDGET_ON(SNAPSHOTS, "R01_snapshot", snapshot);
