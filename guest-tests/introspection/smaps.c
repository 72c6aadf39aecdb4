// SPDX-License-Identifier: GPL-2.0
/*
 * smaps, numa_maps and the resident set sizes are told right where markers are.
 * Needs: REGISTER(WP) on shmem; N04 a swap device.
 * Fails on a kernel whose readers crash on a marker, count it as a page, or take it for proof that
 * nothing lies in swap behind it (N04: mainline).
 */
#include <stdio.h>
#include <string.h>

#include "access.h"
#include "backing.h"
#include "force.h"
#include "ktap.h"
#include "proc.h"
#include "uffd.h"

#define PAGES 16

/*
 * Swap: of a mapping of a file counts what the file has in swap behind it: the same with markers as
 * without. The pages are swapped out through a mapping of their own; half of them have a marker here.
 */
static void swap_kb(const struct backing *b)
{
	struct area a, twin;

	area_arm(&a, b, PAGES, 0);
	twin = a;
	twin.backing = &memfd_shared;	/* the alias and the twin map the file itself */
	twin.map = mremap(a.alias, 0, a.size, MREMAP_MAYMOVE);
	SETUP(twin.map != MAP_FAILED);
	touch_write_all(&twin, 0, PAGES);
	touch_read_all(&a, 0, PAGES / 4);
	REQUIRE_EQ(area_wp(&a, 0, PAGES / 2), 0);
	SETUP(!madvise(a.map, a.size, MADV_DONTNEED));
	REQUIRE_EQ(pm_count(a.map, PAGES / 2, PM_UFFD_WP, PM_PRESENT), PAGES / 2);
	swap_out(&twin, 0, PAGES);
	EXPECT_EQ(smaps_kb(a.map, "Swap"), PAGES * PAGE / 1024);
}
CASE_ON(BACKINGS_SMALL, "N04_smaps-swap", swap_kb);

/* The text of the line that begins with @name in the smaps entry of @addr. */
static bool smaps_line(const char *addr, const char *name, char *text, size_t size)
{
	FILE *file = fopen("/proc/self/smaps", "re");
	bool inside = false, found = false;
	unsigned long start, end;

	while (file && !found && fgets(text, (int)size, file)) {
		if (sscanf(text, "%lx-%lx ", &start, &end) == 2)
			inside = start <= (uintptr_t)addr && (uintptr_t)addr < end;
		else
			found = inside && !strncmp(text, name, strlen(name));
	}
	if (file)
		fclose(file);
	return found;
}

/* Read a file of /proc to its end. */
static long readable(const char *path)
{
	char text[4096];
	long bytes = 0;
	size_t n;
	FILE *file = fopen(path, "re");

	if (!file)
		return -1;
	while ((n = fread(text, 1, sizeof(text), file)) > 0)
		bytes += (long)n;
	if (ferror(file))
		bytes = -1;
	fclose(file);
	return bytes;
}

static void vm_flags(const struct backing *b)
{
	static const char *const files[] = { "smaps", "smaps_rollup", "maps", "numa_maps", NULL };
	char line[512], path[64];
	struct area a;

	area_arm(&a, b, PAGES, 0);
	touch_write_all(&a, 0, PAGES / 2);
	REQUIRE_EQ(area_wp(&a, 0, PAGES), 0);
	REQUIRE(smaps_line(a.map, "VmFlags:", line, sizeof(line)));
	EXPECT_MSG(strstr(line, " uw"), "no uw in %s", line);
	for (int i = 0; files[i]; i++) {
		snprintf(path, sizeof(path), "/proc/self/%s", files[i]);
		EXPECT_MSG(readable(path) > 0 || !strcmp(files[i], "numa_maps"), "%s cannot be read", path);
	}
	REQUIRE_EQ(uffd_unregister(a.uffd, a.map, a.size), 0);
	REQUIRE(smaps_line(a.map, "VmFlags:", line, sizeof(line)));
	EXPECT_MSG(!strstr(line, " uw"), "uw after UNREGISTER in %s", line);
}
CASE_ON(BACKINGS_SMALL, "N05_vmflags", vm_flags);

#define MANY 2048UL
#define MANY_KB ((long)(MANY * PAGE / 1024))

/* The kernel counts in batches, for each task or CPU: zapping a page brings those of this task up to date. */
static long settled_kb(const char *name)
{
	static char *page;

	if (!page)
		page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	SETUP(page != MAP_FAILED);
	touch_write(page, 1);
	SETUP(!madvise(page, PAGE, MADV_DONTNEED));
	return status_kb(name);
}

/* What batches on two CPUs may still be off by is far below a quarter of the pages. */
static void expect_kb(const char *name, long wanted)
{
	long kb = settled_kb(name), off = kb - wanted;

	EXPECT_MSG(off > -MANY_KB / 4 && off < MANY_KB / 4, "%s is %ld kB, not about %ld kB", name, kb, wanted);
}

static void resident(const struct backing *b)
{
	long shmem, anonymous, swap;
	struct area a;

	area_arm(&a, b, MANY, 0);
	shmem = settled_kb("RssShmem");
	anonymous = settled_kb("RssAnon");
	swap = status_kb("VmSwap");
	REQUIRE_EQ(area_wp(&a, 0, MANY), 0);
	expect_kb("RssShmem", shmem);
	EXPECT_EQ(smaps_kb(a.map, "Rss"), 0);
	touch_read_all(&a, 0, MANY);
	EXPECT_EQ(smaps_kb(a.map, "Rss"), MANY_KB);
	expect_kb("RssShmem", shmem + MANY_KB);
	SETUP(!madvise(a.map, a.size, MADV_DONTNEED));
	REQUIRE_EQ(pm_count(a.map, MANY, PM_UFFD_WP, PM_PRESENT), MANY);
	EXPECT_EQ(smaps_kb(a.map, "Rss"), 0);
	expect_kb("RssShmem", shmem);
	REQUIRE_EQ(area_unwp(&a, 0, MANY), 0);
	expect_kb("RssShmem", shmem);
	expect_kb("RssAnon", anonymous);
	EXPECT_EQ(status_kb("VmSwap"), swap);
}
CASE_ON(BACKINGS_SMALL, "N06_rss", resident);
