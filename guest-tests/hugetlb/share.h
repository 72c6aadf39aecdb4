/* SPDX-License-Identifier: GPL-2.0 */
/* share.h: whether two processes share a page table of huge pages. */
#ifndef SHARE_H
#define SHARE_H

#include <stdbool.h>

#include "access.h"
#include "backing.h"
#include "ktap.h"
#include "peer.h"
#include "proc.h"

/*
 * Whether what this process touches beside a page that both have touched is there for the other one at once. Newer
 * kernels copy nothing at fork that a fault can find.
 */
static inline bool is_shared(const struct area *a, struct peer *other, size_t first)
{
	touch_read(area_page(a, first));
	peer_call(other, peer_get, area_page(a, first), 0);
	touch_read(area_page(a, first + 1));
	return pm_of(other->pid, area_page(a, first + 1)) & PM_PRESENT;
}

/* SKIP unless they do. It takes two pages of the table of which the other process has not touched the second. */
static inline void need_shared(const struct area *a, struct peer *other, size_t first)
{
	if (!is_shared(a, other, first))
		SKIP("CONFIG_HUGETLB_PMD_PAGE_TABLE_SHARING: the page table is not shared");
}

#endif
