// SPDX-License-Identifier: GPL-2.0
/*
 * Processes that map the same GB of a file share its page table; protection is of one of them only.
 * Needs: REGISTER(WP) on hugetlbfs, huge pages; newer kernels HUGETLB_PMD_PAGE_TABLE_SHARING. -missing no WP.
 * Fails on a kernel that keeps the protection in a table that is shared: a write of the other one waits for ever, or
 * what is thought of as protected is not; -missing on one that ends the sharing where nothing is to be protected.
 */
#include <unistd.h>

#include "access.h"
#include "backing.h"
#include "ktap.h"
#include "peer.h"
#include "proc.h"
#include "share.h"
#include "trap.h"
#include "uffd.h"

#define PAGES (GIANT / HUGE)

/* The file, mapped by both: a page of each table is there when the other one comes to be. */
static void share_all(const struct area *a, struct peer *other)
{
	for (size_t i = 0; i < a->pages; i += PAGES)
		touch_write(area_page(a, i), file_value(i));
	peer_start(other);
	for (size_t i = 0; i < a->pages; i += PAGES)
		need_shared(a, other, i);
}

/* A table's worth of it. */
static void share(struct area *a, struct peer *other)
{
	area_open_aligned(a, &hugetlb_shared, PAGES, GIANT);
	need_hugetlb_wp(a->page);
	share_all(a, other);
}

static void judge_from(const struct area *a, struct peer *other, size_t first)
{
	for (size_t i = first; i < first + 3; i++) {
		PEER_PM(other, area_page(a, i), 0, PM_UFFD_WP);
		PEER_WRITES(other, a, area_page(a, i));
		EXPECT_TRAPS(a, area_page(a, i));
	}
}

static void judge(const struct area *a, struct peer *other)
{
	judge_from(a, other, 0);
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

/* Two tables' worth, in one mapping or in two: one registration ends the sharing of both tables. */
static void two_tables(bool two_mappings)
{
	struct peer other;
	struct area a;

	area_open_aligned(&a, &hugetlb_shared, 2 * PAGES, GIANT);
	need_hugetlb_wp(a.page);
	if (two_mappings)	/* which are not merged, for their flags differ */
		SETUP(!madvise(area_page(&a, PAGES), GIANT, MADV_DONTDUMP));
	share_all(&a, &other);
	area_register(&a, 0, UFFDIO_REGISTER_MODE_WP);
	for (size_t i = 0; i < a.pages; i += two_mappings ? PAGES : a.pages)	/* WRITEPROTECT is of one mapping */
		REQUIRE_EQ(area_wp(&a, i, two_mappings ? PAGES : a.pages), 0);
	EXPECT_EQ(area_count(&a, PM_UFFD_WP, 0), a.pages);
	for (size_t i = 0; i < a.pages; i += PAGES)
		judge_from(&a, &other, i);
	EXPECT_EQ(peer_end(&other), 0);
}

static void tables_of_one_mapping(void)
{
	two_tables(false);
}
CASE("H11_pmd-share-tables", tables_of_one_mapping);

static void tables_of_two_mappings(void)
{
	two_tables(true);
}
CASE("H11_pmd-share-mappings", tables_of_two_mappings);

static int peer_uffd;

static uint64_t peer_register_missing(void *addr, uint64_t size)
{
	peer_uffd = uffd_open(UFFD_FEATURE_MISSING_HUGETLBFS);
	return uffd_register(peer_uffd, addr, size, UFFDIO_REGISTER_MODE_MISSING, NULL);
}

static uint64_t peer_close(void *unused, uint64_t fd)
{
	(void)unused;
	return close((int)fd);
}

static uint64_t peer_unregister(void *addr, uint64_t size)
{
	return uffd_unregister(peer_uffd, addr, size);
}

/*
 * Who waits for missing pages only goes on sharing, and leaves the table as it is in the end. A mapping beside, which
 * nobody registers, says whether this kernel shares at all.
 */
static void missing_only(void)
{
	struct area plain, a;
	struct peer other;

	area_open_aligned(&plain, &hugetlb_shared, PAGES, GIANT);
	area_open_aligned(&a, &hugetlb_shared, PAGES, GIANT);
	area_fill_file(&a, 0, 4);	/* no page of it is missing */
	area_register(&a, UFFD_FEATURE_MISSING_HUGETLBFS, UFFDIO_REGISTER_MODE_MISSING);
	peer_start(&other);
	SETUP(!peer_call(&other, peer_close, NULL, a.uffd));	/* or it would keep it open */
	REQUIRE_EQ(peer_call(&other, peer_register_missing, a.map, a.size), 0);
	need_shared(&plain, &other, 0);
	REQUIRE(is_shared(&a, &other, 0));
	close(a.uffd);
	peer_call(&other, peer_get, area_page(&a, 2), 0);
	EXPECT_PM(area_page(&a, 2), PM_PRESENT, 0);
	REQUIRE_EQ(peer_call(&other, peer_unregister, a.map, a.size), 0);
	touch_read(area_page(&a, 3));
	PEER_PM(&other, area_page(&a, 3), PM_PRESENT, 0);
	EXPECT_EQ(peer_end(&other), 0);
}
CASE("H11_pmd-share-missing", missing_only);

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
