// SPDX-License-Identifier: GPL-2.0
/*
 * R17: two sides at once take the pages of a protected range away or move them, while readers bring
 * them back: at no moment is an address without protection, and a child that nobody watches
 * never has any, while one that comes with its event has all. One of the two may be mremap(), there and back, which
 * takes its protection along.
 * Needs: REGISTER(WP) on shmem or hugetlbfs; -fork-event EVENT_FORK, -mremap EVENT_REMAP, -migrate two NUMA nodes,
 * -reclaim MEMCG and a swap device, -collapse TRANSPARENT_HUGEPAGE.
 * Fails on a kernel that zaps an entry of a page on its way (migration, swap) without leaving its
 * protection, that collapses or splits what another one has just unmapped, or that copies page
 * tables to a child while they change.
 * Mainline drops markers in the second pass of a hole punch by design (Z09): where one side
 * punches or truncates, the losses are printed there, and what was lost is protected again.
 */
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "access.h"
#include "backing.h"
#include "khugepaged.h"
#include "ktap.h"
#include "loop.h"
#include "peer.h"
#include "proc.h"
#include "sides.h"
#include "sweep.h"
#include "trap.h"
#include "uffd.h"

/* A page table's worth of small pages, or as many huge ones as there are. */
static size_t pages_of(const struct backing *b)
{
	return b->hugetlb ? 32 : HUGE / PAGE;
}

/* One of the two, called over and over by a thread of its own. */
struct side {
	void (*step)(void *area);
	void (*prepare)(void);		/* before anything is mapped; may SKIP */
	long (*happened)(void);		/* how much of it has taken place since boot */
	bool drops_by_design;		/* mainline loses protection to it */
	__u64 features;			/* of the userfaultfd */
};

static void punch(void *area)
{
	const struct area *a = area;

	SETUP(!side_punch(a));
	if (a->backing->hugetlb)	/* readers take long to clear huge pages: the other side is to meet some */
		usleep(10000);
}

static void dontneed(void *area)
{
	const struct area *a = area;

	SETUP(!madvise(a->map, a->size, MADV_DONTNEED));
}

/* One part after the other: all of it takes long while others are at work on it. */
static void migrate_some(void *area)
{
	const struct area *a = area;
	const size_t some = a->pages / 16;
	static size_t first;
	struct area part = *a;

	part.map = area_page(a, first);
	part.pages = some;
	first = (first + some) % a->pages;
	SETUP(!side_migrate(&part, 0));
}

static void reclaim(void *unused)
{
	(void)unused;
	side_reclaim();
}

static void collapse_once(void *area)
{
	SETUP(!side_collapse(area));
}

/* The child looks before it touches anything; a private page of its own may be in swap. */
static void fork_child(void *area)
{
	const struct area *a = area;
	uint64_t no = a->backing->shared ? PM_SWAP : 0;
	int status;
	pid_t pid = fork();

	SETUP(pid >= 0);
	if (!pid) {
		REQUIRE_EQ(area_count(a, PM_UFFD_WP, 0), 0);
		REQUIRE_EQ(area_count(a, 0, no), a->pages);
		for (size_t i = 0; i < a->pages; i += 17)
			touch_once(WRITES, area_page(a, i), i);
		_exit(0);
	}
	SETUP(waitpid(pid, &status, 0) == pid);
	REQUIRE_EQ(status, 0);
}

/* Its userfaultfd is there until the child has looked. */
static void fork_watched_child(void *area)
{
	const struct area *a = area;
	struct event event;
	int status, uffd;
	pid_t pid;

	event_begin(&event, a->uffd);
	pid = fork();
	SETUP(pid >= 0);
	if (!pid) {
		REQUIRE_EQ(area_count(a, PM_UFFD_WP, 0), a->pages);
		_exit(0);
	}
	uffd = (int)event_end(&event, UFFD_EVENT_FORK)->arg.fork.ufd;
	SETUP(waitpid(pid, &status, 0) == pid);
	close(uffd);
	REQUIRE_EQ(status, 0);
}

static const struct side
	punching = { .step = punch, .drops_by_design = true },
	zapping = { .step = dontneed },
	migrating = { .step = migrate_some, .prepare = need_migration, .happened = side_migrated },
	reclaiming = { .step = reclaim, .prepare = need_reclaim, .happened = side_swapped },
	forking = { .step = fork_child },
	forking_watched = { .step = fork_watched_child, .features = UFFD_FEATURE_EVENT_FORK };

static void read_pages(void *area)
{
	const struct area *a = area;

	touch_read_all(a, 0, a->pages);
}

/* Look for a page without protection until the time is up. What was lost is protected again. */
static size_t watch(const struct area *a, double end)
{
	size_t lost = 0;

	do {
		size_t here = a->pages - area_count(a, PM_UFFD_WP, 0);

		lost += here;
		if (here)
			REQUIRE_EQ(area_wp(a, 0, a->pages), 0);
	} while (ktap_now() < end);
	return lost;
}

static void open_pair(const struct backing *b, const struct side *one, const struct side *other, struct area *a)
{
	backing_need_wp(b);
	if (one->prepare)
		one->prepare();
	if (other != one && other->prepare)
		other->prepare();
	area_open_aligned(a, b, pages_of(b), HUGE);
	area_register(a, one->features | other->features, UFFDIO_REGISTER_MODE_WP);
	touch_write_all(a, 0, a->pages / 2);	/* a private mapping has these for itself */
	REQUIRE_EQ(area_wp(a, 0, a->pages), 0);
}

static void together(const struct backing *b, const struct side *one, const struct side *other)
{
	bool by_design = (one->drops_by_design || other->drops_by_design) &&
			 uffd_offered() & UFFD_FEATURE_WP_UNPOPULATED;
	const struct side *side[] = { one, other };
	struct looper reader, looper[2];
	long before[2], calls[2];
	struct area a;
	size_t lost;

	open_pair(b, one, other, &a);
	for (int i = 0; i < 2; i++)
		before[i] = side[i]->happened ? side[i]->happened() : 0;
	loop_start(&reader, read_pages, &a);
	for (int i = 0; i < 2; i++)
		loop_start(&looper[i], side[i]->step, &a);
	lost = watch(&a, ktap_now() + ktap_budget());
	for (int i = 0; i < 2; i++) {
		loop_end(&looper[i]);
		calls[i] = loop_calls(&looper[i]);
		SETUP_MSG(!side[i]->happened || side[i]->happened() > before[i], "side %d got nothing done", i + 1);
	}
	loop_end(&reader);
	ktap_diag("%ld and %ld steps of the two sides, %zu protections lost", calls[0], calls[1], lost);
	EXPECT(by_design || !lost);
	if (lost)
		REQUIRE_EQ(area_wp(&a, 0, a.pages), 0);
	EXPECT_EQ(area_count(&a, PM_UFFD_WP, 0), a.pages);
	EXPECT_ALL_TRAP(&a, 0, a.pages);
}

static const struct backing *const BOTH[] = { &memfd_shared, &memfd_private, NULL };
static const struct backing *const ALSO_HUGETLB[] = {
	&memfd_shared, &memfd_private, &hugetlb_shared, &hugetlb_private, NULL };

static void zap_migrate(const struct backing *b)
{
	together(b, &zapping, &migrating);
}
CASE_BUDGET_ON(BOTH, "R17_two-sides-zap-migrate", zap_migrate);

static void punch_migrate(const struct backing *b)
{
	together(b, &punching, &migrating);
}
CASE_BUDGET_ON(ALSO_HUGETLB, "R17_two-sides-punch-migrate", punch_migrate);

static void fork_punch(const struct backing *b)
{
	together(b, &forking, &punching);
}
CASE_BUDGET_ON(ALSO_HUGETLB, "R17_two-sides-fork-punch", fork_punch);

static void fork_migrate(const struct backing *b)
{
	together(b, &forking, &migrating);
}
CASE_BUDGET_ON(ALSO_HUGETLB, "R17_two-sides-fork-migrate", fork_migrate);

static void fork_event_migrate(const struct backing *b)
{
	together(b, &forking_watched, &migrating);
}
CASE_BUDGET_ON(ALSO_HUGETLB, "R17_two-sides-fork-event-migrate", fork_event_migrate);

static void zap_reclaim(const struct backing *b)
{
	together(b, &zapping, &reclaiming);
}
CASE_BUDGET_ON(BOTH, "R17_two-sides-zap-reclaim", zap_reclaim);

static char *spare;		/* a place that the range is moved to */
static size_t lost_there;	/* protections, at that place */

static void reserve(void)
{
	char *place = mmap(NULL, 3 * HUGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	SETUP(place != MAP_FAILED);
	spare = (char *)(((uintptr_t)place + HUGE - 1) / HUGE * HUGE);
}

/* The place left behind is kept for the way back. */
static void move(struct area *a, char *to)
{
	const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE;
	char *from = a->map;
	struct event event;

	event_begin(&event, a->uffd);
	SETUP(mremap(from, a->size, a->size, MREMAP_MAYMOVE | MREMAP_FIXED, to) == to);
	REQUIRE_EQ(event_end(&event, UFFD_EVENT_REMAP)->arg.remap.to, (uintptr_t)to);
	SETUP(mmap(from, a->size, PROT_NONE, flags, -1, 0) == from);
	a->map = to;
}

/* To a place where the page table can go as a whole, or to one where it cannot. */
static void move_there_and_back(void *area)
{
	static unsigned int moves;
	struct area there = *(const struct area *)area;
	char *back = there.map;

	move(&there, spare + (moves++ % 2 ? PAGE : 0));
	lost_there += watch(&there, 0);
	read_pages(&there);
	move(&there, back);
}

static const struct side moving = {
	.step = move_there_and_back, .prepare = reserve, .features = UFFD_FEATURE_EVENT_REMAP };

/* There are pages to move, while it rests. */
static void punch_and_rest(void *area)
{
	punch(area);
	usleep(10000);
}

static const struct side punching_now_and_then = { .step = punch_and_rest, .drops_by_design = true };

/* Nobody can read what is elsewhere at the moment: who moves it reads it. */
static void with_mremap(const struct backing *b, const struct side *other)
{
	bool by_design = other->drops_by_design && uffd_offered() & UFFD_FEATURE_WP_UNPOPULATED;
	double end = ktap_now() + ktap_budget();
	struct looper looper;
	long before, moves = 0;
	struct area a;
	size_t lost = 0;

	open_pair(b, &moving, other, &a);
	before = other->happened ? other->happened() : 0;
	loop_start(&looper, other->step, &a);
	do {
		read_pages(&a);
		move_there_and_back(&a);
		lost += watch(&a, 0);
		moves++;
	} while (ktap_now() < end);
	loop_end(&looper);
	lost += watch(&a, 0) + lost_there;
	ktap_diag("there and back %ld times, %lu steps of the other side, %zu protections lost", moves,
		  loop_calls(&looper), lost);
	SETUP_MSG(!other->happened || other->happened() > before, "the other side got nothing done");
	EXPECT(by_design || !lost);
	EXPECT_EQ(area_count(&a, PM_UFFD_WP, 0), a.pages);
	EXPECT_ALL_TRAP(&a, 0, a.pages);
}

static void mremap_punch(const struct backing *b)
{
	with_mremap(b, &punching_now_and_then);
}
CASE_BUDGET_ON(BOTH, "R17_two-sides-mremap-punch", mremap_punch);

static void mremap_migrate(const struct backing *b)
{
	with_mremap(b, &migrating);
}
CASE_BUDGET_ON(BOTH, "R17_two-sides-mremap-migrate", mremap_migrate);

static void mremap_reclaim(const struct backing *b)
{
	with_mremap(b, &reclaiming);
}
CASE_BUDGET_ON(BOTH, "R17_two-sides-mremap-reclaim", mremap_reclaim);

/*
 * khugepaged gives up where anybody else is at work: readers and the other side stand still until it has
 * begun, which shows by pages of this mapping that are gone, and then the other side starts.
 */
static bool await_collapse(const struct area *a)
{
	double end = ktap_now() + 1;
	long before = khugepaged_collapsed();
	size_t left;

	do
		left = pm_count(a->map, a->pages, PM_PRESENT, 0);
	while (left == a->pages && khugepaged_collapsed() == before && ktap_now() < end);
	return left < a->pages;
}

/* The file has all its small pages, and they are mapped here. */
static void refill(const struct area *a)
{
	SETUP(!madvise(a->alias, a->size, MADV_NOHUGEPAGE));
	do {
		SETUP(!side_punch(a));
		touch_read_all(a, 0, a->pages);
	} while (pm_count(a->map, a->pages, PM_PRESENT, 0) != a->pages);
}

static void with_collapse(const struct backing *b, const struct side *other)
{
	bool by_design = uffd_offered() & UFFD_FEATURE_WP_UNPOPULATED;	/* refill() punches */
	double end = ktap_now() + ktap_budget();
	long rounds = 0, met = 0, collapsed, before;
	struct once collapser;
	struct area a;
	size_t lost = 0;

	khugepaged_eager_on_shmem();
	open_pair(b, other, other, &a);
	collapsed = khugepaged_collapsed();
	before = other->happened ? other->happened() : 0;
	for (; ktap_now() < end; rounds++) {
		refill(&a);
		lost += watch(&a, 0);
		once_start(&collapser, collapse_once, &a);
		met += await_collapse(&a);
		other->step(&a);
		lost += watch(&a, 0);
		once_end(&collapser);
		lost += watch(&a, 0);
	}
	lost += lost_there;
	ktap_diag("%ld rounds, %ld met a collapse, %ld huge pages made; %zu protections lost", rounds, met,
		  khugepaged_collapsed() - collapsed, lost);
	SETUP_MSG(met, "khugepaged never got to work");
	SETUP_MSG(!other->happened || other->happened() > before, "the other side got nothing done");
	EXPECT(by_design || !lost);
	EXPECT_EQ(area_count(&a, PM_UFFD_WP, 0), a.pages);
	EXPECT_ALL_TRAP(&a, 0, a.pages);
}

static void punch_collapse(const struct backing *b)
{
	with_collapse(b, &punching);
}
CASE_BUDGET_ON(BOTH, "R17_two-sides-punch-collapse", punch_collapse);

static void reclaim_collapse(const struct backing *b)
{
	with_collapse(b, &reclaiming);
}
CASE_BUDGET_ON(BOTH, "R17_two-sides-reclaim-collapse", reclaim_collapse);

static void zap_collapse(const struct backing *b)
{
	with_collapse(b, &zapping);
}
CASE_BUDGET_ON(BOTH, "R17_two-sides-zap-collapse", zap_collapse);

static void mremap_collapse(const struct backing *b)
{
	with_collapse(b, &moving);
}
CASE_BUDGET_ON(BOTH, "R17_two-sides-mremap-collapse", mremap_collapse);
