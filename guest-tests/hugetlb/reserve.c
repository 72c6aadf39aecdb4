// SPDX-License-Identifier: GPL-2.0
/*
 * Protection takes no huge page and no reservation, and gives none back: the pool has the same numbers after each step
 * as with a mapping that is not protected.
 * Needs: REGISTER(WP) on hugetlbfs, huge pages.
 * Fails on a kernel that takes the reservation of an address twice, or forgets it, because a marker stands there, or
 * to which a marker is a page that somebody else has brought, where there is none to be had.
 */
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "access.h"
#include "backing.h"
#include "hugetlb.h"
#include "ktap.h"
#include "proc.h"
#include "trap.h"
#include "uffd.h"

#define PAGES 4

struct pool {
	long free, reserved;
};

static struct pool pool_now(void)
{
	return (struct pool){ .free = hugetlb_free(HUGE), .reserved = hugetlb_reserved(HUGE) };
}

/* What has been taken since @from. */
static struct pool since(struct pool from)
{
	struct pool now = pool_now();

	return (struct pool){ .free = now.free - from.free, .reserved = now.reserved - from.reserved };
}

/* A mapping with reservations, where all others of the tests have MAP_NORESERVE. */
static void map_reserved(struct area *a, const struct backing *b)
{
	area_open(a, b, PAGES);
	SETUP(!munmap(a->alias, a->size));	/* what is read by it takes pages of its own */
	a->alias = NULL;
	SETUP(mmap(a->map, a->size, PROT_READ | PROT_WRITE, (b->shared ? MAP_SHARED : MAP_PRIVATE) | MAP_FIXED, a->fd, 0)
	      == a->map);
	area_register(a, 0, UFFDIO_REGISTER_MODE_WP);
}

static void write_page(const struct area *a, size_t page, bool protected)
{
	if (protected)
		EXPECT_TRAPS(a, area_page(a, page));
	else
		touch_write(area_page(a, page), fresh_value());
}

static void copy_page(const struct area *a, size_t page)
{
	static char *content;

	if (!content)
		content = mmap(NULL, HUGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	SETUP(content != MAP_FAILED);
	REQUIRE_EQ(uffd_copy(a->uffd, area_page(a, page), content, HUGE, 0, NULL), 0);
	if (area_count(a, PM_UFFD_WP, 0))
		REQUIRE_EQ(area_wp(a, page, 1), 0);
}

/* The child writes to what it has from its parent, and to what it has not. */
static void child_writes(const struct area *a)
{
	int status;
	pid_t pid = fork();

	SETUP(pid >= 0);
	if (!pid) {
		touch_write(a->map, 1);
		touch_write(area_page(a, PAGES - 1), 1);
		_exit(0);
	}
	SETUP(waitpid(pid, &status, 0) == pid);
	REQUIRE_EQ(status, 0);
}

#define STEPS 8

static void steps(const struct backing *b, bool protect, struct pool seen[STEPS])
{
	struct pool before;
	struct area a;
	size_t n = 0;

	map_reserved(&a, b);
	before = pool_now();
	if (protect)
		REQUIRE_EQ(area_wp(&a, 0, PAGES), 0);
	seen[n++] = since(before);
	copy_page(&a, 0);
	seen[n++] = since(before);
	write_page(&a, 0, protect);
	seen[n++] = since(before);
	child_writes(&a);
	seen[n++] = since(before);
	SETUP(!fallocate(a.fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, HUGE));
	seen[n++] = since(before);
	copy_page(&a, 0);
	copy_page(&a, 1);
	seen[n++] = since(before);
	REQUIRE_EQ(uffd_unregister(a.uffd, area_page(&a, 3), HUGE), 0);
	write_page(&a, 1, protect);
	touch_read(area_page(&a, 2));
	write_page(&a, 2, protect);
	seen[n++] = since(before);
	touch_write(area_page(&a, 3), 1);
	seen[n++] = since(before);
	area_close(&a);
	SETUP(n == STEPS);
}

static void reserved(const struct backing *b)
{
	struct pool plain[STEPS], seen[STEPS], before;

	need_hugetlb_wp(HUGE);
	hugetlb_pool(HUGE, PAGES);
	before = pool_now();
	steps(b, false, plain);
	EXPECT_EQ(since(before).reserved, 0);
	before = pool_now();
	steps(b, true, seen);
	EXPECT_EQ(since(before).free, 0);
	EXPECT_EQ(since(before).reserved, 0);
	for (int i = 0; i < STEPS; i++) {
		EXPECT_MSG(seen[i].free == plain[i].free && seen[i].reserved == plain[i].reserved,
			   "step %d: free %ld, reserved %ld; without protection %ld and %ld", i, seen[i].free,
			   seen[i].reserved, plain[i].free, plain[i].reserved);
	}
}
CASE_ON(BACKINGS_HUGETLB, "H23_reservations", reserved);

/* No page is left for a protected hole: SIGBUS, as for any other. The protection is there when there are some again. */
static void none_left(const struct backing *b)
{
	struct uffd_msg msg;
	size_t bytes;
	struct area a;
	char *rest;

	area_arm(&a, b, 2, 0);
	REQUIRE_EQ(area_wp(&a, 0, 2), 0);
	bytes = hugetlb_free(HUGE) * HUGE;
	rest = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_POPULATE | MAP_HUGETLB |
		    (int)hugetlb_memfd_flag(HUGE), -1, 0);
	SETUP(rest != MAP_FAILED);
	SETUP_MSG(!hugetlb_free(HUGE), "%ld huge pages are left", hugetlb_free(HUGE));
	EXPECT_EQ(touch_once(READS, a.map, 0), GOT_SIGBUS);
	EXPECT_EQ(touch_once(WRITES, area_page(&a, 1), 1), GOT_SIGBUS);
	EXPECT(!uffd_next(a.uffd, &msg));
	EXPECT_EQ(area_count(&a, PM_UFFD_WP, PM_PRESENT), 2);
	SETUP(!munmap(rest, bytes));
	EXPECT_READS(&a, a.map);
	EXPECT_TRAPS(&a, a.map);
	EXPECT_TRAPS(&a, area_page(&a, 1));
}
CASE_ON(BACKINGS_HUGETLB, "H23_none-left", none_left);
