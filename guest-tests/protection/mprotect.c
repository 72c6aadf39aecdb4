// SPDX-License-Identifier: GPL-2.0
/*
 * Changing the protection of a mapping, in any cycle that ends writable, neither makes a protected
 * page writable nor loses its protection or its marker.
 * Needs: REGISTER(WP) on shmem; P12 a CPU with protection keys and X86_INTEL_MEMORY_PROTECTION_KEYS.
 * Fails on a kernel that gives shared mappings under uffd-wp a writable default protection, or
 * takes a dirty W page for one that mprotect may make writable.
 */
#include <errno.h>
#include <string.h>

#include "access.h"
#include "backing.h"
#include "ktap.h"
#include "proc.h"
#include "trap.h"

#define PAGES 4
#define RW (PROT_READ | PROT_WRITE)

/* Mapped and dirty; mapped by a read; a marker over a page; a marker over a hole. */
static void protect(struct area *a, const struct backing *b)
{
	area_arm(a, b, PAGES, 0);
	area_fill_file(a, 0, 3);
	touch_write(a->map, file_value(0));
	touch_read(area_page(a, 1));
	REQUIRE_EQ(area_wp(a, 0, PAGES), 0);
}

static void judge(struct area *a)
{
	EXPECT_EQ(pm_count(a->map, PAGES, PM_UFFD_WP, 0), PAGES);
	EXPECT_EQ(touch_read(area_page(a, 2)), file_value(2));
	for (int i = 0; i < PAGES; i++)
		EXPECT_TRAPS(a, area_page(a, i));
}

static void read_only(const struct backing *b)
{
	struct area a;

	protect(&a, b);
	SETUP(!mprotect(a.map, a.size, PROT_READ));
	EXPECT_EQ(touch_once(WRITES, a.map, 1), GOT_SIGSEGV);
	SETUP(!mprotect(a.map, a.size, RW));
	judge(&a);
}
CASE_ON(BACKINGS_FILE, "P01_mprotect-cycle", read_only);

static void none(const struct backing *b)
{
	struct area a;

	protect(&a, b);
	SETUP(!mprotect(a.map, a.size, PROT_NONE));
	EXPECT_EQ(touch_once(READS, a.map, 0), GOT_SIGSEGV);
	SETUP(!mprotect(a.map, a.size, RW));
	judge(&a);
}
CASE_ON(BACKINGS_FILE, "P02_mprotect-none", none);

/* Protected while it could not be written in any case. */
static void read_only_vma(const struct backing *b)
{
	struct area a;

	area_open(&a, b, PAGES);
	area_fill_file(&a, 0, PAGES);
	SETUP(!mprotect(a.map, a.size, PROT_READ));
	area_register(&a, 0, UFFDIO_REGISTER_MODE_WP);
	touch_read_all(&a, 0, PAGES / 2);
	REQUIRE_EQ(area_wp(&a, 0, PAGES), 0);
	for (int i = 0; i < PAGES; i += 2)
		EXPECT_EQ(touch_read(area_page(&a, i)), file_value(i));
	SETUP(!mprotect(a.map, a.size, RW));
	judge(&a);
}
CASE_ON(BACKINGS_FILE, "P11_ro-vma", read_only_vma);

/* What can be written can be read: PROT_WRITE alone names no right to read that the protection could leave. */
static void write_only_vma(const struct backing *b)
{
	struct area a;

	backing_need_wp(b);
	area_open(&a, b, PAGES);
	touch_write_all(&a, 0, PAGES);
	SETUP(!mprotect(a.map, a.size, PROT_WRITE));
	area_register(&a, 0, UFFDIO_REGISTER_MODE_WP);
	REQUIRE_EQ(area_wp(&a, 0, PAGES), 0);
	for (int i = 0; i < PAGES; i++)
		EXPECT_READS(&a, area_page(&a, i));
	EXPECT_TRAPS(&a, area_page(&a, PAGES - 1));
}
CASE_ON(BACKINGS_FILE, "P16_write-only-vma", write_only_vma);
CASE_ON(BACKINGS_ANON, "P16_write-only-vma", write_only_vma);
CASE_ON(BACKINGS_HUGETLB, "P16_write-only-vma", write_only_vma);

static void protection_key(const struct backing *b)
{
	struct area a;
	int key;

	protect(&a, b);
	key = pkey_alloc(0, 0);
	if (key < 0)
		SKIP("CONFIG_X86_INTEL_MEMORY_PROTECTION_KEYS, or the CPU: pkey_alloc: %s", strerror(errno));
	SETUP(!pkey_mprotect(a.map, a.size, RW, key));
	SETUP(!pkey_mprotect(a.map, a.size, PROT_READ, key));
	SETUP(!pkey_mprotect(a.map, a.size, RW, 0));
	SETUP(!pkey_mprotect(a.map, a.size, RW, key));
	judge(&a);
}
CASE_ON(BACKINGS_FILE, "P12_pkey", protection_key);
