// SPDX-License-Identifier: GPL-2.0
/*
 * A debugger's write (FOLL_FORCE, here by /proc/self/mem) into a read-only private mapping whose
 * protected page is in swap, or part of a huge page: it is refused, and never slips through.
 * Needs: REGISTER(WP) on shmem (V08_force-write), CONFIG_SWAP and a swap device, writable /proc/self/mem;
 * V08_force-write-anon-huge no swap, but TRANSPARENT_HUGEPAGE.
 * Fails on a kernel whose can_follow_write_pte() takes a dirty page brought back from swap for one
 * that the write has already been allowed to. A kernel with DEBUG_VM prints
 * 'FAULT_FLAG_ALLOW_RETRY missing': that is how it refuses.
 * V08_force-write-anon-huge fails where the fault lets the write through. That can_follow_write_pmd() looks as well is
 * not to be seen: an entry that is huge never comes from swap, nor dirty from migration, so that it can be protected
 * only in the moment between a fault that allowed the write and that look. A write whose page was looked up just before
 * the protection came may land after it all the same.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "access.h"
#include "backing.h"
#include "force.h"
#include "ktap.h"
#include "proc.h"
#include "trap.h"
#include "uffd.h"

#define TABLE (HUGE / PAGE)
#define PAGES 16
#define PLAIN (PAGES - 1)	/* the page that is not protected: the control */

static bool poke(void *addr, uint64_t value)
{
	int mem = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
	bool wrote;

	SETUP(mem >= 0);
	wrote = pwrite(mem, &value, sizeof(value), (uintptr_t)addr) == sizeof(value);
	close(mem);
	return wrote;
}

/* @seen: what pagemap shows of a protected page; 5.10 shows nothing of it. */
static void force_write(const struct backing *b, uint64_t seen)
{
	uint64_t value = fresh_value();
	struct area a;

	area_arm(&a, b, PAGES, 0);
	touch_write_all(&a, 0, PAGES);
	REQUIRE_EQ(area_wp(&a, 0, PLAIN), 0);
	SETUP(!mprotect(a.map, a.size, PROT_READ));
	swap_out(&a, 0, PAGES);
	REQUIRE_EQ(pm_count(a.map, PLAIN, seen | PM_SWAP, PM_PRESENT), PLAIN);
	SETUP_MSG(poke(area_page(&a, PLAIN), value) && touch_read(area_page(&a, PLAIN)) == value,
		  "/proc/self/mem does not write to a page that is not protected");
	for (size_t i = 0; i < PLAIN; i++) {
		EXPECT(!poke(area_page(&a, i), fresh_value()));
		EXPECT_EQ(touch_read(area_page(&a, i)), file_value(i));
		EXPECT_PM(area_page(&a, i), seen, 0);
	}
	SETUP(!mprotect(a.map, a.size, PROT_READ | PROT_WRITE));
	for (size_t i = 0; i < PLAIN; i++)
		EXPECT_TRAPS(&a, area_page(&a, i));
}

static void force_write_shmem(void)
{
	force_write(&memfd_private, PM_UFFD_WP);
}
CASE("V08_force-write", force_write_shmem);

static void force_write_anon(void)
{
	force_write(&anon, 0);
}
CASE("V08_force-write-anon", force_write_anon);

/* The first of two huge pages is protected. */
static void force_write_huge(void)
{
	struct area a;

	need_anon_wp();
	area_open_aligned(&a, &anon, 2 * TABLE, HUGE);
	if (madvise(a.map, a.size, MADV_HUGEPAGE))
		SKIP("CONFIG_TRANSPARENT_HUGEPAGE: MADV_HUGEPAGE: %s", strerror(errno));
	touch_write_all(&a, 0, a.pages);
	area_register(&a, 0, UFFDIO_REGISTER_MODE_WP);
	REQUIRE_EQ(area_wp(&a, 0, TABLE), 0);
	SETUP(!mprotect(a.map, a.size, PROT_READ));
	SETUP_MSG(huge_mapped_kb(&a) == (long)(a.size >> 10), "%ld kB are mapped huge", huge_mapped_kb(&a));
	SETUP_MSG(poke(area_page(&a, TABLE), 1) && touch_read(area_page(&a, TABLE)) == 1,
		  "/proc/self/mem does not write to a huge page that is not protected");
	for (size_t i = 0; i < TABLE; i += 73) {
		EXPECT(!poke(area_page(&a, i), fresh_value()));
		EXPECT_EQ(touch_read(area_page(&a, i)), file_value(i));
	}
	SETUP(!mprotect(a.map, a.size, PROT_READ | PROT_WRITE));
	for (size_t i = 0; i < TABLE; i += 73)
		EXPECT_TRAPS(&a, area_page(&a, i));
}
CASE("V08_force-write-anon-huge", force_write_huge);
