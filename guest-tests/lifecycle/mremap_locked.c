// SPDX-License-Identifier: GPL-2.0
/*
 * A locked mapping grows, and moves for want of room. The kernel fills what is new at once, and the monitor supplies
 * it: it hears of the new place before it hears of a page that is missing there.
 * Needs: UFFD_FEATURE_EVENT_REMAP, UFFD_FEATURE_MISSING_SHMEM; all of 5.10.
 * Fails on a kernel that fills it before it tells of the move: the page is missing at an address that the monitor does
 * not know, and until it has read the event, which comes last, UFFDIO_COPY says EAGAIN. Both wait for ever.
 */
#include <errno.h>
#include <string.h>

#include "access.h"
#include "backing.h"
#include "ktap.h"
#include "oracle.h"
#include "proc.h"
#include "trap.h"
#include "uffd.h"

#define OLD 2		/* pages before, and as many new ones */
#define NEW 4

static char content[PAGE] = "content";

static long grow(void *area)
{
	const struct area *a = area;

	return (long)mremap(a->map, OLD * PAGE, NEW * PAGE, MREMAP_MAYMOVE);
}

/* Locked and registered, in a file that has room for more; the addresses behind it are taken. */
static void arm_locked(struct area *a, const struct backing *b)
{
	area_open(a, b, NEW);
	SETUP(mmap(area_page(a, OLD), (NEW - OLD) * PAGE, PROT_NONE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) == area_page(a, OLD));
	touch_write_all(a, 0, OLD);
	SETUP(!mlock(a->map, OLD * PAGE));
	a->uffd = uffd_open(UFFD_FEATURE_EVENT_REMAP | UFFD_FEATURE_MISSING_SHMEM);
	REQUIRE_EQ(uffd_register(a->uffd, a->map, OLD * PAGE, UFFDIO_REGISTER_MODE_MISSING, NULL), 0);
}

/* The first message. One of a page that is missing is answered as well as can be, for what is said of it. */
static void follow(struct area *a, const struct touch *t)
{
	struct uffd_msg msg;

	REQUIRE_MSG(message_or_end(a->uffd, t->done, &msg), "it has moved and grown without a message");
	if (msg.event == UFFD_EVENT_PAGEFAULT)
		EXPECT_MSG(false, "a page at %#llx is missing, and nobody has told of a move there; COPY says %d",
			   (unsigned long long)msg.arg.pagefault.address,
			   uffd_copy(a->uffd, (void *)(uintptr_t)msg.arg.pagefault.address, content, PAGE, 0, NULL));
	REQUIRE_EQ(msg.event, UFFD_EVENT_REMAP);
	EXPECT_EQ(msg.arg.remap.from, (uintptr_t)a->map);
	EXPECT_EQ(msg.arg.remap.len, OLD * PAGE);
	a->map = (char *)(uintptr_t)msg.arg.remap.to;
}

static void supply(const struct area *a, const struct touch *t, size_t page, bool zero)
{
	struct uffd_msg msg;
	char *addr = area_page(a, page);

	REQUIRE_MSG(message_or_end(a->uffd, t->done, &msg), "page %zu was not asked for", page);
	REQUIRE_EQ(msg.event, UFFD_EVENT_PAGEFAULT);
	REQUIRE_EQ(msg.arg.pagefault.address, (uintptr_t)addr);
	if (zero)
		REQUIRE_EQ(uffd_zeropage(a->uffd, addr, PAGE, 0), 0);
	else
		REQUIRE_EQ(uffd_copy(a->uffd, addr, content, PAGE, 0, NULL), 0);
}

static void grows_and_moves(const struct backing *b)
{
	struct uffd_msg msg;
	struct touch t;
	struct area a;

	arm_locked(&a, b);
	touch_call(&t, grow, &a);
	follow(&a, &t);
	supply(&a, &t, OLD, false);
	supply(&a, &t, OLD + 1, true);
	REQUIRE_MSG(!message_or_end(a.uffd, t.done, &msg), "a message %#x that nothing is left for", msg.event);
	REQUIRE_EQ(touch_end(&t), COMPLETED);
	REQUIRE_EQ(t.result, (long)a.map);
	EXPECT_EQ(pm_count(a.map, NEW, PM_PRESENT, 0), NEW);
	for (size_t i = 0; i < OLD; i++)
		EXPECT_EQ(touch_read(area_page(&a, i)), file_value(i));
	EXPECT(!memcmp(area_page(&a, OLD), content, PAGE));
	EXPECT_EQ(touch_read(area_page(&a, OLD + 1)), 0);
}
CASE_ON(BACKINGS_ALL_SMALL, "L24_mremap-locked", grows_and_moves);
