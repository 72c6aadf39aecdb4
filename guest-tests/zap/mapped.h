/* SPDX-License-Identifier: GPL-2.0 */
/* mapped.h: where most tests of this group begin. */
#ifndef MAPPED_H
#define MAPPED_H

#include "backing.h"
#include "ktap.h"
#include "proc.h"

/* Protected pages of the file, mapped read-only: what a private mapping has not copied yet, too. */
static inline void arm_mapped(struct area *a, const struct backing *b, size_t pages, __u64 features)
{
	area_arm(a, b, pages, features);
	area_fill_file(a, 0, pages);
	if (b->huge)
		populate(a, 0, pages);	/* sees that it is huge */
	touch_read_all(a, 0, pages);
	REQUIRE_EQ(area_wp(a, 0, pages), 0);
	touch_read_all(a, 0, pages);
	REQUIRE_EQ(pm_count(a->map, pages, PM_UFFD_WP | PM_PRESENT, 0), pages);
}

#endif
