// SPDX-License-Identifier: GPL-2.0
/*
 * A manager supplies missing huge pages, write-protected, while the range is protected over and over, holes are punched
 * and two threads write: each write is answered, and in the end the pool has all its pages and reservations.
 * Needs: REGISTER(WP) on hugetlbfs, MISSING_HUGETLBFS, huge pages.
 * Fails on a kernel on which one of them forgets a marker, a page or a writer that waits.
 */
#include <fcntl.h>
#include <poll.h>
#include <sched.h>

#include "access.h"
#include "backing.h"
#include "hugetlb.h"
#include "ktap.h"
#include "loop.h"
#include "proc.h"
#include "uffd.h"

#define PAGES 8

static char *content;
static unsigned long copied, existed, lifted;

static void supply(const struct area *a, char *page)
{
	int err = uffd_copy(a->uffd, page, content, HUGE, UFFDIO_COPY_MODE_WP, NULL);

	if (!err) {
		copied++;
		return;
	}
	/* It is there by now: who has waited for it goes on. */
	REQUIRE_EQ(err, -EEXIST);
	existed++;
	REQUIRE_EQ(uffd_wake(a->uffd, page, HUGE), 0);
}

static void answer(void *area)
{
	const struct area *a = area;
	struct pollfd fd = { .fd = a->uffd, .events = POLLIN };
	struct uffd_msg msg;
	char *page;

	poll(&fd, 1, 10);
	while (uffd_next(a->uffd, &msg)) {
		REQUIRE_EQ(msg.event, UFFD_EVENT_PAGEFAULT);
		page = (char *)(uintptr_t)msg.arg.pagefault.address;
		if (!(msg.arg.pagefault.flags & UFFD_PAGEFAULT_FLAG_WP)) {
			supply(a, page);
			continue;
		}
		REQUIRE_EQ(uffd_writeprotect(a->uffd, page, HUGE, 0), 0);
		lifted++;
	}
}

static void write_all(void *area)
{
	const struct area *a = area;

	for (size_t i = 0; i < PAGES; i++)
		touch_write(area_page(a, i), fresh_value());
}

static void punch_some(void *area)
{
	static off_t page;
	const struct area *a = area;

	SETUP(!fallocate(a->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, page * (off_t)HUGE, 2 * (off_t)HUGE));
	page = (page + 3) % (PAGES - 1);
	sched_yield();
}

static void copied_meanwhile(const struct backing *b)
{
	double end = ktap_now() + ktap_budget();
	void (*const work[])(void *area) = { answer, write_all, write_all, punch_some };
	struct looper side[4];
	long free, reserved;
	struct area a;

	need_hugetlb_wp(HUGE);
	content = mmap(NULL, HUGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	SETUP(content != MAP_FAILED);
	area_open(&a, b, PAGES);
	free = hugetlb_free(HUGE);
	reserved = hugetlb_reserved(HUGE);
	SETUP(mmap(a.map, a.size, PROT_READ | PROT_WRITE, (b->shared ? MAP_SHARED : MAP_PRIVATE) | MAP_FIXED, a.fd, 0)
	      == a.map);
	area_register(&a, UFFD_FEATURE_MISSING_HUGETLBFS, UFFDIO_REGISTER_MODE_MISSING | UFFDIO_REGISTER_MODE_WP);
	for (int i = 0; i < 4; i++)
		loop_start(&side[i], work[i], &a);
	do {
		REQUIRE_EQ(area_wp(&a, 0, PAGES), 0);
		sched_yield();
	} while (ktap_now() < end);
	for (int i = 3; i >= 0; i--)
		loop_end(&side[i]);
	ktap_diag("%lu pages copied, %lu were there, %lu protections lifted", copied, existed, lifted);
	EXPECT(copied && lifted);
	area_close(&a);
	EXPECT_EQ(hugetlb_free(HUGE), free);
	EXPECT_EQ(hugetlb_reserved(HUGE), reserved);
}
CASE_BUDGET_ON(BACKINGS_HUGETLB, "H28_copy-meanwhile", copied_meanwhile);
