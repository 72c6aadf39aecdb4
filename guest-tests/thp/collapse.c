// SPDX-License-Identifier: GPL-2.0
/*
 * khugepaged makes one huge page of the small ones in the file: who has them protected keeps their
 * page table, and with it each protection; others get a huge mapping.
 * Needs: REGISTER(WP) on shmem, CONFIG_TRANSPARENT_HUGEPAGE.
 * Fails on a kernel whose retract_page_tables() frees the table of a protected range (T06, T07), or
 * whose collapse_pte_mapped_thp() does so later, when mmap_lock was taken at first (T08), be it that of a private
 * mapping which has no page of its own.
 */
#include <time.h>

#include "access.h"
#include "backing.h"
#include "force.h"
#include "khugepaged.h"
#include "ktap.h"
#include "loop.h"
#include "peer.h"
#include "proc.h"
#include "settings.h"
#include "sweep.h"
#include "thp.h"

static void breathe(void)
{
	nanosleep(&(struct timespec){ 0, 1000000 }, NULL);
}

/* Mapped by a peer before anything is protected here. */
static void arm_shared(struct area *a, struct peer *other)
{
	arm_small(a);
	peer_start(other);
	area_register(a, 0, UFFDIO_REGISTER_MODE_WP);
	REQUIRE_EQ(area_wp(a, 0, TABLE), 0);
	REQUIRE_EQ(pm_count(a->map, TABLE, PM_UFFD_WP | PM_PRESENT, 0), TABLE);
}

/* The same of a private mapping that shows the pages of the file and was never written. */
static void arm_private(struct area *a, struct peer *other)
{
	need_shmem_wp();
	khugepaged_eager_on_shmem();
	area_open_aligned(a, &memfd_private, TABLE, HUGE);
	area_fill_file(a, 0, TABLE);
	touch_read_all(a, 0, TABLE);
	NEED_HUGE(a, 0);
	peer_start(other);
	area_register(a, 0, UFFDIO_REGISTER_MODE_WP);
	REQUIRE_EQ(area_wp(a, 0, TABLE), 0);
	REQUIRE_EQ(pm_count(a->map, TABLE, PM_UFFD_WP | PM_PRESENT | PM_FILE, 0), TABLE);
}

static void judge_collapsed(const struct area *a)
{
	SETUP_MSG(fresh_mapping_kb(a) == HUGE_KB, "the file has no huge page");
	EXPECT_EQ(huge_mapped_kb(a), 0);
	EXPECT_EQ(pm_count(a->map, TABLE, PM_UFFD_WP, 0), TABLE);
	judge_data(a, 0, TABLE / 2);
	EXPECT_EQ(pm_count(a->map, TABLE, PM_UFFD_WP, 0), TABLE);
	EXPECT_ALL_TRAP(a, 0, TABLE);
}

static void own_collapse(void)
{
	struct area a;
	long before;

	arm_small(&a);
	area_register(&a, 0, UFFDIO_REGISTER_MODE_WP);
	REQUIRE_EQ(area_wp(&a, 0, TABLE), 0);
	REQUIRE_EQ(pm_count(a.map, TABLE, PM_UFFD_WP | PM_PRESENT, 0), TABLE);
	before = khugepaged_collapsed();
	offer_to_khugepaged(a.map, a.size);
	while (khugepaged_collapsed() == before)
		breathe();
	judge_collapsed(&a);
}
CASE("T06_khugepaged", own_collapse);

/* An order: offer the inherited mapping to khugepaged, and wait until it has taken the offer. */
static uint64_t collapse_here(void *area, uint64_t unused)
{
	const struct area *a = area;
	long before = khugepaged_collapsed();

	(void)unused;
	offer_to_khugepaged(a->map, a->size);
	while (khugepaged_collapsed() == before)
		breathe();
	return 0;
}

static uint64_t huge_kb_here(void *area, uint64_t unused)
{
	const struct area *a = area;

	(void)unused;
	touch_read(a->map);
	return huge_mapped_kb(a);
}

static void others_collapse(void)
{
	struct peer other;
	struct area a;

	arm_shared(&a, &other);
	for (size_t i = 0; i < TABLE; i += 64)
		peer_call(&other, peer_get, area_page(&a, i), 0);
	peer_call(&other, collapse_here, &a, 0);
	EXPECT_EQ(peer_call(&other, huge_kb_here, &a, 0), HUGE_KB);
	judge_collapsed(&a);
	EXPECT_EQ(peer_call(&other, huge_kb_here, &a, 0), HUGE_KB);
	EXPECT_EQ(peer_end(&other), 0);
}
CASE("T07_khugepaged-other-mm", others_collapse);

/*
 * Holds mmap_lock for reading for as long as it takes to populate a mapping. The number is odd
 * inside, so that a whole collapse is seen to have happened within the call.
 */
struct holder {
	size_t bytes;
	unsigned long *number;	/* shared with the peer */
};

static void hold(void *arg)
{
	struct holder *h = arg;
	char *map;

	__atomic_fetch_add(h->number, 1, __ATOMIC_SEQ_CST);
	map = mmap(NULL, h->bytes, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE | MAP_NORESERVE, -1, 0);
	__atomic_fetch_add(h->number, 1, __ATOMIC_SEQ_CST);
	SETUP(map != MAP_FAILED);
	SETUP(!munmap(map, h->bytes));
}

static unsigned long number_of(const unsigned long *number)
{
	return __atomic_load_n(number, __ATOMIC_SEQ_CST);
}

struct deferred {
	void (*arm)(struct area *a, struct peer *other);
	struct area area;
	unsigned long *number;
};

/* An order: let a whole collapse happen; 1 if hold() began before it and lasted until after it. */
static uint64_t collapse_within_hold(void *arg, uint64_t unused)
{
	const struct deferred *d = arg;

	while (number_of(d->number) % 2 == 0)
		breathe();
	breathe();		/* past the mmap part of it */
	collapse_here((void *)&d->area, unused);
	return number_of(d->number) % 2;
}

/*
 * Make khugepaged look at this process, so that it puts off what it could not do; but leave it
 * nothing here to collapse.
 */
static void let_scan_this_process(void)
{
	char *map = mmap(NULL, 2 * HUGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	SETUP(map != MAP_FAILED);
	touch_write(map, 1);
	offer_to_khugepaged(map, 2 * HUGE);
	SETUP(!madvise(map, 2 * HUGE, MADV_NOHUGEPAGE));
}

/*
 * Whether a whole collapse happened while mmap_lock was held here. What it unmapped is mapped again
 * before the lock is free: collapse_pte_mapped_thp() leaves a table alone that maps anything else, be
 * it a marker. "force" stands for MADV_HUGEPAGE, which would have to wait for the lock.
 */
static bool collapse_while_locked(struct deferred *d, size_t bytes)
{
	struct holder holder = { bytes, d->number };
	struct once holding;
	struct peer other;
	bool within;

	d->arm(&d->area, &other);
	let_scan_this_process();
	peer_post(&other, collapse_within_hold, d, 0);
	once_start(&holding, hold, &holder);
	within = peer_result(&other);
	touch_read_all(&d->area, 0, TABLE);
	set_file("/sys/kernel/mm/transparent_hugepage/shmem_enabled", "force");
	within = within && number_of(d->number) % 2;
	once_end(&holding);
	EXPECT_EQ(peer_end(&other), 0);
	return within;
}

static void deferred_collapse(void (*arm)(struct area *a, struct peer *other))
{
	struct deferred d = {
		.arm = arm,
		.number = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0),
	};
	size_t bytes = 128UL << 20;
	bool within;

	SETUP(d.number != MAP_FAILED);
	while (!(within = collapse_while_locked(&d, bytes)) && bytes < 4UL << 30) {
		area_close(&d.area);
		bytes *= 2;
	}
	SETUP_MSG(within, "no collapse happened while mmap_lock was held");
	khugepaged_scans(2);
	judge_collapsed(&d.area);
}

static void deferred_shared(void)
{
	deferred_collapse(arm_shared);
}
CASE("T08_deferred-collapse", deferred_shared);

static void deferred_private(void)
{
	deferred_collapse(arm_private);
}
CASE("T08_deferred-collapse-private", deferred_private);
