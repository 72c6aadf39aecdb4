// SPDX-License-Identifier: GPL-2.0
/*
 * R22: two callers of WRITEPROTECT. One protects much, and tells other CPUs when all is done; the other one,
 * meanwhile, a page of it. When that call returns, no CPU may write the page any more, although there was
 * nothing left to change. -zapped: a third one zaps all of it, which begins with a huge page, and has not told
 * other CPUs either: the page is protected by a marker, and they still have it writable.
 * Needs: REGISTER(WP) on shmem; two CPUs; -zapped TRANSPARENT_HUGEPAGE.
 * Fails on a kernel that passes by what is protected already: a CPU goes on writing through its TLB.
 */
#include <sched.h>
#include <sys/mman.h>
#include <unistd.h>

#include "access.h"
#include "backing.h"
#include "force.h"
#include "ktap.h"
#include "loop.h"
#include "proc.h"
#include "uffd.h"

#define PAGES 65536	/* the first is there, the others are holes */
#define MEETINGS 8
#define ROUNDS 400

static bool ended;

static void pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	SETUP(!sched_setaffinity(0, sizeof(set), &set));
}

/* On a CPU of its own, whose TLB nothing else makes forget the page. */
static void write_first(void *area)
{
	static __thread uint64_t number;
	const struct area *a = area;

	if (!number)
		pin(1);
	for (int i = 0; i < 1000; i++)
		touch_write(a->map, ++number);
}

static void protect_all(void *area)
{
	const struct area *a = area;

	REQUIRE_EQ(area_wp(a, 0, a->pages), 0);
	__atomic_store_n(&ended, true, __ATOMIC_SEQ_CST);
}

static void let_it_write(const struct area *a)
{
	uint64_t value = touch_read(a->map);

	while (touch_read(a->map) == value)
		usleep(100);
}

/* Whether the big call was still on its way when the small one returned. */
static bool meet(const struct area *a)
{
	struct once protector;
	uint64_t value;
	bool met;

	let_it_write(a);
	__atomic_store_n(&ended, false, __ATOMIC_SEQ_CST);
	once_start(&protector, protect_all, (void *)a);
	while (!(pm(a->map) & PM_UFFD_WP))
		usleep(20);
	REQUIRE_EQ(area_wp(a, 0, 1), 0);
	value = touch_read(a->map);
	met = !__atomic_load_n(&ended, __ATOMIC_SEQ_CST);
	usleep(1000);
	REQUIRE_EQ(touch_read(a->map), value);
	once_end(&protector);
	REQUIRE_EQ(touch_read(a->map), value);
	REQUIRE_EQ(area_unwp(a, 0, a->pages), 0);
	return met;
}

static void protect_twice(const struct backing *b)
{
	struct looper writer;
	int met = 0, rounds = 0;
	struct area a;

	area_arm(&a, b, PAGES, 0);
	touch_write(a.map, 0);
	pin(0);
	loop_start(&writer, write_first, &a);
	for (; met < MEETINGS && rounds < ROUNDS; rounds++)
		met += meet(&a);
	loop_end(&writer);
	ktap_diag("%d of %d rounds met the other call", met, rounds);
	SETUP_MSG(met, "the other call was always done");
}
CASE_ON(((const struct backing *const []){ &memfd_shared, &memfd_private, NULL }), "R22_wp-twice", protect_twice);

#define TABLE (HUGE / PAGE)
#define TABLES 256	/* the first is one huge page, the others are of holes */

/* A thread that makes a call when it is asked to. No thread may begin in a round: its stack needs mmap_lock. */
struct caller {
	struct looper loop;
	void (*call)(void *area);
	struct area *area;
	bool asked, busy;
};

static void call_if_asked(void *arg)
{
	struct caller *c = arg;

	if (!__atomic_exchange_n(&c->asked, false, __ATOMIC_SEQ_CST)) {
		usleep(20);
		return;
	}
	c->call(c->area);
	__atomic_store_n(&c->busy, false, __ATOMIC_SEQ_CST);
}

static void ask(struct caller *c)
{
	__atomic_store_n(&c->busy, true, __ATOMIC_SEQ_CST);
	__atomic_store_n(&c->asked, true, __ATOMIC_SEQ_CST);
}

static bool is_busy(const struct caller *c)
{
	return __atomic_load_n(&c->busy, __ATOMIC_SEQ_CST);
}

static void zap_all(void *area)
{
	const struct area *a = area;

	REQUIRE(!madvise(a->map, a->size, MADV_DONTNEED));
}

/* What the file has: nothing is mapped for that, and no TLB told. */
static uint64_t first_value(const struct area *a)
{
	uint64_t value;

	SETUP(pread(a->fd, &value, sizeof(value), 0) == sizeof(value));
	return value;
}

/* Map the first part anew: its page table goes, and it is mapped huge. Then it is one range with the rest again. */
static void map_huge(const struct area *a)
{
	int prot = PROT_READ | PROT_WRITE, flags = MAP_SHARED | MAP_FIXED | MAP_NORESERVE;

	SETUP(mmap(a->map, HUGE, prot, flags, a->fd, 0) == a->map);
	touch_write(a->map, 0);
	SETUP(!uffd_register(a->uffd, a->map, HUGE, UFFDIO_REGISTER_MODE_WP, NULL));
}

/* Whether the other two were still on their way when the small call returned. */
static bool meet_both(const struct area *a, struct caller *zapper, struct caller *protector)
{
	uint64_t value;
	bool met;

	map_huge(a);
	SETUP_MSG(huge_mapped_kb(a) == HUGE >> 10, "it is not mapped huge again");
	let_it_write(a);
	ask(zapper);
	while (is_busy(zapper) && (pm(a->map) & PM_PRESENT))
		usleep(20);
	ask(protector);
	while (!(pm(a->map) & PM_UFFD_WP))
		usleep(20);
	REQUIRE_EQ(area_wp(a, 0, 1), 0);
	value = first_value(a);
	met = is_busy(zapper) && is_busy(protector);
	usleep(500);
	REQUIRE_EQ(first_value(a), value);
	while (is_busy(zapper) || is_busy(protector))
		usleep(100);
	REQUIRE_EQ(first_value(a), value);
	REQUIRE_EQ(area_unwp(a, 0, TABLE), 0);
	return met;
}

static void protect_zapped(const struct backing *b)
{
	double end = ktap_now() + ktap_budget();
	struct caller zapper = { .call = zap_all }, protector = { .call = protect_all };
	int met = 0, rounds = 0;
	struct looper writer;
	struct area a;

	backing_need_wp(b);
	area_open_aligned(&a, b, TABLES * TABLE, HUGE);
	populate(&a, 0, TABLE);
	area_register(&a, 0, UFFDIO_REGISTER_MODE_WP);
	REQUIRE_EQ(area_wp(&a, TABLE, (TABLES - 1) * TABLE), 0);
	zapper.area = protector.area = &a;
	pin(0);
	loop_start(&zapper.loop, call_if_asked, &zapper);
	loop_start(&protector.loop, call_if_asked, &protector);
	loop_start(&writer, write_first, &a);
	for (; met < MEETINGS && ktap_now() < end; rounds++)
		met += meet_both(&a, &zapper, &protector);
	loop_end(&writer);
	loop_end(&zapper.loop);
	loop_end(&protector.loop);
	ktap_diag("%d of %d rounds met both other calls", met, rounds);
	SETUP_MSG(met, "the other calls were always done");
}
CASE_BUDGET_ON(((const struct backing *const []){ &thp_shmem, NULL }), "R22_wp-twice-zapped", protect_zapped);
