// SPDX-License-Identifier: GPL-2.0
/*
 * UFFDIO_COPY_MODE_WP into a mapping that is read-only just now: the page stays
 * write-protected when mprotect makes the mapping writable.
 * Needs: write protection of anonymous memory.
 * A failure means: the kernel took the missing VM_WRITE for a reason not to set the
 * uffd-wp bit, and the first write after mprotect is lost to the handler (5.10).
 */
#include "access.h"
#include "backing.h"
#include "ktap.h"
#include "trap.h"
#include "uffd.h"

static void copy_readonly(const struct backing *b)
{
	static uint64_t page[PAGE / 8] = { 0xC0FFEE };
	struct area a;

	area_open(&a, b, 2);
	area_register(&a, 0, UFFDIO_REGISTER_MODE_MISSING | UFFDIO_REGISTER_MODE_WP);
	SETUP(!mprotect(a.map, a.size, PROT_READ));
	REQUIRE_EQ(uffd_copy(a.uffd, a.map, page, PAGE, UFFDIO_COPY_MODE_WP, NULL), 0);
	REQUIRE_EQ(touch_read(a.map), page[0]);
	SETUP(!mprotect(a.map, a.size, PROT_READ | PROT_WRITE));
	EXPECT_TRAPS(&a, a.map);
}

static void copy_readonly_anon(void)
{
	copy_readonly(&anon);
}
CASE("C10_copy-ro-anon", copy_readonly_anon);
