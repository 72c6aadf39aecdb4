// SPDX-License-Identifier: GPL-2.0
/*
 * UFFDIO_ZEROPAGE maps the kernel's zero page into a private mapping: an entry without a page of
 * its own. Protected and zapped, it stays protected as any other.
 * Needs: REGISTER(WP) on shmem.
 * Fails on a kernel whose zap_pte_range() looks at uffd-wp only where vm_normal_page() gives a page.
 */
#include "access.h"
#include "backing.h"
#include "ktap.h"
#include "proc.h"
#include "sweep.h"
#include "trap.h"
#include "uffd.h"

#define PAGES 4

static void zeropage_special(void)
{
	struct area a;

	area_open(&a, &memfd_private, PAGES);
	area_register(&a, 0, UFFDIO_REGISTER_MODE_MISSING | UFFDIO_REGISTER_MODE_WP);
	area_fill_file(&a, 0, PAGES);
	REQUIRE_EQ(uffd_zeropage(a.uffd, a.map, a.size, 0), 0);
	REQUIRE_EQ(touch_read(a.map), 0);	/* the zero page, not the file's */
	REQUIRE_EQ(area_wp(&a, 0, PAGES), 0);
	REQUIRE_EQ(pm_count(a.map, PAGES, PM_UFFD_WP | PM_PRESENT, 0), PAGES);
	SETUP(!madvise(a.map, a.size, MADV_DONTNEED));
	EXPECT_EQ(pm_count(a.map, PAGES, PM_UFFD_WP, PM_PRESENT), PAGES);
	EXPECT_READS(&a, area_page(&a, 1));
	EXPECT_EQ(touch_read(area_page(&a, 1)), file_value(1));
	EXPECT_ALL_TRAP(&a, 0, PAGES);
}
CASE("Z13_zeropage-special", zeropage_special);
