// SPDX-License-Identifier: GPL-2.0
/*
 * R23: a part of an anonymous huge page gets another protection while the page is on its way to another node: its
 * entry, that of a migration, becomes 512 small ones. When all is unmapped, the old page is free, and the new one.
 * Of the pages, those that were meant have the protection, and all have their data.
 * Needs: TRANSPARENT_HUGEPAGE, two NUMA nodes, PROC_PAGE_MONITOR; -wp and -unwp write protection of anonymous memory.
 * Fails on a kernel that takes a reference for each of the small entries, though those of a migration have none:
 * nobody gives it back, and 2 MB are lost for good. And on one whose small entries do not have the huge one's uffd-wp,
 * or where the change does not reach entries of a migration.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/kernel-page-flags.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "access.h"
#include "backing.h"
#include "force.h"
#include "ktap.h"
#include "proc.h"
#include "sides.h"
#include "uffd.h"

#define TABLE (HUGE / PAGE)
#define STEPS 8		/* how many moments to begin at are tried */
#define STEP 1000	/* looks by which each round waits longer */
#define ENOUGH 6	/* pages that seem to be lost: of a kernel that loses them each round takes one */
#define FEW 2		/* one may be somebody else's by then */
#define CHANGED (TABLE / 2)
#define SOME 73		/* data of each page so far from the one before is looked at */

/* Of a huge page, how the one page that is CHANGED becomes what the others are not. */
struct change {
	void (*before)(const struct area *a);	/* made before it is on its way; NULL for nothing */
	void (*make)(const struct area *a);
	size_t protected;	/* pages that are write-protected then; CHANGED is one of them if it is the only one */
	bool registered;
};

struct round {
	struct area a;
	const struct change *change;
	uint64_t value;		/* of the first page */
	int target;		/* node */
	int go;			/* 1: move it; 0: the mover has done so */
	bool over;
	unsigned long rounds, met;
	unsigned int lost;
	uint64_t frame[ENOUGH + 1];	/* each round may add two */
};

static void *move(void *arg)
{
	struct round *r = arg;
	void *addr = r->a.map;
	int status;

	while (!__atomic_load_n(&r->over, __ATOMIC_ACQUIRE)) {
		if (!__atomic_load_n(&r->go, __ATOMIC_ACQUIRE)) {
			sched_yield();
			continue;
		}
		/* It may be busy, or the other node have no huge page: then no look meets it on its way. */
		syscall(SYS_move_pages, 0, 1, &addr, &r->target, &status, MPOL_MF_MOVE);
		__atomic_store_n(&r->go, 0, __ATOMIC_RELEASE);
	}
	return NULL;
}

static void map(const struct area *a, int prot)
{
	SETUP(mmap(a->map, a->size, prot, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) == a->map);
}

/* A new huge page, whose pages have data of their own. False if there is none to be had. */
static bool map_huge(const struct area *a, uint64_t value)
{
	map(a, PROT_READ | PROT_WRITE);
	if (madvise(a->map, a->size, MADV_HUGEPAGE))
		SKIP("CONFIG_TRANSPARENT_HUGEPAGE: MADV_HUGEPAGE: %s", strerror(errno));
	if (a->uffd >= 0)
		REQUIRE_EQ(uffd_register(a->uffd, a->map, a->size, UFFDIO_REGISTER_MODE_WP, NULL), 0);
	for (size_t i = 0; i < TABLE; i++)
		touch_write(area_page(a, i), value + i);
	return huge_mapped_kb(a) == (long)(HUGE >> 10);
}

static bool on_its_way(const struct area *a)
{
	return !(pm(a->map) & PM_PRESENT);
}

static uint64_t frame_of(const struct area *a)
{
	uint64_t entry;

	touch_read(a->map);	/* waits for whoever else moves it */
	entry = pm(a->map);
	SETUP_MSG((entry & PM_PRESENT) && (entry & PM_FRAME), "pagemap has no frame: %#llx", (unsigned long long)entry);
	return entry & PM_FRAME;
}

static uint64_t flags_of(uint64_t frame)
{
	uint64_t flags;
	int fd = open("/proc/kpageflags", O_RDONLY | O_CLOEXEC);

	SETUP(fd >= 0);
	SETUP(pread(fd, &flags, sizeof(flags), (off_t)(frame * sizeof(flags))) == sizeof(flags));
	close(fd);
	return flags;
}

/* Whether a page of 2 MB is still one, though nobody maps it. */
static bool is_lost(uint64_t frame)
{
	const uint64_t others = 1 << KPF_SLAB | 1 << KPF_MMAP | 1 << KPF_HUGE | 1 << KPF_ZERO_PAGE;
	uint64_t first = flags_of(frame), last = flags_of(frame + TABLE - 1);

	return (first & 1 << KPF_COMPOUND_HEAD) && (last & 1 << KPF_COMPOUND_TAIL) && !(first & others);
}

static void note(struct round *r, uint64_t frame)
{
	if (is_lost(frame))
		r->frame[r->lost++] = frame;
}

static void judge(const struct round *r)
{
	const struct area *a = &r->a;
	size_t protected = pm_count(a->map, TABLE, PM_UFFD_WP, 0);

	REQUIRE_MSG(protected == r->change->protected, "%zu pages of %lu are protected, not %zu", protected, TABLE,
		    r->change->protected);
	if (protected == 1)
		EXPECT_PM(area_page(a, CHANGED), PM_UFFD_WP, 0);
	else
		EXPECT_PM(area_page(a, CHANGED), 0, PM_UFFD_WP);
	for (size_t i = 0; i < TABLE; i += SOME)
		REQUIRE_EQ(touch_read(area_page(a, i)), r->value + i);
}

static void one_round(struct round *r)
{
	uint64_t before, after;
	bool met;

	r->value = fresh_value();
	if (!map_huge(&r->a, r->value))
		return;
	if (r->change->before)
		r->change->before(&r->a);
	before = frame_of(&r->a);
	r->target = !node_of(r->a.map);
	__atomic_store_n(&r->go, 1, __ATOMIC_RELEASE);
	while (__atomic_load_n(&r->go, __ATOMIC_ACQUIRE) && !on_its_way(&r->a))
		;
	for (unsigned long looks = r->rounds++ % STEPS * STEP; looks; looks--)
		(void)__atomic_load_n(&r->go, __ATOMIC_ACQUIRE);
	met = on_its_way(&r->a);
	r->change->make(&r->a);
	r->met += met && on_its_way(&r->a);
	while (__atomic_load_n(&r->go, __ATOMIC_ACQUIRE))
		sched_yield();
	after = frame_of(&r->a);
	judge(r);
	map(&r->a, PROT_NONE);
	note(r, before);
	if (after != before)
		note(r, after);
}

/* How many of them are lost for good, and not on a list of some CPU that holds a reference for a while. */
static unsigned int lost_for_good(const struct round *r)
{
	unsigned int lost = r->lost;

	file_write("/proc/sys/vm/compact_memory", "1");		/* empties those lists */
	for (int tries = 0; tries < 20 && lost; tries++) {
		usleep(100000);
		lost = 0;
		for (unsigned int i = 0; i < r->lost; i++)
			lost += is_lost(r->frame[i]);
	}
	return lost;
}

static void split_migrating(const struct change *change)
{
	double end = ktap_now() + ktap_budget();
	struct round r = { .change = change };
	pthread_t thread;
	unsigned int lost;

	need_migration();
	area_open_aligned(&r.a, &anon, TABLE, HUGE);
	if (change->registered) {
		need_anon_wp();
		r.a.uffd = uffd_open(0);
	}
	SETUP(!pthread_create(&thread, NULL, move, &r));
	do
		one_round(&r);
	while (ktap_now() < end && r.lost < ENOUGH);
	__atomic_store_n(&r.over, true, __ATOMIC_RELEASE);
	pthread_join(thread, NULL);
	lost = lost_for_good(&r);
	ktap_diag("%lu rounds, %lu of them split it on its way", r.rounds, r.met);
	EXPECT_MSG(lost < FEW, "%u pages of 2 MB, the first at frame %#llx, are not mapped and not free", lost,
		   (unsigned long long)r.frame[0]);
	SETUP_MSG(r.met, "no round of %lu met it on its way", r.rounds);
}

static void mprotect_one(const struct area *a)
{
	SETUP(!mprotect(area_page(a, CHANGED), PAGE, PROT_READ));
}

static void with_mprotect(void)
{
	split_migrating(&(struct change){ .make = mprotect_one });
}
CASE_BUDGET("R23_split-migrating-mprotect", with_mprotect);

static void wp_one(const struct area *a)
{
	REQUIRE_EQ(area_wp(a, CHANGED, 1), 0);
}

static void with_wp(void)
{
	split_migrating(&(struct change){ .make = wp_one, .protected = 1, .registered = true });
}
CASE_BUDGET("R23_split-migrating-wp", with_wp);

static void wp_all(const struct area *a)
{
	REQUIRE_EQ(area_wp(a, 0, TABLE), 0);
	SETUP_MSG(huge_mapped_kb(a) == (long)(HUGE >> 10), "to protect all of a huge page has split it");
}

static void unwp_one(const struct area *a)
{
	REQUIRE_EQ(area_unwp(a, CHANGED, 1), 0);
}

static void with_unwp(void)
{
	split_migrating(&(struct change){
		.before = wp_all, .make = unwp_one, .protected = TABLE - 1, .registered = true });
}
CASE_BUDGET("R23_split-migrating-unwp", with_unwp);
