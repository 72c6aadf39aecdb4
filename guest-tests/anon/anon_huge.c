// SPDX-License-Identifier: GPL-2.0
/*
 * Write protection of anonymous huge pages: it moves along with the page, it is there for a child that is to
 * have it and for no other, and who is registered without being protected pays nothing when the registration
 * ends.
 * Needs: write protection of anonymous memory, TRANSPARENT_HUGEPAGE; the moving ones two NUMA nodes, -soft-dirty
 * MEM_SOFT_DIRTY; -fork-event EVENT_FORK, -mremap-event EVENT_REMAP.
 * A failure means: the entry of a huge page on its way to another node has no place for the bit, and
 * the write goes through (mainline before 6.3); or lifting a protection rewrites the entries of
 * pages that have none, at the price of a fault each; or a page that can be written and not read by name is
 * made one that the processor cannot read; or one of the ways on which a huge entry is copied, moved or made
 * small ones of loses the bit, or keeps it for a child that did not ask for it.
 */
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
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

#define TABLE (HUGE / PAGE)
#define HUGE_KB ((long)(HUGE >> 10))
#define CLEAR_REFS "/proc/self/clear_refs"
#define MANY 8		/* huge pages */

/* Huge pages that have been written, registered after that. */
static void arm_huge(struct area *a, size_t huge_pages, __u64 features)
{
	need_anon_wp();
	area_open_aligned(a, &anon, huge_pages * TABLE, HUGE);
	if (madvise(a->map, a->size, MADV_HUGEPAGE))
		SKIP("CONFIG_TRANSPARENT_HUGEPAGE: MADV_HUGEPAGE: %s", strerror(errno));
	touch_write_all(a, 0, a->pages);
	SETUP_MSG(huge_mapped_kb(a) == (long)(a->size >> 10), "%ld kB are mapped huge", huge_mapped_kb(a));
	area_register(a, features, UFFDIO_REGISTER_MODE_WP);
}

static void protect_huge(struct area *a, __u64 features)
{
	arm_huge(a, 1, features);
	REQUIRE_EQ(area_wp(a, 0, TABLE), 0);
	SETUP_MSG(huge_mapped_kb(a) == HUGE_KB, "protecting all of it has split it");
}

static void expect_all_trap(const struct area *a)
{
	for (size_t i = 0; i < TABLE; i += 73) {
		EXPECT_EQ(touch_read(area_page(a, i)), file_value(i));
		EXPECT_TRAPS(a, area_page(a, i));
	}
}

/* A huge page moves as one, whichever small page of it is named. */
static void move_huge(const struct area *a)
{
	migrate(a, 0, 1, MPOL_MF_MOVE);
	SETUP_MSG(huge_mapped_kb(a) == HUGE_KB, "it was split on its way");
}

static void moved(void)
{
	struct area a;

	arm_huge(&a, 1, 0);
	REQUIRE_EQ(area_wp(&a, 0, TABLE), 0);
	move_huge(&a);
	expect_all_trap(&a);
}
CASE("G03_anon-huge-migrate", moved);

/* There and back again: what is not protected is not protected after it. */
static void moved_unprotected(void)
{
	struct area a;

	arm_huge(&a, 1, 0);
	move_huge(&a);
	for (size_t i = 0; i < TABLE; i += 73)
		EXPECT_NO_TRAP(&a, area_page(&a, i));
	REQUIRE_EQ(area_wp(&a, 0, TABLE), 0);
	REQUIRE_EQ(area_unwp(&a, 0, TABLE), 0);
	move_huge(&a);
	for (size_t i = 0; i < TABLE; i += 73)
		EXPECT_NO_TRAP(&a, area_page(&a, i));
}
CASE("G03_anon-huge-migrate-unprotected", moved_unprotected);

/* As P16_write-only-vma. */
static void write_only(void)
{
	struct area a;

	arm_huge(&a, 1, 0);
	SETUP(!mprotect(a.map, a.size, PROT_WRITE));
	REQUIRE_EQ(area_wp(&a, 0, TABLE), 0);
	SETUP_MSG(huge_mapped_kb(&a) == HUGE_KB, "it was split");
	EXPECT_READS(&a, a.map);
	EXPECT_TRAPS(&a, area_page(&a, TABLE - 1));
}
CASE("G03_anon-huge-write-only", write_only);

/* Moves the page to and fro, once for each round: a page that is always on its way lets nobody in. */
struct mover {
	struct area a;
	unsigned long moves, rounds;
};

static unsigned long number_of(const unsigned long *number)
{
	return __atomic_load_n(number, __ATOMIC_ACQUIRE);
}

static void move_on(void *mover)
{
	struct mover *m = mover;

	if (m->moves == number_of(&m->rounds)) {
		sched_yield();
		return;
	}
	migrate(&m->a, 0, 1, MPOL_MF_MOVE);
	__atomic_add_fetch(&m->moves, 1, __ATOMIC_RELEASE);
}

#define ROUNDS 24
#define STEP 250	/* microseconds by which each round waits longer */

static void protect_on_its_way(struct mover *m, int round)
{
	EXPECT_EQ(touch_once(WRITES, m->a.map, file_value(0)), COMPLETED);
	__atomic_add_fetch(&m->rounds, 1, __ATOMIC_RELEASE);
	usleep(round * STEP);
	REQUIRE_EQ(area_wp(&m->a, 0, TABLE), 0);
	while (number_of(&m->moves) < number_of(&m->rounds))
		sched_yield();
}

/* Protected, or released, while the entry is that of a page on its way: at one moment after the other. */
static void while_moving(void)
{
	struct mover m = { 0 };
	struct looper mover;
	struct trap trap;

	arm_huge(&m.a, 1, 0);
	loop_start(&mover, move_on, &m);
	for (int i = 0; i < ROUNDS; i++) {
		protect_on_its_way(&m, i);
		EXPECT(trap_begin(&m.a, m.a.map + 8, &trap));
		REQUIRE_EQ(area_unwp(&m.a, 0, TABLE), 0);	/* all of it, so that it stays huge */
		trap_released(&m.a, &trap);
	}
	loop_end(&mover);
	SETUP_MSG(huge_mapped_kb(&m.a) == HUGE_KB, "it was split on its way");
	REQUIRE_EQ(area_wp(&m.a, 0, TABLE), 0);
	expect_all_trap(&m.a);
}
CASE("G03_anon-huge-wp-while-migrating", while_moving);

/* Who protects it then leaves alone that it was written. */
static void dirty_while_moving(void)
{
	struct mover m = { 0 };
	struct looper mover;

	arm_huge(&m.a, 1, 0);
	if (!(pm(m.a.map) & PM_SOFT_DIRTY))
		SKIP("CONFIG_MEM_SOFT_DIRTY: a written page is not soft-dirty");
	loop_start(&mover, move_on, &m);
	for (int i = 0; i < ROUNDS; i++) {
		SETUP(file_write(CLEAR_REFS, "4"));
		SETUP(!(pm(m.a.map) & PM_SOFT_DIRTY));
		protect_on_its_way(&m, i);
		EXPECT_PM(m.a.map, PM_SOFT_DIRTY, 0);
		REQUIRE_EQ(area_unwp(&m.a, 0, TABLE), 0);
	}
	loop_end(&mover);
	SETUP_MSG(huge_mapped_kb(&m.a) == HUGE_KB, "it was split on its way");
}
CASE("G03_anon-huge-migrate-soft-dirty", dirty_while_moving);

/* An order: kB of an inherited area that are mapped huge. */
static uint64_t huge_kb_here(void *area, uint64_t unused)
{
	(void)unused;
	return huge_mapped_kb(area);
}

/* An order: register the inherited pages for a userfaultfd of its own. None of them is protected. */
static uint64_t none_traps_here(void *parents, uint64_t unused)
{
	struct area own = *(const struct area *)parents;

	(void)unused;
	area_register(&own, 0, UFFDIO_REGISTER_MODE_WP);
	for (size_t i = 0; i < TABLE; i += 73) {
		EXPECT_EQ(touch_read(area_page(&own, i)), file_value(i));
		EXPECT_NO_TRAP(&own, area_page(&own, i));
	}
	return 0;
}

/* The child inherits the huge entry without its protection. */
static void forked(void)
{
	struct peer child;
	struct area a;

	protect_huge(&a, 0);
	peer_start(&child);
	SETUP_MSG(peer_call(&child, huge_kb_here, &a, 0) == HUGE_KB, "fork did not copy the huge entry");
	for (size_t i = 0; i < TABLE; i += 73)
		PEER_PM(&child, area_page(&a, i), PM_PRESENT, PM_UFFD_WP);
	peer_call(&child, none_traps_here, &a, 0);
	EXPECT_EQ(peer_end(&child), 0);
	expect_all_trap(&a);
}
CASE("G02_anon-huge-fork", forked);

/* With EVENT_FORK it is protected, too, and its writes go to a userfaultfd of its own. */
static void forked_with_event(void)
{
	struct area a, seen;
	struct peer child;

	protect_huge(&a, UFFD_FEATURE_EVENT_FORK);
	peer_start_event(&child, &a, &seen);
	SETUP_MSG(peer_call(&child, huge_kb_here, &a, 0) == HUGE_KB, "fork did not copy the huge entry");
	for (size_t i = 0; i < TABLE; i += 73)
		PEER_TRAPS(&child, &seen, area_page(&a, i));
	expect_all_trap(&a);
	EXPECT_EQ(peer_end(&child), 0);
}
CASE("G02_anon-huge-fork-event", forked_with_event);

/* The whole entry moves to another place. */
static void remapped(void)
{
	struct area a, to;
	struct event event;

	protect_huge(&a, UFFD_FEATURE_EVENT_REMAP);
	area_open_aligned(&to, &anon, TABLE, HUGE);
	event_begin(&event, a.uffd);
	SETUP(mremap(a.map, a.size, a.size, MREMAP_MAYMOVE | MREMAP_FIXED, to.map) == to.map);
	event_end(&event, UFFD_EVENT_REMAP);
	a.map = to.map;
	SETUP_MSG(huge_mapped_kb(&a) == HUGE_KB, "it was split on its way");
	expect_all_trap(&a);
}
CASE("G02_anon-huge-mremap-event", remapped);

/* The page itself, and not its entry alone, becomes small ones: each is that of a page on its way meanwhile. */
static void split(void)
{
	struct area a;
	long splits;

	protect_huge(&a, 0);
	splits = vmstat("thp_split_page");
	if (splits < 0)
		SKIP("CONFIG_VM_EVENT_COUNTERS: /proc/vmstat has no thp_split_page");
	for (int tries = 0; tries < 10 && vmstat("thp_split_page") == splits; tries++)
		SETUP(!madvise(a.map, TABLE / 8 * PAGE, MADV_COLD));	/* of a part */
	SETUP_MSG(vmstat("thp_split_page") > splits && !huge_mapped_kb(&a), "the huge page was not split");
	expect_all_trap(&a);
}
CASE("G02_anon-huge-split", split);

/* One fault for each huge page would show. */
static void judge_no_faults(const struct area *a, size_t huge_pages)
{
	long faults = 0;

	for (size_t i = 0; i < huge_pages; i++)
		faults += faults_of_writing(area_page(a, i * TABLE), 1);
	EXPECT_MSG(!faults, "%ld faults of writing to %zu huge pages that nobody had protected", faults, huge_pages);
}

static void unregistered(void)
{
	struct area a;

	arm_huge(&a, MANY, 0);
	REQUIRE_EQ(uffd_unregister(a.uffd, a.map, a.size), 0);
	judge_no_faults(&a, MANY);
}
CASE("G02_anon-huge-unregister-faults", unregistered);

static void closed(void)
{
	struct area a;

	arm_huge(&a, MANY, 0);
	close(a.uffd);
	judge_no_faults(&a, MANY);
}
CASE("G02_anon-huge-close-faults", closed);

static void unprotected(void)
{
	struct area a;

	arm_huge(&a, MANY, 0);
	REQUIRE_EQ(area_wp(&a, (MANY - 1) * TABLE, TABLE), 0);
	REQUIRE_EQ(area_unwp(&a, 0, MANY * TABLE), 0);
	judge_no_faults(&a, MANY - 1);
	EXPECT_NO_TRAP(&a, area_page(&a, (MANY - 1) * TABLE));
}
CASE("G03_anon-huge-unwp-faults", unprotected);
