// SPDX-License-Identifier: GPL-2.0
/*
 * A protected page that the kernel moves to another NUMA node comes back protected and read-only,
 * in this mapping only, also while it is protected and unprotected all the time. What is not protected
 * keeps its write permission, when protection is lifted around it while it is on its way, too.
 * Needs: REGISTER(WP) on shmem or hugetlbfs, two NUMA nodes, MIGRATION; -migrating-huge anonymous memory and
 * TRANSPARENT_HUGEPAGE.
 * Fails on a kernel whose remove_migration_pte takes write permission from vm_page_prot
 * (mainline before 6.2), or loses the bit in the migration entry; P10_unwp-others-migrating on one that
 * makes a migration entry one for reading though it has nothing to lift.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "access.h"
#include "backing.h"
#include "force.h"
#include "ktap.h"
#include "loop.h"
#include "peer.h"
#include "proc.h"
#include "trap.h"
#include "uffd.h"

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

/*
 * More mappings of a small page make its way longer: the entries of all of them are changed, and changed back, before
 * it is there. A huge page is copied meanwhile, which takes as long. (Not one of a shared mapping of hugetlbfs: who
 * moves it holds the lock that WRITEPROTECT wants.)
 */
#define OTHERS 1000
#define MOVES_A_ROUND 8
#define MET 3		/* times that the entry was seen on its way; one is enough */

/* An order: in a process that does not run, so that no processor has to be told. */
static uint64_t map_often(void *area, uint64_t times)
{
	const struct area *a = area;

	while (times--) {
		char *map = mmap(NULL, a->page, PROT_READ, MAP_SHARED, a->fd, 0);

		SETUP(map != MAP_FAILED);
		touch_read(map);
	}
	return 0;
}

struct move {
	const struct area *area;
	bool ended;
};

static void move_first(void *arg)
{
	struct move *m = arg;

	for (int i = 0; i < MOVES_A_ROUND; i++)
		migrate(m->area, 0, 1, MPOL_MF_MOVE_ALL);
	__atomic_store_n(&m->ended, true, __ATOMIC_RELEASE);
}

static bool is_present(int pagemap, const void *addr)
{
	uint64_t entry;

	SETUP(pread(pagemap, &entry, sizeof(entry), (uintptr_t)addr / PAGE * sizeof(entry)) == sizeof(entry));
	return entry & PM_PRESENT;
}

/*
 * Lift the protection of all while the first page, which has none, is on its way to and fro. Returns how often it was
 * all along.
 */
static int unwp_on_its_way(const struct area *a, int pagemap)
{
	struct move move = { .area = a };
	struct once mover;
	int met = 0;

	once_start(&mover, move_first, &move);
	while (!__atomic_load_n(&move.ended, __ATOMIC_ACQUIRE)) {
		if (is_present(pagemap, a->map))
			continue;
		REQUIRE_EQ(area_unwp(a, 0, a->pages), 0);
		met += !is_present(pagemap, a->map);
	}
	once_end(&mover);
	return met;
}

/* The second half of the area is protected each time. */
static void judge_on_its_way(const struct area *a)
{
	int pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC), met = 0, rounds = 0;
	const double end = ktap_now() + ktap_limit() / 2;
	const size_t half = a->pages / 2;

	SETUP(pagemap >= 0);
	for (; met < MET && ktap_now() < end; rounds++) {
		REQUIRE_EQ(area_wp(a, half, half), 0);
		touch_write(a->map, rounds);
		met += unwp_on_its_way(a, pagemap);
		EXPECT_EQ(faults_of_writing(a->map, 1), 0);
		REQUIRE_EQ(area_unwp(a, half, half), 0);
	}
	ktap_diag("it was seen on its way %d times in %d rounds", met, rounds);
	SETUP_MSG(met, "the page was not seen on its way in %d rounds", rounds);
	EXPECT_NO_TRAP(a, area_page(a, half));
	EXPECT_PM(a->map, PM_PRESENT, PM_UFFD_WP);
}

static void others_on_their_way(const struct backing *b)
{
	struct peer other;
	struct area a;

	area_arm(&a, b, 2, 0);
	touch_write_all(&a, 0, 2);
	if (b->shared) {
		peer_start(&other);
		peer_call(&other, map_often, &a, OTHERS);
	}
	judge_on_its_way(&a);
}
CASE_ON(((const struct backing *const []){ &memfd_shared, &hugetlb_private, NULL }),
	"P10_unwp-others-migrating", others_on_their_way);

static void huge_on_its_way(void)
{
	struct area a;

	need_anon_wp();
	area_open_aligned(&a, &anon, 2 * HUGE / PAGE, HUGE);
	if (madvise(a.map, a.size, MADV_HUGEPAGE))
		SKIP("CONFIG_TRANSPARENT_HUGEPAGE: MADV_HUGEPAGE: %s", strerror(errno));
	touch_write_all(&a, 0, a.pages);
	area_register(&a, 0, UFFDIO_REGISTER_MODE_WP);
	judge_on_its_way(&a);
	SETUP_MSG(huge_mapped_kb(&a) == (long)(a.size >> 10), "%ld kB are mapped huge", huge_mapped_kb(&a));
}
CASE("P10_unwp-others-migrating-huge", huge_on_its_way);
