/* SPDX-License-Identifier: GPL-2.0 */
/*
 * backing.h: the kinds of memory that userfaultfd guards, and mappings of them.
 *
 * An `area` is a mapping under test: its backing, a userfaultfd of its own and, for files, a second
 * mapping of the same file (`alias`) that is not registered. area_arm() is where most tests start.
 *
 *	area_open(&a, b, pages)		map only
 *	area_arm(&a, b, pages, feats)	map, open a userfaultfd, REGISTER(WP); SKIP where that is not offered
 *	area_wp(&a, first, n)		write-protect pages; 0 or -errno; area_unwp() takes it away
 *
 * The alias never keeps a page mapped (alias_get() drops its pte), so that it does not stand in
 * the way of MADV_PAGEOUT.
 */
#ifndef BACKING_H
#define BACKING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ktap.h"
#include "uffd_abi.h"

struct backing {
	const char *name;
	bool shared;		/* MAP_SHARED: a store is seen through the file */
	bool file;		/* shmem behind it, MAP_SHARED or MAP_PRIVATE */
	bool huge;		/* tmpfs mounted with huge=always, 2 MB aligned */
	size_t hugetlb;		/* hugetlbfs behind it: the size of its pages; 0 for all others */
	int (*open)(size_t size);	/* NULL: MAP_ANONYMOUS */
};

extern const struct backing memfd_shared, memfd_private, tmpfs_file, anon_shared, thp_shmem, anon;
extern const struct backing hugetlb_shared, hugetlb_private, hugetlb_1g_shared, hugetlb_1g_private;

/* Lists for CASE_ON(). */
extern const struct backing *const BACKINGS_FILE[];	/* all of shmem: shared, private, tmpfs, anon-shared, THP */
extern const struct backing *const BACKINGS_SMALL[];	/* the same without THP */
extern const struct backing *const BACKINGS_SHARED[];	/* MAP_SHARED: memfd, tmpfs, anon-shared, THP */
extern const struct backing *const BACKINGS_SHARED_SMALL[];	/* the same without THP */
extern const struct backing *const BACKINGS_FD[];	/* with a descriptor for punching and truncating, small pages */
extern const struct backing *const BACKINGS_ANON[];	/* anonymous memory only */
extern const struct backing *const BACKINGS_ALL_SMALL[];	/* small pages: shmem and anonymous memory */
extern const struct backing *const BACKINGS_HUGETLB[];	/* hugetlbfs, pages of 2 MB: shared and private */
extern const struct backing *const BACKINGS_HUGETLB_1G[];	/* the same with pages of 1 GB, which few guests have */

struct area {
	const struct backing *backing;
	int uffd;		/* -1 before area_arm() */
	int fd;			/* -1 for MAP_ANONYMOUS */
	size_t page;		/* bytes of a page */
	size_t pages, size;
	char *map;		/* under test */
	char *alias;		/* MAP_SHARED of the same file, not registered; NULL for private anonymous memory */
};

void area_open(struct area *a, const struct backing *b, size_t pages);
/* The same, at a multiple of @align, with at least @align bytes of PROT_NONE before and after. */
void area_open_aligned(struct area *a, const struct backing *b, size_t pages, size_t align);
/* Open a userfaultfd with @features and REGISTER with @mode. SKIP where the kernel does not offer it. */
void area_register(struct area *a, __u64 features, __u64 mode);
/* SKIP unless the kernel offers write protection for such memory. */
void backing_need_wp(const struct backing *b);
void area_arm(struct area *a, const struct backing *b, size_t pages, __u64 features);
/* Map once more what the area maps; @prot and MAP_SHARED or MAP_PRIVATE as the area has them. */
char *area_map_again(const struct area *a);
void area_close(struct area *a);

char *area_page(const struct area *a, size_t page);
/* How many of its pages have all the bits of @set in pagemap, and none of @clear. */
size_t area_count(const struct area *a, uint64_t set, uint64_t clear);
int area_wp(const struct area *a, size_t first, size_t pages);
int area_unwp(const struct area *a, size_t first, size_t pages);

/* Read or write 8 bytes of the file through the alias, and drop the alias' pte again. */
uint64_t alias_get(const struct area *a, const void *addr);
void alias_set(const struct area *a, const void *addr, uint64_t value);
/* Fill the pages of the file without mapping them: page i gets file_value(i) in its first 8 bytes. */
void area_fill_file(const struct area *a, size_t first, size_t pages);
uint64_t file_value(size_t page);

/* Read or write every page of a range: page i gets file_value(i). */
void touch_read_all(const struct area *a, size_t first, size_t pages);
void touch_write_all(const struct area *a, size_t first, size_t pages);
/* touch_write_all(), and be sure that the pages are present, and the file's huge if the backing is to be: or ERROR. */
void populate(const struct area *a, size_t first, size_t pages);

/* The part of an id after the dot. */
const char *backing_name(const void *backing);

/* Register a function of a backing as one case for each backing of a NULL-terminated list. */
#define CASE_ON(list, id, fn)		CASE_ON_KIND(list, id, fn, KTAP_SHORT)
/* The same, for cases that work until their time budget is used up. */
#define CASE_BUDGET_ON(list, id, fn)	CASE_ON_KIND(list, id, fn, KTAP_BUDGET)
#define CASE_ON_KIND(list, id, fn, how)						\
	static void KTAP_PASTE(on_backing_, __LINE__)(const void *backing)	\
	{									\
		const struct backing *b_ = backing;				\
										\
		(fn)(b_);							\
	}									\
	KTAP_REGISTER(.name = (id), .on = KTAP_PASTE(on_backing_, __LINE__),	\
		      .variants = (const void *const *)(list),			\
		      .variant_name = backing_name, .kind = (how))

#endif
