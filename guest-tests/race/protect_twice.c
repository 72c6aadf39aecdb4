// SPDX-License-Identifier: GPL-2.0
/*
 * R22: two callers of WRITEPROTECT. One protects much, and tells other CPUs when all is done; the other one,
 * meanwhile, a page of it. When that call returns, no CPU may write the page any more, although there was
 * nothing left to change.
 * Needs: REGISTER(WP) on shmem; two CPUs.
 * Fails on a kernel that passes by what is protected already: a CPU goes on writing through its TLB.
 */
#include <sched.h>
#include <unistd.h>

#include "access.h"
#include "backing.h"
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
