// SPDX-License-Identifier: GPL-2.0
/*
 * The two bugs of 5.10 in write protection of anonymous memory, on one page: it is filled
 * protected while its mapping is read-only, and then goes through swapoff.
 * Needs: swap; write protection of anonymous memory.
 * A failure means: one of them is there, see C10 (UFFDIO_COPY) and S07 (swapoff).
 */
#include "access.h"
#include "backing.h"
#include "force.h"
#include "ktap.h"
#include "trap.h"
#include "uffd.h"

#define PAGES 8

static void anon_fixes(void)
{
	static uint64_t content[PAGE / 8] = { 0xC0FFEE };
	struct area a;

	area_open(&a, &anon, PAGES);
	area_register(&a, 0, UFFDIO_REGISTER_MODE_MISSING | UFFDIO_REGISTER_MODE_WP);
	SETUP(!mprotect(a.map, a.size, PROT_READ));
	for (size_t i = 0; i < PAGES; i++)
		REQUIRE_EQ(uffd_copy(a.uffd, area_page(&a, i), content, PAGE, UFFDIO_COPY_MODE_WP, NULL), 0);
	swap_out(&a, 0, PAGES);
	swap_off_and_on();
	SETUP(!mprotect(a.map, a.size, PROT_READ | PROT_WRITE));
	for (size_t i = 0; i < PAGES; i++) {
		EXPECT_EQ(touch_read(area_page(&a, i)), content[0]);
		EXPECT_TRAPS(&a, area_page(&a, i));
	}
}
CASE("G03_anon-fixes", anon_fixes);
