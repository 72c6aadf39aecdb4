// SPDX-License-Identifier: GPL-2.0
/*
 * Processes that map the same GB of a file share its page table; protection is of one of them only.
 * Needs: REGISTER(WP) on hugetlbfs, huge pages; newer kernels HUGETLB_PMD_PAGE_TABLE_SHARING.
 * Fails on a kernel that keeps the protection in a table that is shared: a write of the other one waits for ever.
 */
#include "access.h"
#include "backing.h"
#include "ktap.h"
#include "peer.h"
#include "proc.h"
#include "trap.h"
#include "uffd.h"

#define PAGES (GIANT / HUGE)

/* A table's worth of the file, mapped by both; what this process touches is there for the other one at once. */
static void share(struct area *a, struct peer *other)
{
	area_open_aligned(a, &hugetlb_shared, PAGES, GIANT);
	need_hugetlb_wp(a->page);
	touch_write(a->map, file_value(0));
	peer_start(other);
	peer_call(other, peer_get, a->map, 0);	/* newer kernels copy nothing at fork that a fault can find */
	touch_write(area_page(a, 1), file_value(1));
	if (!(pm_of(other->pid, area_page(a, 1)) & PM_PRESENT))
		SKIP("CONFIG_HUGETLB_PMD_PAGE_TABLE_SHARING: the page table is not shared");
}

static void judge(const struct area *a, struct peer *other)
{
	for (size_t i = 0; i < 3; i++) {
		PEER_PM(other, area_page(a, i), 0, PM_UFFD_WP);
		PEER_WRITES(other, a, area_page(a, i));
		EXPECT_TRAPS(a, area_page(a, i));
	}
}

static void all_of_it(void)
{
	struct peer other;
	struct area a;

	share(&a, &other);
	area_register(&a, 0, UFFDIO_REGISTER_MODE_WP);
	REQUIRE_EQ(area_wp(&a, 0, PAGES), 0);
	EXPECT_EQ(pm_count(a.map, 3 * HUGE / PAGE, PM_UFFD_WP, 0), 3 * HUGE / PAGE);
	judge(&a, &other);
	EXPECT_EQ(peer_end(&other), 0);
}
CASE("H11_pmd-share", all_of_it);

/* The other process is registered, too, with nothing protected: its flags are the same. */
static uint64_t peer_register(void *addr, uint64_t size)
{
	int fd = uffd_open(0);

	return uffd_register(fd, addr, size, UFFDIO_REGISTER_MODE_WP, NULL);
}

static void both_registered(void)
{
	struct peer other;
	struct area a;

	share(&a, &other);
	area_register(&a, 0, UFFDIO_REGISTER_MODE_WP);
	REQUIRE_EQ(peer_call(&other, peer_register, a.map, a.size), 0);
	touch_read(area_page(&a, 2));
	REQUIRE_EQ(area_wp(&a, 0, PAGES), 0);
	PEER_PM(&other, area_page(&a, 2), 0, PM_UFFD_WP);
	judge(&a, &other);
	EXPECT_EQ(peer_end(&other), 0);
}
CASE("H11_pmd-share-both", both_registered);

/* Who comes later is not to share the table either. */
static void registered_first(void)
{
	struct peer other;
	struct area a;

	area_open_aligned(&a, &hugetlb_shared, PAGES, GIANT);
	area_register(&a, 0, UFFDIO_REGISTER_MODE_WP);
	populate(&a, 0, 2);
	REQUIRE_EQ(area_wp(&a, 0, PAGES), 0);
	peer_start(&other);
	judge(&a, &other);
	EXPECT_EQ(peer_end(&other), 0);
}
CASE("H11_pmd-share-later", registered_first);

/* A registration of a part splits the mapping: what is left is no whole table any more. */
static void in_part(void)
{
	struct area a, half;
	struct peer other;

	share(&a, &other);
	half = a;
	half.size = a.size / 2;
	half.pages = PAGES / 2;
	area_register(&half, 0, UFFDIO_REGISTER_MODE_WP);
	REQUIRE_EQ(area_wp(&half, 0, half.pages), 0);
	judge(&half, &other);
	EXPECT_PM(area_page(&a, PAGES / 2), 0, PM_UFFD_WP);
	EXPECT_EQ(peer_end(&other), 0);
}
CASE("H12_split-shared-register", in_part);

/* And so does mprotect() of a part of what is registered. */
static void split_later(void)
{
	struct peer other;
	struct area a;

	share(&a, &other);
	area_register(&a, 0, UFFDIO_REGISTER_MODE_WP);
	REQUIRE_EQ(area_wp(&a, 0, PAGES), 0);
	SETUP(!mprotect(area_page(&a, 1), HUGE, PROT_READ));
	SETUP(!mprotect(area_page(&a, 1), HUGE, PROT_READ | PROT_WRITE));
	EXPECT_EQ(pm_count(a.map, 3 * HUGE / PAGE, PM_UFFD_WP, 0), 3 * HUGE / PAGE);
	judge(&a, &other);
	EXPECT_EQ(peer_end(&other), 0);
}
CASE("H12_split-shared", split_later);
