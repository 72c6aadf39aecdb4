/* SPDX-License-Identifier: GPL-2.0 */
/* hugetlb.h: huge pages of hugetlbfs, and how a case comes by them. */
#ifndef HUGETLB_H
#define HUGETLB_H

#include <stddef.h>

/* SKIP where the kernel or the processor has no huge pages of @page bytes. */
void need_hugetlb(size_t page);
/*
 * See that there are as many free huge pages of @page bytes as a case with @used of them may want, copies in
 * children and room to migrate to on each node included, for as long as it runs. SKIP where the kernel or the
 * processor has none of that size. Those of 1 GB are there from boot, or the case is skipped.
 */
void hugetlb_pool(size_t page, size_t used);
/* How many are free. */
long hugetlb_free(size_t page);
/* How many of the free ones are promised to mappings. */
long hugetlb_reserved(size_t page);
/* What memfd_create() takes for pages of that size, beside MFD_HUGETLB. */
unsigned int hugetlb_memfd_flag(size_t page);

#endif
