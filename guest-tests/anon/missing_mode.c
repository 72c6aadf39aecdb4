// SPDX-License-Identifier: GPL-2.0
/*
 * MISSING mode and the events work on shmem and hugetlbfs as before write protection came to it.
 * Needs: MISSING_SHMEM, MISSING_HUGETLBFS, EVENT_REMOVE, EVENT_REMAP, EVENT_UNMAP, EVENT_FORK; all of 5.10.
 * A failure means: a change for write protection has reached users who do not ask for it.
 */
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "access.h"
#include "backing.h"
#include "ktap.h"
#include "proc.h"
#include "trap.h"
#include "uffd.h"

static char content[PAGE] = "content";

static void arm_missing(struct area *a, const struct backing *b, size_t pages, __u64 features)
{
	area_open(a, b, pages);
	area_register(a, features | UFFD_FEATURE_MISSING_SHMEM, UFFDIO_REGISTER_MODE_MISSING);
}

/* See an access to a page that is not there wait, and give it the page. */
static void serve_missing(const struct area *a, char *addr, enum access access)
{
	struct uffd_msg msg;
	struct touch t;

	touch_start(&t, access, addr, fresh_value());
	uffd_wait(a->uffd, &msg);
	REQUIRE_EQ(msg.event, UFFD_EVENT_PAGEFAULT);
	REQUIRE_EQ(msg.arg.pagefault.address, (uintptr_t)addr);
	EXPECT_EQ(msg.arg.pagefault.flags, access == WRITES ? UFFD_PAGEFAULT_FLAG_WRITE : 0);
	EXPECT(touch_asleep(&t));
	REQUIRE_EQ(uffd_copy(a->uffd, addr, content, PAGE, 0, NULL), 0);
	EXPECT_EQ(touch_end(&t), COMPLETED);
	EXPECT_EQ(touch_read(addr), access == WRITES ? t.value : *(uint64_t *)content);
}

static void missing(const struct backing *b)
{
	struct area a;

	arm_missing(&a, b, 4, 0);
	serve_missing(&a, a.map, READS);
	serve_missing(&a, a.map + PAGE, WRITES);
	REQUIRE_EQ(uffd_zeropage(a.uffd, a.map + 2 * PAGE, PAGE, 0), 0);
	EXPECT_EQ(touch_read(a.map + 2 * PAGE), 0);
	EXPECT_EQ(uffd_copy(a.uffd, a.map, content, PAGE, 0, NULL), -EEXIST);
	EXPECT_EQ(pm_count(a.map, 4, PM_UFFD_WP, 0), 0);
	SETUP(!madvise(a.map, a.size, MADV_DONTNEED));
	if (!b->file)	/* the file still has the pages; anonymous memory has lost them */
		serve_missing(&a, a.map, WRITES);
	else if (b->shared)
		EXPECT_READS(&a, a.map);
}
CASE_ON(BACKINGS_ALL_SMALL, "G06_missing-mode", missing);

#define PAGES 64

/* Reading what the file has maps what is around it, too. */
static void missing_faults(const struct backing *b)
{
	struct area a;
	long n;

	arm_missing(&a, b, PAGES, 0);
	area_fill_file(&a, 0, PAGES);
	n = faults_of_reading(a.map, PAGES);
	EXPECT_MSG(n < PAGES / 4, "%ld faults of reading %d pages that are there", n, PAGES);
	EXPECT_EQ(touch_read(area_page(&a, PAGES - 1)), file_value(PAGES - 1));
}
CASE_ON(BACKINGS_SMALL, "G06_missing-mode-faults", missing_faults);

/* A huge page of a file that is missing, and one that is there. */
static void missing_huge(const struct backing *b)
{
	char *page = mmap(NULL, HUGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct uffd_msg msg;
	struct touch t;
	struct area a;

	SETUP(page != MAP_FAILED);
	area_open(&a, b, 2);
	area_register(&a, UFFD_FEATURE_MISSING_HUGETLBFS, UFFDIO_REGISTER_MODE_MISSING);
	touch_start(&t, WRITES, a.map + PAGE, fresh_value());
	uffd_wait(a.uffd, &msg);
	EXPECT_EQ(msg.arg.pagefault.address, (uintptr_t)a.map);
	EXPECT_EQ(msg.arg.pagefault.flags, UFFD_PAGEFAULT_FLAG_WRITE);
	EXPECT(touch_asleep(&t));
	REQUIRE_EQ(uffd_copy(a.uffd, a.map, page, HUGE, 0, NULL), 0);
	EXPECT_EQ(touch_end(&t), COMPLETED);
	EXPECT_EQ(touch_read(a.map + PAGE), t.value);
	EXPECT_EQ(uffd_copy(a.uffd, a.map, page, HUGE, 0, NULL), -EEXIST);
	EXPECT_EQ(area_count(&a, PM_UFFD_WP, 0), 0);
	EXPECT_EQ(faults_of_writing(a.map, HUGE / PAGE), 0);
}
CASE_ON(BACKINGS_HUGETLB, "G06_missing-mode-huge", missing_huge);

struct call {
	struct area *a;
	char *new_map;
	long result;
};

static void *do_remove(void *arg)
{
	struct call *call = arg;

	call->result = madvise(call->a->map, PAGE, MADV_REMOVE);
	return NULL;
}

static void *do_remap(void *arg)
{
	struct call *call = arg;

	call->result = mremap(call->a->map, call->a->size, call->a->size, MREMAP_MAYMOVE | MREMAP_FIXED,
			      call->new_map) == MAP_FAILED;
	return NULL;
}

static void *do_unmap(void *arg)
{
	struct call *call = arg;

	call->result = munmap(call->a->map, PAGE);
	return NULL;
}

/* Run a call that reports an event, and receive that event. */
static void receive(struct call *call, void *(*fn)(void *), struct uffd_msg *msg, int event)
{
	pthread_t thread;

	SETUP(!pthread_create(&thread, NULL, fn, call));
	uffd_wait(call->a->uffd, msg);
	pthread_join(thread, NULL);
	EXPECT_EQ(call->result, 0);
	REQUIRE_EQ(msg->event, event);
}

static void event_remove(void)
{
	struct uffd_msg msg;
	struct area a;

	arm_missing(&a, &memfd_shared, 4, UFFD_FEATURE_EVENT_REMOVE);
	serve_missing(&a, a.map, READS);
	receive(&(struct call){ .a = &a }, do_remove, &msg, UFFD_EVENT_REMOVE);
	EXPECT_EQ(msg.arg.remove.start, (uintptr_t)a.map);
	EXPECT_EQ(msg.arg.remove.end, (uintptr_t)a.map + PAGE);
	serve_missing(&a, a.map, WRITES);
}
CASE("G06_event-remove", event_remove);

static void event_unmap(void)
{
	struct uffd_msg msg;
	struct area a;

	arm_missing(&a, &memfd_shared, 4, UFFD_FEATURE_EVENT_UNMAP);
	receive(&(struct call){ .a = &a }, do_unmap, &msg, UFFD_EVENT_UNMAP);
	EXPECT_EQ(msg.arg.remove.start, (uintptr_t)a.map);
	EXPECT_EQ(msg.arg.remove.end, (uintptr_t)a.map + PAGE);
}
CASE("G06_event-unmap", event_unmap);

static void event_remap(void)
{
	struct area a, target;
	struct uffd_msg msg;

	arm_missing(&a, &memfd_shared, 4, UFFD_FEATURE_EVENT_REMAP);
	area_open(&target, &anon, 4);
	serve_missing(&a, a.map, WRITES);
	receive(&(struct call){ .a = &a, .new_map = target.map }, do_remap, &msg, UFFD_EVENT_REMAP);
	EXPECT_EQ(msg.arg.remap.from, (uintptr_t)a.map);
	EXPECT_EQ(msg.arg.remap.to, (uintptr_t)target.map);
	EXPECT_EQ(msg.arg.remap.len, a.size);
	a.map = target.map;
	serve_missing(&a, a.map + PAGE, READS);
}
CASE("G06_event-remap", event_remap);

static void *do_fork(void *arg)
{
	struct call *call = arg;
	pid_t pid = fork();

	if (!pid) {
		touch_read(call->a->map + PAGE);
		_exit(0);
	}
	call->result = pid < 0;
	return NULL;
}

/* The child's faults come from a userfaultfd of its own. */
static void event_fork(void)
{
	struct uffd_msg msg;
	struct area a;
	int child;

	arm_missing(&a, &memfd_shared, 4, UFFD_FEATURE_EVENT_FORK);
	serve_missing(&a, a.map, WRITES);
	receive(&(struct call){ .a = &a }, do_fork, &msg, UFFD_EVENT_FORK);
	child = (int)msg.arg.fork.ufd;
	uffd_wait(child, &msg);
	EXPECT_EQ(msg.event, UFFD_EVENT_PAGEFAULT);
	EXPECT_EQ(msg.arg.pagefault.address, (uintptr_t)a.map + PAGE);
	EXPECT_EQ(uffd_copy(child, a.map + PAGE, content, PAGE, 0, NULL), 0);
}
CASE("G06_event-fork", event_fork);
