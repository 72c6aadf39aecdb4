// SPDX-License-Identifier: GPL-2.0
/*
 * Write protection of anonymous memory ends with its registration: whatever ended that, a range that
 * is registered again begins with nothing protected. And what nobody protected is left alone.
 * Needs: write protection of anonymous memory.
 * A failure means: stale bits in page table entries come to life again, and the monitor gets events for
 * pages that it did not protect (5.10); or lifting a protection that was not there costs a fault.
 */
#include <sys/mman.h>
#include <unistd.h>

#include "backing.h"
#include "ktap.h"
#include "proc.h"
#include "trap.h"
#include "uffd.h"

#define PAGES 64	/* some are off the lists on which a CPU keeps new pages and holds a reference to them */
#define STEP 8

static void protect(struct area *a)
{
	area_arm(a, &anon, PAGES, 0);
	touch_write_all(a, 0, PAGES);
	REQUIRE_EQ(area_wp(a, 0, PAGES), 0);
}

static void register_again(struct area *a)
{
	REQUIRE_EQ(uffd_register(a->uffd, a->map, a->size, UFFDIO_REGISTER_MODE_WP, NULL), 0);
}

static void judge_clean(struct area *a)
{
	for (size_t i = 0; i < PAGES; i += STEP)
		EXPECT_NO_TRAP(a, area_page(a, i));
	REQUIRE_EQ(area_wp(a, 0, PAGES), 0);
	for (size_t i = 0; i < PAGES; i += STEP)
		EXPECT_TRAPS(a, area_page(a, i));
}

static void after_unregister(void)
{
	struct area a;

	protect(&a);
	REQUIRE_EQ(uffd_unregister(a.uffd, a.map, a.size), 0);
	register_again(&a);
	judge_clean(&a);
}
CASE("G03_anon-unregister", after_unregister);

static void after_close(void)
{
	struct area a;

	protect(&a);
	SETUP(!close(a.uffd));
	a.uffd = -1;
	area_register(&a, 0, UFFDIO_REGISTER_MODE_WP);
	judge_clean(&a);
}
CASE("G03_anon-close", after_close);

static void after_missing_only(void)
{
	struct area a;

	protect(&a);
	need_drop_wp();
	REQUIRE_EQ(uffd_register(a.uffd, a.map, a.size, UFFDIO_REGISTER_MODE_MISSING, NULL), 0);
	register_again(&a);
	judge_clean(&a);
}
CASE("G03_anon-drop-wp", after_missing_only);

static void after_mremap(void)
{
	struct area a;
	char *to;

	protect(&a);
	to = mmap(NULL, a.size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	SETUP(to != MAP_FAILED);
	SETUP(mremap(a.map, a.size, a.size, MREMAP_MAYMOVE | MREMAP_FIXED, to) == to);
	a.map = to;
	register_again(&a);
	judge_clean(&a);
}
CASE("G03_anon-mremap", after_mremap);

/* The pages are written between the two registrations; mprotect shows whether a bit stayed with them. */
static void written_between(void)
{
	struct area a;

	protect(&a);
	REQUIRE_EQ(uffd_unregister(a.uffd, a.map, a.size), 0);
	touch_write_all(&a, 0, PAGES);
	register_again(&a);
	SETUP(!mprotect(a.map, a.size, PROT_READ));
	SETUP(!mprotect(a.map, a.size, PROT_READ | PROT_WRITE));
	judge_clean(&a);
}
CASE("G03_anon-written-between", written_between);

/* The sleeper of a protected page goes on with UNREGISTER, as one of a missing page does. */
static void unregister_wakes(void)
{
	struct trap t;
	struct area a;

	protect(&a);
	REQUIRE(trap_begin(&a, a.map, &t));
	REQUIRE_EQ(uffd_unregister(a.uffd, a.map, a.size), 0);
	EXPECT(!touch_asleep(&t.touch));
	REQUIRE_EQ(uffd_wake(a.uffd, a.map, a.size), 0);
	trap_released(&a, &t);
}
CASE("G03_anon-unregister-wakes", unregister_wakes);

/* And with a registration that has no place for protection. */
static void drop_wp_wakes(void)
{
	struct trap t;
	struct area a;

	protect(&a);
	need_drop_wp();
	REQUIRE(trap_begin(&a, a.map, &t));
	REQUIRE_EQ(uffd_register(a.uffd, a.map, a.size, UFFDIO_REGISTER_MODE_MISSING, NULL), 0);
	EXPECT(!touch_asleep(&t.touch));
	REQUIRE_EQ(uffd_wake(a.uffd, a.map, a.size), 0);
	trap_released(&a, &t);
}
CASE("G03_anon-drop-wp-wakes", drop_wp_wakes);

#define MANY 512

/* Lifting the protection of a range leaves pages alone that did not have it. */
static void unwp_of_others(void)
{
	struct area a;
	long n;

	area_arm(&a, &anon, MANY, 0);
	touch_write_all(&a, 0, MANY);
	REQUIRE_EQ(area_unwp(&a, 0, MANY), 0);
	n = faults_of_writing(a.map, MANY);
	EXPECT_MSG(n < MANY / 2, "%d writes to pages that were writable took %ld faults", MANY, n);
}
CASE("G03_anon-unwp-others", unwp_of_others);
