// SPDX-License-Identifier: GPL-2.0
/* The pool of huge pages. */
#include <stdio.h>
#include <stdlib.h>

#include "access.h"
#include "hugetlb.h"
#include "ktap.h"
#include "proc.h"
#include "settings.h"

#define LEAST 64	/* of 2 MB */
#define MOST 160	/* an area may be much larger than what is touched of it */
#define GIANT_POOL 2	/* a page of the file, and a private copy */

static const char *pool_file(size_t page, const char *name)
{
	static char path[96];

	snprintf(path, sizeof(path), "/sys/kernel/mm/hugepages/hugepages-%zukB/%s", page / 1024, name);
	return path;
}

static long pool_number(size_t page, const char *name)
{
	char text[32];

	if (!file_read(pool_file(page, name), text, sizeof(text)))
		return -1;
	return atol(text);
}

long hugetlb_free(size_t page)
{
	long pages = pool_number(page, "free_hugepages");

	SETUP(pages >= 0);
	return pages;
}

long hugetlb_reserved(size_t page)
{
	long pages = pool_number(page, "resv_hugepages");

	SETUP(pages >= 0);
	return pages;
}

void need_hugetlb(size_t page)
{
	if (pool_number(page, "nr_hugepages") < 0)
		SKIP("CONFIG_HUGETLBFS: there are no huge pages of %zu kB", page / 1024);
}

void hugetlb_pool(size_t page, size_t used)
{
	size_t want = 2 * used + 32;
	char text[24];

	want = want < LEAST ? LEAST : want > MOST ? MOST : want;

	need_hugetlb(page);
	if (page == GIANT) {
		if (hugetlb_free(page) < GIANT_POOL)
			SKIP("no %d huge pages of 1 GB are free: they come with hugepagesz=1G hugepages=N", GIANT_POOL);
		return;
	}
	file_write("/proc/sys/vm/compact_memory", "1");		/* as well as it can */
	snprintf(text, sizeof(text), "%zu", want);
	set_file(pool_file(page, "nr_hugepages"), text);
	SETUP_MSG(hugetlb_free(page) >= (long)want, "only %ld of %zu huge pages are free", hugetlb_free(page), want);
}

unsigned int hugetlb_memfd_flag(size_t page)
{
	return (unsigned int)__builtin_ctzl(page) << 26;	/* MFD_HUGE_SHIFT */
}
