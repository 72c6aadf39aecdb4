// SPDX-License-Identifier: GPL-2.0
/*
 * A protected page that the kernel moves to another NUMA node comes back protected and read-only,
 * in this mapping only, also while it is protected and unprotected all the time.
 * Needs: REGISTER(WP) on shmem, two NUMA nodes, MIGRATION.
 * Fails on a kernel whose remove_migration_pte takes write permission from vm_page_prot
 * (mainline before 6.2), or loses the bit in the migration entry.
 */
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "backing.h"
#include "force.h"
#include "ktap.h"
#include "peer.h"
#include "proc.h"
#include "trap.h"

#define PAGES 8

static void moved(const struct backing *b)
{
	struct area a;

	area_arm(&a, b, PAGES, 0);
	touch_write_all(&a, 0, PAGES / 2);
	area_fill_file(&a, PAGES / 2, PAGES / 2);
	touch_read_all(&a, PAGES / 2, PAGES / 2);
	REQUIRE_EQ(area_wp(&a, 0, PAGES), 0);
	if (b->huge)	/* the split has unmapped it */
		touch_read_all(&a, 0, PAGES);
	migrate(&a, 0, PAGES, MPOL_MF_MOVE);
	EXPECT_EQ(pm_count(a.map, PAGES, PM_PRESENT | PM_UFFD_WP, 0), PAGES);
	for (int i = 0; i < PAGES; i++)
		EXPECT_TRAPS(&a, area_page(&a, i));
}
CASE_ON(BACKINGS_SMALL, "P07_migrate", moved);

static void moved_shared(const struct backing *b)
{
	struct peer other;
	struct area a, theirs;

	area_arm(&a, b, PAGES, 0);
	theirs = a;
	theirs.uffd = -1;
	peer_start(&other);
	touch_write_all(&a, 0, PAGES);
	for (int i = 0; i < PAGES; i++)
		EXPECT_EQ(peer_call(&other, peer_get, area_page(&a, i), 0), file_value(i));
	REQUIRE_EQ(area_wp(&a, 0, PAGES), 0);
	migrate(&a, 0, PAGES, MPOL_MF_MOVE_ALL);
	for (int i = 0; i < PAGES; i++) {
		PEER_PM(&other, area_page(&a, i), PM_PRESENT, PM_UFFD_WP);
		PEER_WRITES(&other, &theirs, area_page(&a, i));
		EXPECT_TRAPS(&a, area_page(&a, i));
	}
	EXPECT_EQ(peer_end(&other), 0);
}
CASE_ON(BACKINGS_SHARED_SMALL, "P08_migrate-shared", moved_shared);

/* Moves pages to and fro until told to stop. */
struct mover {
	pthread_t thread;
	const struct area *area;
	bool stop;
	long moves, rounds;
};

/* A page that is always on its way lets nobody touch it: the mover keeps step with the other thread. */
static bool ahead(struct mover *m)
{
	return m->moves > __atomic_load_n(&m->rounds, __ATOMIC_RELAXED) + 1;
}

/* To the other node. A page that is busy stays: only those that moved are counted. */
static bool move_one(const struct area *a, size_t page)
{
	void *addr = area_page(a, page);
	int now = -1, target, status = -1;

	SETUP(!syscall(SYS_move_pages, 0, 1, &addr, NULL, &now, 0));
	if (now < 0)
		return false;
	target = !now;
	return syscall(SYS_move_pages, 0, 1, &addr, &target, &status, MPOL_MF_MOVE) >= 0 && status == target;
}

static void *move_all_the_time(void *arg)
{
	struct mover *m = arg;

	for (size_t i = 0; !__atomic_load_n(&m->stop, __ATOMIC_ACQUIRE); i++) {
		if (ahead(m))
			usleep(500);
		else if (move_one(m->area, i % PAGES))
			__atomic_add_fetch(&m->moves, 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

/* A move may wait for every CPU to pass by: on a loaded machine that takes its time. */
#define ROUNDS 60
#define MOVES 16

static void while_migrating(const struct backing *b)
{
	struct mover m = { 0 };
	struct area a;

	area_arm(&a, b, PAGES, 0);
	touch_write_all(&a, 0, PAGES);
	m.area = &a;
	SETUP(!pthread_create(&m.thread, NULL, move_all_the_time, &m));
	for (int i = 0; i < ROUNDS || __atomic_load_n(&m.moves, __ATOMIC_RELAXED) < MOVES; i++) {
		REQUIRE_EQ(area_wp(&a, 0, PAGES), 0);
		REQUIRE_EQ(area_unwp(&a, i % PAGES, 1), 0);
		EXPECT_EQ(touch_once(WRITES, area_page(&a, i % PAGES), i), COMPLETED);
		REQUIRE_EQ(area_wp(&a, i % PAGES, 1), 0);
		EXPECT_PM(area_page(&a, i % PAGES), PM_UFFD_WP, 0);
		__atomic_add_fetch(&m.rounds, 1, __ATOMIC_RELAXED);
	}
	__atomic_store_n(&m.stop, true, __ATOMIC_RELEASE);
	pthread_join(m.thread, NULL);
	EXPECT_EQ(pm_count(a.map, PAGES, PM_UFFD_WP, 0), PAGES);
	for (int i = 0; i < PAGES; i++)
		EXPECT_TRAPS(&a, area_page(&a, i));
}
CASE_ON(BACKINGS_SMALL, "P10_wp-while-migrating", while_migrating);
