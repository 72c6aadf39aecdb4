// SPDX-License-Identifier: GPL-2.0
/*
 * H30: a private mapping that has reserved its pages writes while none is left, and the page is taken away from all
 * others that map it. What stands elsewhere, or is another page's, stays: data, protection, the entry of a bad page.
 * Needs: huge pages; REGISTER(WP) on hugetlbfs for protection, CONFIG_MEMORY_FAILURE for a bad page.
 * Fails on a kernel that looks in each mapping of the file at the address at which the first one has the page (own-data
 * and two-pages), or that throws away what is no page there (bad-page); marker fails only where both is so.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "access.h"
#include "backing.h"
#include "hugetlb.h"
#include "ktap.h"
#include "peer.h"
#include "proc.h"
#include "trap.h"
#include "uffd.h"

#ifndef MADV_HWPOISON
#define MADV_HWPOISON 100
#endif
#define LATER 8		/* bytes into the page: what is not written again */

static int huge_file(size_t pages)
{
	int fd = memfd_create("file", MFD_HUGETLB | hugetlb_memfd_flag(HUGE));

	SETUP(fd >= 0 && !ftruncate(fd, (off_t)(pages * HUGE)));
	return fd;
}

/* A private mapping of the file's first page, at @at if that is not NULL. With MAP_NORESERVE it can be taken away. */
static char *map_private(int fd, void *at, int noreserve)
{
	char *map = mmap(at, HUGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | noreserve | (at ? MAP_FIXED : 0), fd, 0);

	SETUP(map != MAP_FAILED);
	return map;
}

static char *take_the_rest(void)
{
	char *rest = mmap(NULL, hugetlb_free(HUGE) * HUGE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_POPULATE | MAP_HUGETLB |
			  (int)hugetlb_memfd_flag(HUGE), -1, 0);

	SETUP(rest != MAP_FAILED);
	SETUP_MSG(!hugetlb_free(HUGE), "%ld huge pages are left", hugetlb_free(HUGE));
	return rest;
}

/* Write to a page that a child has as well, with no page left for a copy. */
static void write_without_a_page(char *owner)
{
	size_t bytes = hugetlb_free(HUGE) * HUGE;
	char *rest = take_the_rest();

	EXPECT_EQ(touch_once(WRITES, owner, fresh_value()), COMPLETED);
	SETUP(!munmap(rest, bytes));
}

static void mapped_twice(void)
{
	uint64_t value = fresh_value();
	struct peer child;
	char *owner;
	int fd;

	hugetlb_pool(HUGE, 4);
	fd = huge_file(1);
	owner = map_private(fd, NULL, 0);
	map_private(fd, NULL, MAP_NORESERVE);
	touch_write(owner, 1);
	touch_write(owner + LATER, value);
	peer_start(&child);
	write_without_a_page(owner);
	EXPECT_EQ(touch_read(owner + LATER), value);
	peer_kill(&child);
}
CASE("H30_unmap-others-own-data", mapped_twice);

static uint64_t split(void *at, uint64_t unused)
{
	(void)unused;
	return madvise(at, HUGE, MADV_DONTDUMP) ? (uint64_t)errno : 0;
}

/* The second page of two is taken from two children, of which one has it in a mapping of its own, and nothing else is. */
static void two_pages(void)
{
	uint64_t later = fresh_value(), own = fresh_value();
	struct peer children[2];
	char *owner, *other;
	int fd;

	hugetlb_pool(HUGE, 6);
	fd = huge_file(2);
	owner = mmap(NULL, 2 * HUGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	SETUP(owner != MAP_FAILED);
	other = mmap(NULL, HUGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE, fd, HUGE);
	SETUP(other != MAP_FAILED);
	touch_write(owner, 1);
	touch_write(owner + HUGE, 2);
	touch_write(owner + HUGE + LATER, later);
	touch_write(other, own);
	for (int i = 0; i < 2; i++)
		peer_start(&children[i]);
	SETUP(!peer_call(&children[1], split, owner + HUGE, 0));
	write_without_a_page(owner + HUGE);
	EXPECT_EQ(touch_read(owner), 1);
	EXPECT_EQ(touch_read(owner + HUGE + LATER), later);
	EXPECT_EQ(touch_read(other), own);
	for (int i = 0; i < 2; i++) {
		PEER_PM(&children[i], owner, PM_PRESENT, 0);
		PEER_PM(&children[i], owner + HUGE, 0, PM_PRESENT);
		PEER_PM(&children[i], other, PM_PRESENT, 0);
		peer_kill(&children[i]);
	}
}
CASE("H30_unmap-others-two-pages", two_pages);

/* In another process, what is mapped at @at is the file, and a page of it is taken away from its child. */
static uint64_t take_away(void *at, uint64_t fd)
{
	char *owner = map_private((int)fd, at, 0);
	struct peer child;

	touch_write(owner, 1);
	peer_start(&child);
	write_without_a_page(owner);
	peer_kill(&child);
	return 0;
}

static void other_file(void)
{
	struct peer other;
	struct area a;
	int fd;

	area_arm(&a, &hugetlb_shared, 1, 0);
	hugetlb_pool(HUGE, 4);
	REQUIRE_EQ(area_wp(&a, 0, 1), 0);
	EXPECT_PM(a.map, PM_UFFD_WP, PM_PRESENT);
	fd = huge_file(1);
	peer_start(&other);
	map_private(fd, NULL, MAP_NORESERVE);	/* elsewhere than the other process has it, and no page is there */
	REQUIRE_EQ(peer_call(&other, take_away, a.map, (uint64_t)fd), 0);
	SETUP(!peer_end(&other));
	EXPECT_PM(a.map, PM_UFFD_WP, PM_PRESENT);
	EXPECT_TRAPS(&a, a.map);
}
CASE("H30_unmap-others-marker", other_file);

static uint64_t poison(void *at, uint64_t value)
{
	touch_write(at, value);
	return madvise(at, PAGE, MADV_HWPOISON) ? (uint64_t)errno : 0;
}

static void bad_page(void)
{
	struct peer bad, child;
	uint64_t error;
	char *owner;

	hugetlb_pool(HUGE, 4);
	owner = map_private(huge_file(1), NULL, 0);
	touch_write(owner, 1);
	peer_start(&bad);
	peer_start(&child);
	error = peer_call(&bad, poison, owner, 2);
	if (error == EINVAL)
		SKIP("CONFIG_MEMORY_FAILURE: MADV_HWPOISON: %s", strerror(EINVAL));
	SETUP_MSG(!error, "MADV_HWPOISON: %s", strerror((int)error));
	SETUP_MSG(peer_call(&bad, peer_read, owner, 0) == GOT_SIGBUS, "no page was poisoned");
	write_without_a_page(owner);
	EXPECT_EQ(peer_call(&bad, peer_read, owner, 0), GOT_SIGBUS);
	peer_kill(&child);
	peer_kill(&bad);
}
CASE("H30_unmap-others-bad-page", bad_page);
