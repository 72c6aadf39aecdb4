// SPDX-License-Identifier: GPL-2.0
/*
 * R16: a range is registered and protected while another process is at work on the same file: it
 * punches holes, truncates, reclaims, moves, splits or collapses pages. When both ioctls have
 * returned, every address is protected, whatever the other side had begun before.
 * The same with a registration that ends meanwhile: by UNREGISTER, close, a REGISTER without WP, or mremap. When the
 * other side is done, no bit and no marker is left, and every page holds what it should.
 * Needs: REGISTER(WP) on shmem or hugetlbfs; -reclaim MEMCG and a swap device, -migrate two NUMA nodes, -split and
 * -collapse TRANSPARENT_HUGEPAGE.
 * Fails on a kernel that decides from the flags of the vma, before it holds the lock which orders it
 * against REGISTER, whether a pte that goes leaves its protection behind; or that passes by, when a registration ends,
 * what is on its way.
 * Mainline drops markers in the second, locked pass of a hole punch or truncation (Z09): there the
 * losses of these two are printed. Such a kernel is known by WP_UNPOPULATED.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/resource.h>
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
	uint64_t (*leaves)(size_t page);	/* what the page holds after it */
	bool cut_short;			/* it is put aside in the middle, see take_cpus() */
	bool drops_by_design;		/* mainline loses protection to it */
};

static pid_t owner;	/* of the range: the process of the case */
static bool drops_wp;	/* may_drop_wp() */

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

static uint64_t give_way(void *unused, uint64_t nice)
{
	(void)unused;
	return setpriority(PRIO_PROCESS, 0, (int)nice) ? errno : 0;
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
 * that burns it, gives way to that, and is put aside in the middle of what it does, as on a busy machine.
 */
static bool take_cpus(const struct side *side, struct peer *other, struct looper *burner)
{
	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		return false;
	SETUP(!peer_call(other, go_to_cpu, NULL, 1));
	if (side->cut_short) {
		SETUP(!peer_call(other, give_way, NULL, side->backing->hugetlb ? 10 : 5));
		loop_start(burner, burn, NULL);
	}
	SETUP(!go_to_cpu(NULL, 0));
	return side->cut_short;
}

/*
 * The other side has begun, and stands still in the middle of it; or, if @early, has just begun; or it is done. Returns
 * whether pages are gone, and others are not; of hugetlbfs, all may be: they go in no time, and then one by one are
 * looked at again.
 */
static bool await_middle(const struct area *a, const struct peer *other, bool early)
{
	size_t before, now = a->pages;

	do {
		before = now;
		now = area_count(a, PM_PRESENT, 0);
	} while (!peer_answered(other) && (now == a->pages || (now != before && !early)));
	return now < a->pages && (now || a->backing->hugetlb);
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

static void protect(const struct area *a)
{
	REQUIRE_EQ(uffd_register(a->uffd, a->map, a->size, UFFDIO_REGISTER_MODE_WP, NULL), 0);
	REQUIRE_EQ(area_wp(a, 0, a->pages), 0);
}

#define WAYS 4	/* in which a registration ends */

/* What comes of the rounds. */
struct outcome {
	size_t rounds;
	size_t met;	/* those in which the other side was in the middle of it when we came, and not done when we were */
	size_t wrong;	/* pages, in all of them */
	size_t wrong_in;
};

/*
 * Do it while the other side is at work, and wait for the end of that. What is done to hugetlbfs may wait for the other
 * side, which is not at work any more then.
 */
static void meanwhile(const struct side *side, struct area *a, struct peer *other, struct outcome *o,
		      void (*fn)(struct area *a, size_t round))
{
	bool meets;

	peer_post(other, side->work, a, 0);
	meets = await_middle(a, other, (o->rounds + o->rounds / WAYS) % 2) && !peer_answered(other);
	fn(a, o->rounds);
	o->met += meets && (a->backing->hugetlb || !peer_answered(other));
	SETUP(!peer_result(other));
}

static void begin_it(struct area *a, size_t round)
{
	(void)round;
	protect(a);
}

/* How many addresses are without protection after it. */
static size_t begin_round(const struct side *side, struct area *a, struct peer *other, struct outcome *o)
{
	size_t lost;

	fill(side, a);
	meanwhile(side, a, other, o, begin_it);
	lost = a->pages - area_count(a, PM_UFFD_WP, 0);
	REQUIRE_EQ(uffd_unregister(a->uffd, a->map, a->size), 0);
	EXPECT_EQ(area_count(a, PM_UFFD_WP, 0), 0);
	return lost;
}

/* There and back: the registration stays behind. */
static void move(const struct area *a)
{
	char *to = mmap(NULL, a->size + HUGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	char *aligned = (char *)(((uintptr_t)to + HUGE - 1) / HUGE * HUGE);

	SETUP(to != MAP_FAILED);
	SETUP(mremap(a->map, a->size, a->size, MREMAP_MAYMOVE | MREMAP_FIXED, aligned) == aligned);
	SETUP(mremap(aligned, a->size, a->size, MREMAP_MAYMOVE | MREMAP_FIXED, a->map) == a->map);
	SETUP(!munmap(to, a->size + HUGE));
}

/* In one way in each round. */
static void end_it(struct area *a, size_t round)
{
	size_t how = round % WAYS;

	if (how == 1) {
		close(a->uffd);
		a->uffd = uffd_open(0);
	} else if (how == 2 && drops_wp) {
		REQUIRE_EQ(uffd_register(a->uffd, a->map, a->size, UFFDIO_REGISTER_MODE_MISSING, NULL), 0);
	} else if (how == 3 && !a->backing->hugetlb) {
		move(a);
	} else {
		REQUIRE_EQ(uffd_unregister(a->uffd, a->map, a->size), 0);
	}
}

/* Read every page, and write some: they are not protected. */
static void judge_data(const struct side *side, const struct area *a)
{
	struct uffd_msg msg;
	size_t wrong = 0;

	for (size_t i = 0; i < a->pages; i++)
		wrong += touch_read(area_page(a, i)) != side->leaves(i);
	EXPECT_MSG(!wrong, "%zu of %zu pages do not hold what they should", wrong, a->pages);
	for (size_t i = 0; i < a->pages; i += 61)
		touch_write(area_page(a, i), file_value(i));
	EXPECT(!uffd_next(a->uffd, &msg));
	if (!a->backing->shared && !a->backing->hugetlb)	/* of the file, again */
		SETUP(!madvise(a->map, a->size, MADV_DONTNEED));
}

/* How many addresses have protection after it, or would have with the next registration. */
static size_t end_round(const struct side *side, struct area *a, struct peer *other, struct outcome *o)
{
	size_t left;

	fill(side, a);
	protect(a);
	REQUIRE_EQ(area_count(a, PM_UFFD_WP, 0), a->pages);
	meanwhile(side, a, other, o, end_it);
	left = area_count(a, PM_UFFD_WP, 0);
	REQUIRE_EQ(uffd_register(a->uffd, a->map, a->size, UFFDIO_REGISTER_MODE_WP, NULL), 0);
	if (!left)
		left = area_count(a, PM_UFFD_WP, 0);
	REQUIRE_EQ(uffd_unregister(a->uffd, a->map, a->size), 0);
	judge_data(side, a);
	return left;
}

typedef size_t (*round_fn)(const struct side *side, struct area *a, struct peer *other, struct outcome *o);

/* A slow host has few rounds in the time. */
static void do_rounds(const struct side *side, struct area *a, struct peer *other, round_fn round, struct outcome *o)
{
	double end = ktap_now() + ktap_budget(), last = end + ktap_limit() / 2;
	size_t least = round == end_round ? WAYS : 1;

	for (; ktap_now() < end || (ktap_now() < last && (o->rounds < least || (side->cut_short && !o->met))); o->rounds++) {
		size_t wrong = round(side, a, other, o);

		o->wrong += wrong;
		o->wrong_in += wrong > 0;
	}
}

static void run(const struct side *side, round_fn round)
{
	bool burning, by_design = side->drops_by_design && uffd_offered() & UFFD_FEATURE_WP_UNPOPULATED;
	struct outcome o = { 0 };
	struct looper burner;
	struct peer other;
	struct area a;
	long before;

	backing_need_wp(side->backing);
	if (side->prepare)
		side->prepare();
	area_open_aligned(&a, side->backing, side->pages, HUGE);
	owner = getpid();
	drops_wp = may_drop_wp();
	peer_start(&other);
	a.uffd = uffd_open(0);		/* which the other process does not have: a close is the last one */
	burning = take_cpus(side, &other, &burner);
	before = side->happened ? side->happened() : 0;
	do_rounds(side, &a, &other, round, &o);
	ktap_diag("%zu rounds, %zu met; protection %s in %zu: %zu of %zu pages", o.rounds, o.met,
		  round == end_round ? "left" : "lost", o.wrong_in, o.wrong, o.rounds * a.pages);
	SETUP_MSG(!side->happened || side->happened() > before, "the other side got nothing done");
	SETUP_MSG(!side->cut_short || o.met, "the other side was never in the middle of it");
	EXPECT((by_design && round == begin_round) || !o.wrong);
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

static uint64_t nothing(size_t unused)
{
	(void)unused;
	return 0;
}

static void punched(const struct backing *b, round_fn round)
{
	const struct side side = {
		.work = punch, .backing = b, .pages = many_pages(b), .fill = fill_by_reading, .leaves = nothing,
		.cut_short = true, .drops_by_design = true,
	};

	run(&side, round);
}

static void truncated(const struct backing *b, round_fn round)
{
	const struct side side = {
		.work = truncate_it, .backing = b, .pages = many_pages(b), .fill = fill_by_writing, .leaves = nothing,
		.cut_short = true, .drops_by_design = true,
	};

	run(&side, round);
}

static void reclaimed(const struct backing *b, round_fn round)
{
	const struct side side = {
		.work = reclaim, .backing = b, .pages = TABLE, .prepare = need_reclaim,
		.fill = fill_by_writing, .leaves = file_value, .happened = side_swapped,
	};

	run(&side, round);
}

static void migrated(const struct backing *b, round_fn round)
{
	const struct side side = {
		.work = migrate_it, .backing = b, .pages = b->hugetlb ? 16 : TABLE, .prepare = need_migration,
		.fill = fill_by_writing, .leaves = file_value, .happened = side_migrated,
	};

	run(&side, round);
}

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

static uint64_t all_but_holes(size_t page)
{
	return page % TABLE == TABLE - 1 ? 0 : file_value(page);
}

static void split_up(const struct backing *b, round_fn round)
{
	const struct side side = {
		.work = split, .backing = b, .pages = TABLE, .fill = fill_huge, .leaves = all_but_holes,
		.happened = splits,
	};

	run(&side, round);
}

/* Small pages, in a place that khugepaged may make a huge one of. */
static void fill_small(const struct area *a)
{
	SETUP(!madvise(a->alias, a->size, MADV_NOHUGEPAGE));
	do {	/* khugepaged may be in the middle of something */
		SETUP(!side_punch(a));
		touch_write_all(a, 0, a->pages);
	} while (pm_count(a->map, a->pages, PM_PRESENT, 0) != a->pages);
}

static void collapsed(const struct backing *b, round_fn round)
{
	const struct side side = {
		.work = collapse, .backing = b, .pages = TABLE,
		.prepare = khugepaged_eager_on_shmem, .fill = fill_small, .leaves = file_value,
		.happened = khugepaged_collapsed,
	};

	run(&side, round);
}

static void protect_during_punch(const struct backing *b)
{
	punched(b, begin_round);
}
CASE_BUDGET_ON(ALSO_HUGETLB, "R16_protect-during-punch", protect_during_punch);

static void end_during_punch(const struct backing *b)
{
	punched(b, end_round);
}
CASE_BUDGET_ON(ALSO_HUGETLB, "R16_end-during-punch", end_during_punch);

static void protect_during_truncate(const struct backing *b)
{
	truncated(b, begin_round);
}
CASE_BUDGET_ON(ALSO_HUGETLB, "R16_protect-during-truncate", protect_during_truncate);

static void end_during_truncate(const struct backing *b)
{
	truncated(b, end_round);
}
CASE_BUDGET_ON(ALSO_HUGETLB, "R16_end-during-truncate", end_during_truncate);

static void protect_during_reclaim(const struct backing *b)
{
	reclaimed(b, begin_round);
}
CASE_BUDGET_ON(BOTH, "R16_protect-during-reclaim", protect_during_reclaim);

static void end_during_reclaim(const struct backing *b)
{
	reclaimed(b, end_round);
}
CASE_BUDGET_ON(BOTH, "R16_end-during-reclaim", end_during_reclaim);

static void protect_during_migrate(const struct backing *b)
{
	migrated(b, begin_round);
}
CASE_BUDGET_ON(ALSO_HUGETLB, "R16_protect-during-migrate", protect_during_migrate);

static void end_during_migrate(const struct backing *b)
{
	migrated(b, end_round);
}
CASE_BUDGET_ON(ALSO_HUGETLB, "R16_end-during-migrate", end_during_migrate);

static void protect_during_split(void)
{
	split_up(&thp_shmem, begin_round);
}
CASE_BUDGET("R16_protect-during-split", protect_during_split);

static void end_during_split(void)
{
	split_up(&thp_shmem, end_round);
}
CASE_BUDGET("R16_end-during-split", end_during_split);

static void protect_during_collapse(void)
{
	collapsed(&memfd_shared, begin_round);
}
CASE_BUDGET("R16_protect-during-collapse", protect_during_collapse);

static void end_during_collapse(void)
{
	collapsed(&memfd_shared, end_round);
}
CASE_BUDGET("R16_end-during-collapse", end_during_collapse);
