// SPDX-License-Identifier: GPL-2.0
/*
 * The last unmap takes markers and bits with it, also where a neighbour keeps the page table:
 * what is mapped there next begins unprotected, and the page tables are accounted.
 * Needs: REGISTER(WP) on shmem.
 * Fails on a kernel that keeps protection in a zap and does not tell munmap from others.
 */
#include <sys/syscall.h>
#include <unistd.h>

#include "access.h"
#include "backing.h"
#include "ktap.h"
#include "proc.h"
#include "trap.h"
#include "uffd.h"

#define PAGES 16

/* Half mapped, half marked; all protected. A neighbour in the same 2 MB holds the page table. */
static void protect(struct area *a, const struct backing *b)
{
	char *neighbour;

	need_shmem_wp();
	area_open_aligned(a, b, PAGES, HUGE);
	area_register(a, 0, UFFDIO_REGISTER_MODE_WP);
	neighbour = mmap(a->map + HUGE / 2, PAGE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	SETUP(neighbour != MAP_FAILED);
	touch_write(neighbour, 1);
	area_fill_file(a, 0, PAGES);
	touch_read_all(a, 0, PAGES / 2);
	REQUIRE_EQ(area_wp(a, 0, PAGES), 0);
	REQUIRE_EQ(pm_count(a->map, PAGES, PM_UFFD_WP, 0), PAGES);
}

/* Map the file (or anonymous memory) at the place of the area, over whatever is there. */
static void map_there(const struct area *a, const struct backing *b)
{
	int flags = (b->shared ? MAP_SHARED : MAP_PRIVATE) | MAP_FIXED | (b->open ? 0 : MAP_ANONYMOUS);

	SETUP(mmap(a->map, a->size, PROT_READ | PROT_WRITE, flags, b->open ? a->fd : -1, 0) == a->map);
}

/* The new mapping is unprotected and works, without and with a userfaultfd. */
static void judge_new(struct area *a, const struct backing *b)
{
	EXPECT_EQ(pm_count(a->map, PAGES, 0, PM_UFFD_WP | PM_SWAP | PM_PRESENT), PAGES);
	for (int i = 0; i < PAGES; i++)
		EXPECT_EQ(touch_read(area_page(a, i)), b->open ? file_value(i) : 0);
	EXPECT_EQ(pm_count(a->map, PAGES, PM_UFFD_WP, 0), 0);
	SETUP(!madvise(a->map, a->size, MADV_DONTNEED));
	REQUIRE_EQ(uffd_register(a->uffd, a->map, a->size, UFFDIO_REGISTER_MODE_WP, NULL), 0);
	for (int i = 0; i < PAGES; i++)
		EXPECT_EQ(touch_once(WRITES, area_page(a, i), i), COMPLETED);
	EXPECT_EQ(pm_count(a->map, PAGES, PM_UFFD_WP, 0), 0);
	if (!b->file)
		return;
	REQUIRE_EQ(area_wp(a, 0, PAGES), 0);
	EXPECT_TRAPS(a, a->map);
}

static void reuse_as(const struct backing *b, const struct backing *next, bool fixed)
{
	struct area a;

	protect(&a, b);
	if (!fixed)
		SETUP(!munmap(a.map, a.size));
	map_there(&a, next);
	judge_new(&a, next);
}

static void munmap_file(const struct backing *b)
{
	reuse_as(b, b, false);
}
CASE_ON(BACKINGS_FD, "L06_munmap-reuse-file", munmap_file);

static void munmap_anon(const struct backing *b)
{
	reuse_as(b, &anon, false);
}
CASE_ON(BACKINGS_SMALL, "L06_munmap-reuse-anon", munmap_anon);

static void fixed_file(const struct backing *b)
{
	reuse_as(b, b, true);
}
CASE_ON(BACKINGS_FD, "L08_map-fixed-file", fixed_file);

static void fixed_anon(const struct backing *b)
{
	reuse_as(b, &anon, true);
}
CASE_ON(BACKINGS_SMALL, "L08_map-fixed-anon", fixed_anon);

#define GIGABYTE (1UL << 30)

static void accounting(const struct backing *b)
{
	long before, with;
	struct area a;

	need_shmem_wp();
	area_open_aligned(&a, b, GIGABYTE / PAGE, GIGABYTE);
	area_register(&a, 0, UFFDIO_REGISTER_MODE_WP);
	before = status_kb("VmPTE");
	REQUIRE_EQ(area_wp(&a, 0, a.pages), 0);
	with = status_kb("VmPTE") - before;
	EXPECT_MSG(with >= 2048 && with < 2048 + 64, "WP of 1 GB of holes added %ld kB of page tables", with);
	SETUP(!munmap(a.map, a.size));
	EXPECT_MSG(status_kb("VmPTE") <= before + 8, "VmPTE was %ld kB, and is %ld kB after munmap",
		   before, status_kb("VmPTE"));
}
CASE_ON(((const struct backing *const []){ &memfd_shared, &memfd_private, &anon_shared, NULL }),
	"L07_munmap-accounting", accounting);

/* remap_file_pages is emulated by a new mapping of other pages of the file in the place of the old one. */
static void remap_pages(const struct backing *b)
{
	struct area a;

	area_arm(&a, b, PAGES, 0);
	area_fill_file(&a, 0, PAGES);
	touch_read_all(&a, 0, PAGES / 2);
	REQUIRE_EQ(area_wp(&a, 0, PAGES), 0);
	SETUP(!syscall(SYS_remap_file_pages, a.map, 4 * PAGE, 0, 8, 0));
	SETUP(!syscall(SYS_remap_file_pages, area_page(&a, 12), 4 * PAGE, 0, 0, 0));
	for (int i = 0; i < 4; i++) {
		EXPECT_PM(area_page(&a, i), 0, PM_UFFD_WP | PM_SWAP);
		EXPECT_PM(area_page(&a, 12 + i), 0, PM_UFFD_WP | PM_SWAP);
		EXPECT_EQ(touch_read(area_page(&a, i)), file_value(8 + i));
		EXPECT_EQ(touch_read(area_page(&a, 12 + i)), file_value(i));
		EXPECT_EQ(touch_once(WRITES, area_page(&a, i), 1), COMPLETED);
		EXPECT_EQ(touch_once(WRITES, area_page(&a, 12 + i), 2), COMPLETED);
	}
	EXPECT_EQ(pm_count(area_page(&a, 4), 8, PM_UFFD_WP, 0), 8);
	EXPECT_TRAPS(&a, area_page(&a, 5));
	EXPECT_TRAPS(&a, area_page(&a, 11));
}
CASE_ON(BACKINGS_SHARED_SMALL, "L17_remap-file-pages", remap_pages);
