/* SPDX-License-Identifier: GPL-2.0 */
/*
 * force.h: ways to make the kernel take pages away or move them, and to be sure that it did.
 * Each of them ends the case as ERROR when what it is asked for did not happen.
 */
#ifndef FORCE_H
#define FORCE_H

#include "backing.h"

/* ---- swap ---- */

/* Make sure that swap is on: ERROR if there is no device for it, SKIP without CONFIG_SWAP. */
void need_swap(void);
/* kB of the area's pages that lie in swap, by smaps: of the file if shared, else of this mapping. */
long swapped_kb(const struct area *a);
/*
 * MADV_PAGEOUT the pages until none is present and they are in swap. Only for pages that nobody
 * else maps: the area's alias never does. Loses nothing of the data.
 */
void swap_out(const struct area *a, size_t first, size_t pages);
/* Take every page out of swap (swapoff), and turn it on again. */
void swap_off_and_on(void);

/* ---- memory pressure on pages that others map, too ---- */

/* Whether this guest leaves the memory controller to version 1 of cgroups: once charged, it stays with either (memcg1). */
bool memcg_is_v1(void);
/* Put this process into a new cgroup; what it touches from now on is charged there. SKIP without CONFIG_MEMCG. */
void cgroup_enter(void);
/* Write a file of that cgroup, such as memory.max. */
void cgroup_set(const char *file, const char *text);
/* Take from that cgroup what is more than @high (as memory.high has it), from outside: the caller is not slowed down. */
void cgroup_squeeze(const char *high);
/* Give it no more memory than that, and no swap. */
void cgroup_limit(const char *bytes);
/* What is charged to that cgroup, in bytes. */
long cgroup_charged(void);
/* Lower memory.high until none of the pages is present in this mm, then lift it again. */
void squeeze_out(const struct area *a, size_t first, size_t pages);
/*
 * swap_out(), and out of the swap cache, too: the next access reads from the device. The pages must
 * have been touched first after cgroup_enter().
 */
void evict(const struct area *a, size_t first, size_t pages);

/* ---- migration ---- */

/* The NUMA node of a present page. */
int node_of(const void *addr);
/* Move present pages to the other node with move_pages(2); @flags: MPOL_MF_MOVE or _ALL. */
void migrate(const struct area *a, size_t first, size_t pages, int flags);

/* ---- huge pages ---- */

/* kB of the area that are mapped by huge page table entries in this mm. */
long huge_mapped_kb(const struct area *a);
#endif
