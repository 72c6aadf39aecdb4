/* SPDX-License-Identifier: GPL-2.0 */
/* khugepaged.h: the thread of the kernel that makes huge pages of small ones. */
#ifndef KHUGEPAGED_H
#define KHUGEPAGED_H

/* Make khugepaged eager for the rest of the case. SKIP without CONFIG_TRANSPARENT_HUGEPAGE. */
void khugepaged_eager(void);
/* The same, and let it work on shmem for which MADV_HUGEPAGE says so. */
void khugepaged_eager_on_shmem(void);
/*
 * Keep it from filling holes for the rest of the case, unless khugepaged_eager() asks for that. Every
 * area on a huge backing does so: a hole that khugepaged fills makes UFFDIO_COPY say EEXIST.
 */
void khugepaged_quiet(void);
/* Wait until khugepaged has been through all memory @rounds times more. */
void khugepaged_scans(int rounds);
/* Huge pages that khugepaged has made since boot. */
long khugepaged_collapsed(void);

#endif
