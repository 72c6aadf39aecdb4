// SPDX-License-Identifier: GPL-2.0
/*
 * While an event of the userfaultfd is not read, UFFDIO_COPY and UFFDIO_ZEROPAGE say EAGAIN, and in their structure,
 * too: who asks there how much was done finds no number of an earlier call.
 * Needs: UFFD_FEATURE_EVENT_REMOVE, UFFD_FEATURE_MISSING_SHMEM; all of 5.10.
 * Fails on a kernel that leaves the field as it was.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>

#include "access.h"
#include "backing.h"
#include "ktap.h"
#include "trap.h"
#include "uffd.h"

#define PAGES 3
#define EARLIER 12345	/* what the field has had before */

static char content[PAGE] = "content";

static long drop(void *area)
{
	const struct area *a = area;

	return madvise(a->map, PAGE, MADV_DONTNEED);
}

static void judge_copy(const struct area *a, int err, __s64 done)
{
	struct uffdio_copy copy = {
		.dst = (uintptr_t)area_page(a, 1), .src = (uintptr_t)content, .len = PAGE, .copy = EARLIER };

	EXPECT_EQ(ioctl(a->uffd, UFFDIO_COPY, &copy) ? errno : 0, err);
	EXPECT_EQ(copy.copy, done);
}

static void judge_zeropage(const struct area *a, int err, __s64 done)
{
	struct uffdio_zeropage zero = {
		.range = { (uintptr_t)area_page(a, 2), PAGE }, .zeropage = EARLIER };

	EXPECT_EQ(ioctl(a->uffd, UFFDIO_ZEROPAGE, &zero) ? errno : 0, err);
	EXPECT_EQ(zero.zeropage, done);
}

/* Calls around a MADV_DONTNEED that waits for its event to be read. */
static void while_changing(const struct backing *b, void (*judge)(const struct area *a, int err, __s64 done))
{
	struct uffd_msg msg;
	struct pollfd event;
	struct touch t;
	struct area a;

	area_open(&a, b, PAGES);
	touch_write(a.map, 1);
	area_register(&a, UFFD_FEATURE_EVENT_REMOVE | UFFD_FEATURE_MISSING_SHMEM, UFFDIO_REGISTER_MODE_MISSING);
	touch_call(&t, drop, &a);
	event = (struct pollfd){ .fd = a.uffd, .events = POLLIN };
	SETUP(poll(&event, 1, -1) == 1);	/* the event is there, and is not read */
	judge(&a, EAGAIN, -EAGAIN);
	uffd_wait(a.uffd, &msg);
	REQUIRE_EQ(msg.event, UFFD_EVENT_REMOVE);
	REQUIRE_EQ(touch_end(&t), COMPLETED);
	EXPECT_EQ(t.result, 0);
	judge(&a, 0, PAGE);
}

static void copy(const struct backing *b)
{
	while_changing(b, judge_copy);
}
CASE_ON(BACKINGS_ALL_SMALL, "C13_changing-copy", copy);

static void zeropage(const struct backing *b)
{
	while_changing(b, judge_zeropage);
}
CASE_ON(BACKINGS_ALL_SMALL, "C13_changing-zeropage", zeropage);
