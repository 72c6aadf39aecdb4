// SPDX-License-Identifier: GPL-2.0
/*
 * R16: a range is registered and protected while another process is at work on the same file: it
 * punches holes, truncates, reclaims, moves, splits or collapses pages. When both ioctls have
 * returned, every address is protected, whatever the other side had begun before.
 * Needs: REGISTER(WP) on shmem or hugetlbfs; -reclaim MEMCG and a swap device, -migrate two NUMA nodes, -split and
 * -collapse TRANSPARENT_HUGEPAGE.
 * Fails on a kernel that decides from the flags of the vma, before it holds the lock which orders it
 * against REGISTER, whether a pte that goes leaves its protection behind.
 * Mainline drops markers in the second, locked pass of a hole punch or truncation (Z09): there the
 * losses of these two are printed. Such a kernel is known by WP_UNPOPULATED.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include "access.h"
#include "backing.h"
#include "khugepaged.h"
#include "ktap.h"
#include "loop.h"
#include "peer.h"
#include "proc.h"
#include "sides.h"
#include "uffd.h"

#define TABLE (HUGE / PAGE)

/* What the other process does. */
struct side {
	peer_fn work;			/* on an area; 0 or errno */
	const struct backing *backing;
	size_t pages;
	void (*prepare)(void);		/* before anything is mapped; may SKIP */
	void (*fill)(const struct area *a);	/* before each round */
	long (*happened)(void);		/* how much of it has taken place since boot */
	bool cut_short;			/* it is put aside in the middle, see take_cpus() */
	bool drops_by_design;		/* mainline loses protection to it */
};

static pid_t owner;	/* of the range: the process of the case */

static uint64_t punch(void *area, uint64_t unused)
{
	(void)unused;
	return side_punch(area);
}

static uint64_t truncate_it(void *area, uint64_t unused)
{
	(void)unused;
	return side_truncate(area);
}

static uint64_t migrate_it(void *area, uint64_t unused)
{
	(void)unused;
	return side_migrate(area, owner);
}

static uint64_t reclaim(void *area, uint64_t unused)
{
	(void)area, (void)unused;
	return side_reclaim();
}

static uint64_t collapse(void *area, uint64_t unused)
{
	(void)unused;
	return side_collapse(area);
}

/* A hole of one small page in each huge one: the kernel unmaps a huge page to split it. */
static uint64_t split(void *area, uint64_t unused)
{
	const struct area *a = area;

	(void)unused;
	for (size_t i = TABLE - 1; i < a->pages; i += TABLE)
		if (fallocate(a->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)(i * PAGE), PAGE))
			return errno;
	return 0;
}

static uint64_t go_to_cpu(void *unused, uint64_t cpu)
{
	cpu_set_t one;

	(void)unused;
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	return sched_setaffinity(0, sizeof(one), &one) ? errno : 0;
}

static void burn(void *unused)
{
	static volatile uint64_t n;

	(void)unused;
	go_to_cpu(NULL, 1);
	for (int i = 0; i < 100000; i++)
		n++;
}

/*
 * A CPU for each, where there are two. An other side that is to be cut short shares its own with a thread
 * that burns it, and is put aside in the middle of what it does, as on a busy machine.
 */
static bool take_cpus(const struct side *side, struct peer *other, struct looper *burner)
{
	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		return false;
	SETUP(!peer_call(other, go_to_cpu, NULL, 1));
	if (side->cut_short)
		loop_start(burner, burn, NULL);
	SETUP(!go_to_cpu(NULL, 0));
	return side->cut_short;
}

/* The other side has begun, and stands still in the middle of it; or it is done. */
static void await_middle(const struct area *a, const struct peer *other)
{
	size_t before, now = a->pages;

	do {
		before = now;
		now = area_count(a, PM_PRESENT, 0);
	} while (!peer_answered(other) && (now == a->pages || now != before));
}

/*
 * Every page is mapped. khugepaged may take the page table away behind any check: since 6.6 it needs no
 * mmap_lock for that.
 */
static void fill(const struct side *side, const struct area *a)
{
	for (int tries = 0; tries < 50; tries++) {
		side->fill(a);
		if (area_count(a, PM_PRESENT, 0) == a->pages)
			return;
	}
	SETUP_MSG(false, "pages are not present after an access");
}

/* One round. Returns how many addresses are without protection after it. */
static size_t one_round(const struct side *side, struct area *a, struct peer *other)
{
	size_t lost;

	fill(side, a);
	peer_post(other, side->work, a, 0);
	await_middle(a, other);
	REQUIRE_EQ(uffd_register(a->uffd, a->map, a->size, UFFDIO_REGISTER_MODE_WP, NULL), 0);
	REQUIRE_EQ(area_wp(a, 0, a->pages), 0);
	SETUP(!peer_result(other));
	lost = a->pages - area_count(a, PM_UFFD_WP, 0);
	REQUIRE_EQ(uffd_unregister(a->uffd, a->map, a->size), 0);
	EXPECT_EQ(area_count(a, PM_UFFD_WP, 0), 0);
	return lost;
}

static size_t rounds(const struct side *side, struct area *a, struct peer *other)
{
	double end = ktap_now() + ktap_budget();
	size_t n = 0, lost_in = 0, lost = 0;

	for (; ktap_now() < end || !n; n++) {
		size_t here = one_round(side, a, other);

		lost += here;
		lost_in += here > 0;
	}
	ktap_diag("%zu rounds, protection lost in %zu: %zu of %zu pages", n, lost_in, lost, n * a->pages);
	return lost;
}

static void run(const struct side *side)
{
	bool burning, by_design = side->drops_by_design && uffd_offered() & UFFD_FEATURE_WP_UNPOPULATED;
	struct looper burner;
	struct peer other;
	struct area a;
	long before;
	size_t lost;

	backing_need_wp(side->backing);
	if (side->prepare)
		side->prepare();
	area_open_aligned(&a, side->backing, side->pages, HUGE);
	a.uffd = uffd_open(0);
	owner = getpid();
	peer_start(&other);
	burning = take_cpus(side, &other, &burner);
	before = side->happened ? side->happened() : 0;
	lost = rounds(side, &a, &other);
	SETUP_MSG(!side->happened || side->happened() > before, "the other side got nothing done");
	EXPECT(by_design || !lost);
	if (burning)
		loop_end(&burner);
	EXPECT_EQ(peer_end(&other), 0);
}

static const struct backing *const BOTH[] = { &memfd_shared, &memfd_private, NULL };
static const struct backing *const ALSO_HUGETLB[] = {
	&memfd_shared, &memfd_private, &hugetlb_shared, &hugetlb_private, NULL };

/* Several page tables' worth of small pages, or as many huge ones as there are. */
static size_t many_pages(const struct backing *b)
{
	return b->hugetlb ? 32 : 8 * TABLE;
}

/* Of the file, also where the mapping is private. */
static void fill_by_reading(const struct area *a)
{
	touch_read_all(a, 0, a->pages);
}

static void fill_by_writing(const struct area *a)
{
	touch_write_all(a, 0, a->pages);
}

static void punched(const struct backing *b)
{
	const struct side side = {
		.work = punch, .backing = b, .pages = many_pages(b), .fill = fill_by_reading,
		.cut_short = true, .drops_by_design = true,
	};

	run(&side);
}
CASE_BUDGET_ON(ALSO_HUGETLB, "R16_protect-during-punch", punched);

static void truncated(const struct backing *b)
{
	const struct side side = {
		.work = truncate_it, .backing = b, .pages = many_pages(b), .fill = fill_by_writing,
		.cut_short = true, .drops_by_design = true,
	};

	run(&side);
}
CASE_BUDGET_ON(ALSO_HUGETLB, "R16_protect-during-truncate", truncated);

static void reclaimed(const struct backing *b)
{
	const struct side side = {
		.work = reclaim, .backing = b, .pages = TABLE, .prepare = need_reclaim,
		.fill = fill_by_writing, .happened = side_swapped,
	};

	run(&side);
}
CASE_BUDGET_ON(BOTH, "R16_protect-during-reclaim", reclaimed);

static void migrated(const struct backing *b)
{
	const struct side side = {
		.work = migrate_it, .backing = b, .pages = b->hugetlb ? 16 : TABLE, .prepare = need_migration,
		.fill = fill_by_writing, .happened = side_migrated,
	};

	run(&side);
}
CASE_BUDGET_ON(ALSO_HUGETLB, "R16_protect-during-migrate", migrated);

static long splits(void)
{
	return vmstat("thp_split_page");
}

/*
 * Only a file without pages is filled with huge ones. A page that waits in a queue of this CPU cannot be split:
 * munmap() empties the queue.
 */
static void fill_huge(const struct area *a)
{
	void *page;

	SETUP(!side_punch(a));
	populate(a, 0, a->pages);
	page = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	SETUP(page != MAP_FAILED);
	SETUP(!munmap(page, PAGE));
}

static void split_up(void)
{
	const struct side side = {
		.work = split, .backing = &thp_shmem, .pages = TABLE, .fill = fill_huge,
		.happened = splits,
	};

	run(&side);
}
CASE_BUDGET("R16_protect-during-split", split_up);

/* Small pages, in a place that khugepaged may make a huge one of. */
static void fill_small(const struct area *a)
{
	SETUP(!madvise(a->alias, a->size, MADV_NOHUGEPAGE));
	do {	/* khugepaged may be in the middle of something */
		SETUP(!side_punch(a));
		touch_write_all(a, 0, a->pages);
	} while (pm_count(a->map, a->pages, PM_PRESENT, 0) != a->pages);
}

static void collapsed(void)
{
	const struct side side = {
		.work = collapse, .backing = &memfd_shared, .pages = TABLE,
		.prepare = khugepaged_eager_on_shmem, .fill = fill_small,
		.happened = khugepaged_collapsed,
	};

	run(&side);
}
CASE_BUDGET("R16_protect-during-collapse", collapsed);
