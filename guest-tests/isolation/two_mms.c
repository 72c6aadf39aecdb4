// SPDX-License-Identifier: GPL-2.0
/*
 * Two and three processes map one file: what one does to its protection, its mapping or itself
 * leaves the others as they are; what is done to the file reaches each as its own state demands.
 * Needs: REGISTER(WP) on shmem.
 * Fails on a kernel that keeps state in the file, or whose rmap zap decides for all mms what it
 * found out about one: a marker where nothing was protected, none where something was.
 */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "access.h"
#include "backing.h"
#include "ktap.h"
#include "peer.h"
#include "proc.h"
#include "sweep.h"
#include "trap.h"
#include "uffd.h"

#define PAGES 8

/* Orders for a peer. Its own area: the inherited mapping with a userfaultfd of its own. */
static struct area own;

static uint64_t protect_own(void *parents, uint64_t wp)
{
	own = *(struct area *)parents;
	own.uffd = -1;
	area_register(&own, 0, UFFDIO_REGISTER_MODE_WP);
	touch_read_all(&own, 0, PAGES);
	if (wp)
		REQUIRE_EQ(area_wp(&own, 0, PAGES), 0);
	touch_read_all(&own, 0, PAGES);
	return pm_count(own.map, PAGES, PM_PRESENT | (wp ? PM_UFFD_WP : 0), wp ? 0 : PM_UFFD_WP);
}

static uint64_t unprotect_own(void *unused, uint64_t page)
{
	(void)unused;
	return -area_unwp(&own, page, 1);
}

static uint64_t own_all_trap(void *unused, uint64_t first)
{
	(void)unused;
	return EXPECT_ALL_TRAP(&own, first, PAGES / 2);
}

static uint64_t own_page_traps(void *unused, uint64_t page)
{
	(void)unused;
	return EXPECT_TRAPS(&own, area_page(&own, page));
}

static uint64_t own_page_does_not(void *unused, uint64_t page)
{
	(void)unused;
	return EXPECT_NO_TRAP(&own, area_page(&own, page));
}

/* Map and fork, then map the pages here: no entry is inherited. */
static void share(struct area *a, const struct backing *b, struct peer *peers, int count)
{
	area_open(a, b, PAGES);
	area_fill_file(a, 0, PAGES);
	if (b->huge)
		populate(a, 0, PAGES);	/* sees that it is huge */
	need_shmem_wp();
	for (int i = 0; i < count; i++)
		peer_start(&peers[i]);
}

static void protect_here(struct area *a)
{
	area_register(a, 0, UFFDIO_REGISTER_MODE_WP);
	touch_read_all(a, 0, PAGES);
	REQUIRE_EQ(area_wp(a, 0, PAGES), 0);
	touch_read_all(a, 0, PAGES);
	REQUIRE_EQ(pm_count(a->map, PAGES, PM_PRESENT | PM_UFFD_WP, 0), PAGES);
}

static void both_wp(const struct backing *b)
{
	struct peer other;
	struct area a;

	share(&a, b, &other, 1);
	protect_here(&a);
	REQUIRE_EQ(peer_call(&other, protect_own, &a, true), PAGES);
	REQUIRE_EQ(area_unwp(&a, 0, 1), 0);
	REQUIRE_EQ(peer_call(&other, unprotect_own, NULL, 1), 0);
	EXPECT_PM(area_page(&a, 0), 0, PM_UFFD_WP);
	PEER_PM(&other, area_page(&a, 0), PM_UFFD_WP, 0);
	EXPECT_PM(area_page(&a, 1), PM_UFFD_WP, 0);
	PEER_PM(&other, area_page(&a, 1), 0, PM_UFFD_WP);
	EXPECT_NO_TRAP(&a, area_page(&a, 0));
	EXPECT(peer_call(&other, own_page_traps, NULL, 0));
	EXPECT_TRAPS(&a, area_page(&a, 1));
	EXPECT(peer_call(&other, own_page_does_not, NULL, 1));
	EXPECT_EQ(peer_end(&other), 0);
	EXPECT_ALL_TRAP(&a, 2, PAGES - 2);
}
CASE_ON(BACKINGS_FILE, "I03_both-wp", both_wp);

/* Pages of files that a process maps; it sleeps, so nothing but the test can change the figure. */
static long file_rss(const struct peer *p)
{
	char path[40], text[200];
	long pages = -1;

	snprintf(path, sizeof(path), "/proc/%d/statm", p->pid);
	SETUP(file_read(path, text, sizeof(text)));
	SETUP(sscanf(text, "%*d %*d %ld", &pages) == 1);
	return pages;
}

static void zap_one(const struct backing *b)
{
	struct peer other;
	struct area a;
	long rss;

	share(&a, b, &other, 1);
	protect_here(&a);
	REQUIRE_EQ(peer_call(&other, protect_own, &a, false), PAGES);
	rss = file_rss(&other);
	SETUP(!madvise(a.map, a.size, MADV_DONTNEED));
	EXPECT_EQ(pm_count(a.map, PAGES, PM_UFFD_WP, PM_PRESENT), PAGES);
	EXPECT_EQ(file_rss(&other), rss);
	for (size_t i = 0; i < PAGES; i++)
		PEER_PM(&other, area_page(&a, i), PM_PRESENT, PM_UFFD_WP);
	for (size_t i = 0; i < PAGES; i++)
		EXPECT(peer_call(&other, own_page_does_not, NULL, i));
	EXPECT_ALL_TRAP(&a, 0, PAGES);
	EXPECT_EQ(peer_end(&other), 0);
}
CASE_ON(BACKINGS_FILE, "I04_zap-one", zap_one);

static void file_zap_all(const struct backing *b)
{
	struct peer others[2];	/* the first one not protected, the second one protected */
	struct area a;

	share(&a, b, others, 2);
	protect_here(&a);
	REQUIRE_EQ(peer_call(&others[0], protect_own, &a, false), PAGES);
	REQUIRE_EQ(peer_call(&others[1], protect_own, &a, true), PAGES);
	SETUP(!fallocate(a.fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, a.size));
	EXPECT_EQ(pm_count(a.map, PAGES, PM_UFFD_WP, PM_PRESENT), PAGES);
	for (size_t i = 0; i < PAGES; i++) {
		PEER_PM(&others[0], area_page(&a, i), 0, PM_UFFD_WP | PM_PRESENT | PM_SWAP);
		PEER_PM(&others[1], area_page(&a, i), PM_UFFD_WP, PM_PRESENT);
	}
	EXPECT_EQ(peer_call(&others[0], peer_get, area_page(&a, 0), 0), 0);
	EXPECT(peer_call(&others[0], own_page_does_not, NULL, 0));
	EXPECT(peer_call(&others[1], own_all_trap, NULL, 0));
	EXPECT_ALL_TRAP(&a, 0, PAGES);
	EXPECT(peer_call(&others[1], own_all_trap, NULL, PAGES / 2));
	for (int i = 0; i < 2; i++)
		EXPECT_EQ(peer_end(&others[i]), 0);
}
static const struct backing *const PUNCHED[] = { &memfd_shared, &memfd_private, &tmpfs_file, &thp_shmem, NULL };
CASE_ON(PUNCHED, "I05_file-zap-all", file_zap_all);

/* An order for a newcomer: map the file afresh; how many pages are then protected, or trap. */
static uint64_t fresh_mapping(void *parents, uint64_t unused)
{
	const struct area *a = parents;
	char *map = area_map_again(a);
	size_t bad = pm_count(map, PAGES, PM_UFFD_WP, 0);

	(void)unused;
	for (size_t i = 0; i < PAGES; i++)
		bad += touch_once(WRITES, map + i * PAGE, fresh_value()) != COMPLETED;
	return bad + pm_count(map, PAGES, PM_UFFD_WP, 0);
}

static void exit_one(const struct backing *b)
{
	struct peer leaver, newcomer;
	struct area a;

	share(&a, b, &leaver, 1);
	protect_here(&a);
	REQUIRE_EQ(peer_call(&leaver, protect_own, &a, true), PAGES);
	EXPECT_EQ(peer_end(&leaver), 0);
	EXPECT_EQ(pm_count(a.map, PAGES, PM_UFFD_WP | PM_PRESENT, 0), PAGES);
	peer_start(&newcomer);
	EXPECT_EQ(peer_call(&newcomer, fresh_mapping, &a, 0), 0);
	EXPECT_EQ(peer_end(&newcomer), 0);
	EXPECT_EQ(pm_count(a.map, PAGES, PM_UFFD_WP | PM_PRESENT, 0), PAGES);
	EXPECT_ALL_TRAP(&a, 0, PAGES);
}
CASE_ON(BACKINGS_FILE, "I06_exit-one", exit_one);
