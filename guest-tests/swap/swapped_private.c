// SPDX-License-Identifier: GPL-2.0
/*
 * Protected copies of a private mapping that are in swap, and what happens to their addresses, to the file and to the
 * registration meanwhile: who keeps the protection keeps the data as well, but for a truncation.
 * Needs: REGISTER(WP) on shmem, CONFIG_SWAP and a swap device; for its bit, -clear-refs MEM_SOFT_DIRTY.
 * Fails on a kernel that changes a swap entry and forgets its uffd-wp, drops it with the page of the file, keeps it
 * longer than the registration, or gives it to a child that is not armed.
 */
#include <fcntl.h>
#include <unistd.h>

#include "access.h"
#include "backing.h"
#include "force.h"
#include "ktap.h"
#include "peer.h"
#include "proc.h"
#include "sweep.h"
#include "trap.h"
#include "uffd.h"

#define PAGES 16

static uint64_t copy_value(size_t page)
{
	return 0xC0B1ED0000ULL + page;
}

/* Own copies of pages that the file has, all protected and in swap. */
static void arm_swapped(struct area *a)
{
	area_arm(a, &memfd_private, PAGES, 0);
	need_swap();
	area_fill_file(a, 0, PAGES);
	for (size_t i = 0; i < PAGES; i++)
		touch_write(area_page(a, i), copy_value(i));
	REQUIRE_EQ(area_wp(a, 0, PAGES), 0);
	swap_out(a, 0, PAGES);
	REQUIRE_EQ(pm_count(a->map, PAGES, PM_UFFD_WP | PM_SWAP, PM_PRESENT), PAGES);
}

static void judge_data(const struct area *a)
{
	for (size_t i = 0; i < PAGES; i++)
		EXPECT_EQ(touch_read(area_page(a, i)), copy_value(i));
}

static void judge_protected(const struct area *a)
{
	EXPECT_EQ(pm_count(a->map, PAGES, PM_UFFD_WP | PM_SWAP, PM_PRESENT), PAGES);
	judge_data(a);
	EXPECT_EQ(pm_count(a->map, PAGES, PM_UFFD_WP, 0), PAGES);
	EXPECT_ALL_TRAP(a, 0, PAGES);
}

static void judge_plain(const struct area *a)
{
	EXPECT_EQ(pm_count(a->map, PAGES, PM_SWAP, PM_UFFD_WP | PM_PRESENT), PAGES);
	judge_data(a);
	EXPECT_EQ(pm_count(a->map, PAGES, PM_UFFD_WP, 0), 0);
	EXPECT_NONE_TRAPS(a, 0, PAGES);
}

/* A copy is no page of the file. */
static void punched(void)
{
	struct area a;

	arm_swapped(&a);
	SETUP(!fallocate(a.fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, (off_t)a.size));
	judge_protected(&a);
	EXPECT_EQ(alias_get(&a, a.map), 0);
}
CASE("S12_swapped-private-punch", punched);

/* But it goes with the end of the file, and the protection of the address stays. */
static void truncated(void)
{
	struct area a;

	arm_swapped(&a);
	SETUP(!ftruncate(a.fd, 0));
	EXPECT_EQ(pm_count(a.map, PAGES, PM_UFFD_WP, PM_PRESENT), PAGES);
	SETUP(!ftruncate(a.fd, (off_t)a.size));
	EXPECT_EQ(pm_count(a.map, PAGES, PM_UFFD_WP, PM_PRESENT), PAGES);
	for (size_t i = 0; i < PAGES; i++)
		EXPECT_EQ(touch_read(area_page(&a, i)), 0);
	EXPECT_ALL_TRAP(&a, 0, PAGES);
}
CASE("S12_swapped-private-truncate", truncated);

static void mprotected(void)
{
	static const int prots[] = { PROT_READ, PROT_NONE };
	struct area a;

	arm_swapped(&a);
	for (size_t i = 0; i < sizeof(prots) / sizeof(*prots); i++) {
		SETUP(!mprotect(a.map, a.size, prots[i]));
		EXPECT_EQ(pm_count(a.map, PAGES, PM_UFFD_WP | PM_SWAP, PM_PRESENT), PAGES);
		SETUP(!mprotect(a.map, a.size, PROT_READ | PROT_WRITE));
	}
	judge_protected(&a);
}
CASE("S12_swapped-private-mprotect", mprotected);

static void clear_refs(void)
{
	struct area a;

	arm_swapped(&a);
	if (pm(a.map) & PM_SOFT_DIRTY)		/* else the kernel has no such bit to clear */
		SETUP(file_write("/proc/self/clear_refs", "4"));
	EXPECT_EQ(pm_count(a.map, PAGES, PM_SOFT_DIRTY, 0), 0);
	judge_protected(&a);
}
CASE("S12_swapped-private-clear-refs", clear_refs);

static void closed(void)
{
	struct area a;

	arm_swapped(&a);
	close(a.uffd);
	a.uffd = -1;
	judge_plain(&a);
}
CASE("S12_swapped-private-close", closed);

static void registered_without_wp(void)
{
	struct area a;

	need_shmem_wp();
	need_drop_wp();
	arm_swapped(&a);
	REQUIRE_EQ(uffd_register(a.uffd, a.map, a.size, UFFDIO_REGISTER_MODE_MISSING, NULL), 0);
	judge_plain(&a);
}
CASE("S12_swapped-private-drop-wp", registered_without_wp);

static void forked(void)
{
	struct peer child;
	struct area a;

	arm_swapped(&a);
	peer_start(&child);
	for (size_t i = 0; i < PAGES; i++)
		PEER_PM(&child, area_page(&a, i), PM_SWAP, PM_UFFD_WP | PM_PRESENT);
	for (size_t i = 0; i < PAGES; i++) {
		EXPECT_EQ(peer_call(&child, peer_get, area_page(&a, i), 0), copy_value(i));
		PEER_WRITES(&child, &a, area_page(&a, i));
	}
	judge_protected(&a);
	EXPECT_EQ(peer_end(&child), 0);
}
CASE("S12_swapped-private-fork", forked);
