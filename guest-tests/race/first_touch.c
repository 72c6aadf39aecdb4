// SPDX-License-Identifier: GPL-2.0
/*
 * R09: WRITEPROTECT of pages that other threads are touching for the first time. When it has
 * returned, every page is protected and no write goes through, whoever came first.
 * Needs: REGISTER(WP) on shmem.
 * Fails on a kernel where a fault that began before the ioctl maps its page writable after it
 * (alloc_set_pte must decide under the page table lock).
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "access.h"
#include "backing.h"
#include "ktap.h"
#include "proc.h"
#include "uffd.h"

#define PAGES 128
#define TOUCHERS 2

struct toucher {
	pthread_t thread;
	struct area *area;
	pthread_barrier_t *start;
	size_t next;		/* the page it is at; PAGES when it has touched all */
	bool backwards;
};

/* Every other page is read first, so that both kinds of first touch are in the race. */
static void *touch_all(void *arg)
{
	struct toucher *t = arg;

	pthread_barrier_wait(t->start);
	for (; t->next < PAGES; __atomic_add_fetch(&t->next, 1, __ATOMIC_SEQ_CST)) {
		size_t page = t->backwards ? PAGES - 1 - t->next : t->next;

		if (page % 2)
			touch_read(area_page(t->area, page));
		touch_write(area_page(t->area, page), 1 + t->backwards);
	}
	return NULL;
}

static void take_image(const struct area *a, uint64_t *image)
{
	for (size_t i = 0; i < PAGES; i++)
		image[i] = alias_get(a, area_page(a, i));
}

/* Wait until each thread has ended, or has a page to itself and sleeps there: no progress in the messages' queue. */
static void wait_blocked(const struct area *a, const struct toucher *touchers)
{
	size_t blocked = 0, ended = 0;
	struct uffd_msg msg;

	while (blocked + ended < TOUCHERS) {
		if (uffd_next(a->uffd, &msg)) {
			REQUIRE(msg.event == UFFD_EVENT_PAGEFAULT && (msg.arg.pagefault.flags & UFFD_PAGEFAULT_FLAG_WP));
			blocked++;
		}
		ended = 0;
		for (int i = 0; i < TOUCHERS; i++)
			ended += __atomic_load_n(&touchers[i].next, __ATOMIC_SEQ_CST) >= PAGES;
	}
}

static void one_race(struct area *a, uint64_t random)
{
	uint64_t before[PAGES], after[PAGES];
	struct toucher touchers[TOUCHERS];
	pthread_barrier_t start;

	SETUP(!area_unwp(a, 0, PAGES));
	SETUP(!madvise(a->map, PAGES * PAGE, MADV_DONTNEED));
	if (random % 2)
		SETUP(!fallocate(a->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, PAGES * PAGE));
	pthread_barrier_init(&start, NULL, TOUCHERS + 1);
	for (int i = 0; i < TOUCHERS; i++) {
		touchers[i] = (struct toucher){ .area = a, .start = &start, .backwards = i };
		SETUP(!pthread_create(&touchers[i].thread, NULL, touch_all, &touchers[i]));
	}
	pthread_barrier_wait(&start);
	for (volatile uint64_t spin = random % 20000; spin; spin--)
		;
	REQUIRE_EQ(area_wp(a, 0, PAGES), 0);
	take_image(a, before);
	REQUIRE_EQ(pm_count(a->map, PAGES, PM_UFFD_WP, 0), PAGES);
	wait_blocked(a, touchers);
	take_image(a, after);
	for (size_t i = 0; i < PAGES && a->backing->shared; i++)
		REQUIRE_MSG(before[i] == after[i], "page %zu was written after WRITEPROTECT had returned", i);
	REQUIRE_EQ(pm_count(a->map, PAGES, PM_UFFD_WP, 0), PAGES);
	REQUIRE_EQ(area_unwp(a, 0, PAGES), 0);
	for (int i = 0; i < TOUCHERS; i++)
		pthread_join(touchers[i].thread, NULL);
	pthread_barrier_destroy(&start);
	for (struct uffd_msg msg; uffd_next(a->uffd, &msg);)
		;
}

static void race(const struct backing *b)
{
	uint64_t random = ktap_seed() * 7919;
	double end = ktap_now() + ktap_budget();
	struct area a;
	long rounds;

	area_arm(&a, b, PAGES, 0);
	for (rounds = 0; ktap_now() < end; rounds++) {
		random = random * 6364136223846793005ULL + 1442695040888963407ULL;
		one_race(&a, random >> 33);
	}
	ktap_diag("%ld races", rounds);
}
CASE_BUDGET_ON(((const struct backing *const []){ &memfd_shared, &memfd_private, &tmpfs_file, NULL }),
	       "R09_wp-vs-fault", race);
