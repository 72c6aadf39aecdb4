// SPDX-License-Identifier: GPL-2.0
/*
 * A mapping moves to a place beside one that has the same file and the same userfaultfd, so that the
 * kernel makes one of the two: only what moved loses its registration and its protection.
 * Needs: REGISTER(WP) on shmem, or write protection of anonymous memory; -event EVENT_REMAP; -missing nothing new.
 * Fails on a kernel that, without EVENT_REMAP, ends the registration of the whole vma which the moved
 * range has become a part of (mainline).
 */
#include <string.h>

#include "access.h"
#include "backing.h"
#include "ktap.h"
#include "oracle.h"
#include "peer.h"
#include "trap.h"
#include "uffd.h"

#define HALF 4		/* pages that move, and pages that stay */

/*
 * One mapping, of which one half goes away and comes back: what it comes back to is its old
 * neighbour, with the offset in the file that makes them one.
 */
struct halves {
	struct area a;
	size_t moving, staying;	/* first pages */
};

static char *room(size_t size)
{
	char *map = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	SETUP(map != MAP_FAILED);
	return map;
}

static void move(char *from, char *to)
{
	SETUP(mremap(from, HALF * PAGE, HALF * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, to) == to);
}

/* The first @written pages of each half written, and both registered; the one that moves lies elsewhere. */
static char *split(struct halves *h, const struct backing *b, bool first_moves, size_t written,
		   __u64 features, __u64 mode)
{
	char *elsewhere = room(HALF * PAGE);

	area_open(&h->a, b, 2 * HALF);
	h->moving = first_moves ? 0 : HALF;
	h->staying = HALF - h->moving;
	touch_write_all(&h->a, 0, written);
	touch_write_all(&h->a, HALF, written);
	move(area_page(&h->a, h->moving), elsewhere);
	h->a.uffd = uffd_open(features);
	REQUIRE_EQ(uffd_register(h->a.uffd, area_page(&h->a, h->staying), HALF * PAGE, mode, NULL), 0);
	REQUIRE_EQ(uffd_register(h->a.uffd, elsewhere, HALF * PAGE, mode, NULL), 0);
	return elsewhere;
}

/* All pages written and protected. */
static char *part(struct halves *h, const struct backing *b, bool first_moves, __u64 features)
{
	char *elsewhere;

	if (b->file)
		need_shmem_wp();
	elsewhere = split(h, b, first_moves, HALF, features, UFFDIO_REGISTER_MODE_WP);
	REQUIRE_EQ(area_wp(&h->a, h->staying, HALF), 0);
	REQUIRE_EQ(uffd_writeprotect(h->a.uffd, elsewhere, HALF * PAGE, UFFDIO_WRITEPROTECT_MODE_WP), 0);
	return elsewhere;
}

static void judge_moved(const struct halves *h, bool is_protected)
{
	for (size_t i = h->moving; i < h->moving + HALF; i++)
		if (is_protected)
			EXPECT_TRAPS(&h->a, area_page(&h->a, i));
		else
			EXPECT_NO_TRAP(&h->a, area_page(&h->a, i));
}

/* The pages that stay are protected, and can be again. */
static void judge_staying(const struct halves *h)
{
	EXPECT_TRAPS(&h->a, area_page(&h->a, h->staying + 1));
	REQUIRE_EQ(area_wp(&h->a, h->staying, HALF), 0);
	for (size_t i = h->staying; i < h->staying + HALF; i++)
		EXPECT_TRAPS(&h->a, area_page(&h->a, i));
}

static void beside(const struct backing *b)
{
	for (int first = 0; first < 2; first++) {
		struct halves h;
		char *elsewhere = part(&h, b, first, 0);

		move(elsewhere, area_page(&h.a, h.moving));
		judge_moved(&h, false);
		judge_staying(&h);
		area_close(&h.a);
	}
}
CASE_ON(BACKINGS_ALL_SMALL, "L20_mremap-beside", beside);

static void beside_with_event(const struct backing *b)
{
	for (int first = 0; first < 2; first++) {
		struct event event;
		struct halves h;
		char *elsewhere = part(&h, b, first, UFFD_FEATURE_EVENT_REMAP);

		event_begin(&event, h.a.uffd);
		move(elsewhere, area_page(&h.a, h.moving));
		event_end(&event, UFFD_EVENT_REMAP);
		judge_moved(&h, true);
		judge_staying(&h);
		area_close(&h.a);
	}
}
CASE_ON(BACKINGS_SMALL, "L20_mremap-beside-event", beside_with_event);

/* A page that is missing is waited for, and comes from the handler. */
static void judge_missing(const struct area *a, size_t page)
{
	static char content[PAGE] = "content";
	char *addr = area_page(a, page);
	struct uffd_msg msg;
	struct touch t;

	touch_start(&t, READS, addr, 0);
	REQUIRE_MSG(message_or_end(a->uffd, t.done, &msg),
		    "page %zu, which is missing, was read without a message", page);
	EXPECT_EQ(msg.event, UFFD_EVENT_PAGEFAULT);
	EXPECT_EQ(msg.arg.pagefault.address, (uintptr_t)addr);
	REQUIRE_EQ(uffd_copy(a->uffd, addr, content, PAGE, 0, NULL), 0);
	EXPECT_EQ(touch_end(&t), COMPLETED);
	EXPECT(!memcmp(addr, content, PAGE));
}

static void beside_missing(const struct backing *b)
{
	for (int first = 0; first < 2; first++) {
		struct halves h;
		char *elsewhere = split(&h, b, first, 1, 0, UFFDIO_REGISTER_MODE_MISSING);

		move(elsewhere, area_page(&h.a, h.moving));
		for (size_t i = h.staying + 1; i < h.staying + HALF; i++)
			judge_missing(&h.a, i);
		for (size_t i = h.moving; i < h.moving + HALF; i++)
			EXPECT_READS(&h.a, area_page(&h.a, i));
		area_close(&h.a);
	}
}
CASE_ON(BACKINGS_ALL_SMALL, "L20_mremap-beside-missing", beside_missing);
