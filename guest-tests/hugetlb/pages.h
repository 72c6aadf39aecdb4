/* SPDX-License-Identifier: GPL-2.0 */
/* pages.h: how many pages a case of hugetlbfs works on. */
#ifndef PAGES_H
#define PAGES_H

#include "access.h"
#include "backing.h"

/* A few of 2 MB, one of 1 GB. */
static inline size_t hugetlb_pages(const struct backing *b)
{
	return b->hugetlb == GIANT ? 1 : 4;
}

#endif
