// SPDX-License-Identifier: GPL-2.0
/*
 * UFFDIO_COPY_MODE_WP into a mapping that is read-only just now: the page is protected when
 * mprotect makes the mapping writable.
 * Needs: REGISTER(MISSING|WP) on the backing.
 * Fails on a kernel that sets uffd-wp only where VM_WRITE is set (5.10, for anonymous memory).
 */
#include "access.h"
#include "backing.h"
#include "ktap.h"
#include "proc.h"
#include "trap.h"
#include "uffd.h"

static void copy_readonly(const struct backing *b)
{
	static const uint64_t page[PAGE / 8] = { 0xC0FFEE };
	struct area a;

	area_open(&a, b, 2);
	area_register(&a, 0, UFFDIO_REGISTER_MODE_MISSING | UFFDIO_REGISTER_MODE_WP);
	SETUP(!mprotect(a.map, a.size, PROT_READ));
	REQUIRE_EQ(uffd_copy(a.uffd, a.map, page, PAGE, UFFDIO_COPY_MODE_WP, NULL), 0);
	REQUIRE_EQ(uffd_copy(a.uffd, area_page(&a, 1), page, PAGE, 0, NULL), 0);
	EXPECT_EQ(touch_read(a.map), page[0]);
	SETUP(!mprotect(a.map, a.size, PROT_READ | PROT_WRITE));
	EXPECT_PM(area_page(&a, 1), PM_PRESENT, PM_UFFD_WP);
	EXPECT_NO_TRAP(&a, area_page(&a, 1));
	EXPECT_PM(a.map, PM_PRESENT | PM_UFFD_WP, 0);
	EXPECT_TRAPS(&a, a.map);
}
CASE_ON(BACKINGS_ALL_SMALL, "P14_copywp-ro-vma", copy_readonly);
