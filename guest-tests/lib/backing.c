// SPDX-License-Identifier: GPL-2.0
/* The kinds of memory under test, and areas: mappings of them with a userfaultfd and an alias. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "access.h"
#include "backing.h"
#include "hugetlb.h"
#include "khugepaged.h"
#include "ktap.h"
#include "proc.h"
#include "settings.h"
#include "uffd.h"

static int open_memfd(size_t size)
{
	int fd = memfd_create("area", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	SETUP(fd >= 0);
	SETUP(!ftruncate(fd, size));
	return fd;
}

/* A file on a tmpfs of its own that is mounted nowhere: it needs no folder, and goes with the descriptor. */
static int open_tmpfs(size_t size, const char *huge)
{
	int fs, mount, fd;

	fs = (int)syscall(SYS_fsopen, "tmpfs", 1 /* FSOPEN_CLOEXEC */);
	if (fs < 0 && (errno == ENODEV || errno == ENOSYS))
		SKIP("CONFIG_TMPFS: fsopen(tmpfs): %s", strerror(errno));
	SETUP_MSG(fs >= 0, "fsopen(tmpfs): %s", strerror(errno));
	if (huge && syscall(SYS_fsconfig, fs, 1 /* FSCONFIG_SET_STRING */, "huge", huge, 0))
		SKIP("CONFIG_TRANSPARENT_HUGEPAGE: tmpfs huge=%s: %s", huge, strerror(errno));
	SETUP(!syscall(SYS_fsconfig, fs, 6 /* FSCONFIG_CMD_CREATE */, NULL, NULL, 0));
	mount = (int)syscall(SYS_fsmount, fs, 1 /* FSMOUNT_CLOEXEC */, 0);
	SETUP(mount >= 0);
	fd = openat(mount, "file", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	SETUP(fd >= 0);
	SETUP(!ftruncate(fd, size));
	close(mount);
	close(fs);
	return fd;
}

static int open_tmpfs_small(size_t size)
{
	return open_tmpfs(size, NULL);
}

static int open_tmpfs_huge(size_t size)
{
	khugepaged_quiet();
	return open_tmpfs(size, "always");
}

static int open_hugetlb(size_t size, size_t page)
{
	int fd;

	hugetlb_pool(page, size / page);
	fd = memfd_create("area", MFD_CLOEXEC | MFD_HUGETLB | hugetlb_memfd_flag(page));
	SETUP(fd >= 0);
	SETUP(!ftruncate(fd, size));
	return fd;
}

static int open_hugetlb_2m(size_t size)
{
	return open_hugetlb(size, HUGE);
}

static int open_hugetlb_1g(size_t size)
{
	return open_hugetlb(size, GIANT);
}

const struct backing memfd_shared = { .name = "memfd-shared", .shared = true, .file = true, .open = open_memfd };
const struct backing memfd_private = { .name = "memfd-private", .file = true, .open = open_memfd };
const struct backing tmpfs_file = { .name = "tmpfs-file", .shared = true, .file = true, .open = open_tmpfs_small };
const struct backing anon_shared = { .name = "anon-shared", .shared = true, .file = true };
const struct backing thp_shmem = {
	.name = "thp-shmem", .shared = true, .file = true, .huge = true, .open = open_tmpfs_huge };
const struct backing anon = { .name = "anon" };
const struct backing hugetlb_shared = {
	.name = "hugetlb-shared", .shared = true, .file = true, .hugetlb = HUGE, .open = open_hugetlb_2m };
const struct backing hugetlb_private = {
	.name = "hugetlb-private", .file = true, .hugetlb = HUGE, .open = open_hugetlb_2m };
const struct backing hugetlb_1g_shared = {
	.name = "hugetlb-1G-shared", .shared = true, .file = true, .hugetlb = GIANT, .open = open_hugetlb_1g };
const struct backing hugetlb_1g_private = {
	.name = "hugetlb-1G-private", .file = true, .hugetlb = GIANT, .open = open_hugetlb_1g };

const struct backing *const BACKINGS_FILE[] = {
	&memfd_shared, &memfd_private, &tmpfs_file, &anon_shared, &thp_shmem, NULL };
const struct backing *const BACKINGS_SMALL[] = { &memfd_shared, &memfd_private, &tmpfs_file, &anon_shared, NULL };
const struct backing *const BACKINGS_SHARED[] = { &memfd_shared, &tmpfs_file, &anon_shared, &thp_shmem, NULL };
const struct backing *const BACKINGS_SHARED_SMALL[] = { &memfd_shared, &tmpfs_file, &anon_shared, NULL };
const struct backing *const BACKINGS_FD[] = { &memfd_shared, &memfd_private, &tmpfs_file, NULL };
const struct backing *const BACKINGS_ANON[] = { &anon, NULL };
const struct backing *const BACKINGS_ALL_SMALL[] = {
	&memfd_shared, &memfd_private, &tmpfs_file, &anon_shared, &anon, NULL };
const struct backing *const BACKINGS_HUGETLB[] = { &hugetlb_shared, &hugetlb_private, NULL };
const struct backing *const BACKINGS_HUGETLB_1G[] = { &hugetlb_1g_shared, &hugetlb_1g_private, NULL };

const char *backing_name(const void *backing)
{
	const struct backing *b = backing;

	return b->name;
}

static int map_flags(const struct backing *b)
{
	return (b->shared ? MAP_SHARED : MAP_PRIVATE) | (b->open ? 0 : MAP_ANONYMOUS);
}

static char *map_alias(const struct area *a)
{
	char *alias;

	if (a->fd >= 0)
		alias = mmap(NULL, a->size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, a->fd, 0);
	else if (a->backing->shared)	/* old size 0: a second mapping of the same object */
		alias = mremap(a->map, 0, a->size, MREMAP_MAYMOVE);
	else
		return NULL;
	SETUP(alias != MAP_FAILED);
	return alias;
}

void area_open_aligned(struct area *a, const struct backing *b, size_t pages, size_t align)
{
	size_t page = b->hugetlb ? b->hugetlb : PAGE;
	size_t size = pages * page, room = (size + align - 1) / align * align + 3 * align;
	uintptr_t hole, at;

	*a = (struct area){ .backing = b, .uffd = -1, .fd = -1, .page = page, .pages = pages, .size = size };
	if (b->open)
		a->fd = b->open(size);
	hole = (uintptr_t)mmap(NULL, room, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	SETUP((void *)hole != MAP_FAILED);
	at = (hole + 2 * align - 1) / align * align;
	a->map = mmap((void *)at, size, PROT_READ | PROT_WRITE, map_flags(b) | MAP_FIXED | MAP_NORESERVE, a->fd, 0);
	SETUP(a->map != MAP_FAILED);
	a->alias = map_alias(a);
}

void area_open(struct area *a, const struct backing *b, size_t pages)
{
	if (b->huge)	/* whole huge pages, or there are none */
		pages = (pages * PAGE + HUGE - 1) / HUGE * HUGE / PAGE;
	area_open_aligned(a, b, pages, b->huge ? HUGE : b->hugetlb ? b->hugetlb : PAGE);
}

void backing_need_wp(const struct backing *b)
{
	if (b->hugetlb)
		need_hugetlb_wp(b->hugetlb);
	else if (b->file)
		need_shmem_wp();
	else
		need_anon_wp();
}

void area_register(struct area *a, __u64 features, __u64 mode)
{
	if (mode & UFFDIO_REGISTER_MODE_WP)
		backing_need_wp(a->backing);
	a->uffd = uffd_open(features);
	REQUIRE_EQ(uffd_register(a->uffd, a->map, a->size, mode, NULL), 0);
}

void area_arm(struct area *a, const struct backing *b, size_t pages, __u64 features)
{
	area_open(a, b, pages);
	area_register(a, features, UFFDIO_REGISTER_MODE_WP);
}

char *area_map_again(const struct area *a)
{
	char *map;

	SETUP_MSG(a->fd >= 0 || a->backing->shared, "private anonymous memory cannot be mapped again");
	map = a->fd >= 0 ? mmap(NULL, a->size, PROT_READ | PROT_WRITE, map_flags(a->backing) | MAP_NORESERVE, a->fd, 0)
			 : mremap(a->alias, 0, a->size, MREMAP_MAYMOVE);
	SETUP(map != MAP_FAILED);
	return map;
}

void area_close(struct area *a)
{
	if (a->uffd >= 0)
		close(a->uffd);
	if (a->fd >= 0)
		close(a->fd);
	munmap(a->map, a->size);
	if (a->alias)
		munmap(a->alias, a->size);
}

char *area_page(const struct area *a, size_t page)
{
	return a->map + page * a->page;
}

size_t area_count(const struct area *a, uint64_t set, uint64_t clear)
{
	return pm_count(a->map, a->size / PAGE, set, clear) / (a->page / PAGE);
}

int area_wp(const struct area *a, size_t first, size_t pages)
{
	return uffd_writeprotect(a->uffd, area_page(a, first), pages * a->page, UFFDIO_WRITEPROTECT_MODE_WP);
}

int area_unwp(const struct area *a, size_t first, size_t pages)
{
	return uffd_writeprotect(a->uffd, area_page(a, first), pages * a->page, 0);
}

static char *alias_of(const struct area *a, const void *addr)
{
	SETUP_MSG(a->alias, "%s has no alias", a->backing->name);
	return a->alias + ((const char *)addr - a->map);
}

/* The whole alias: a fault maps what is around it, too. What madvise() refuses for hugetlbfs is done by mapping again. */
static void alias_drop(const struct area *a)
{
	if (!a->backing->hugetlb)
		SETUP(!madvise(a->alias, a->size, MADV_DONTNEED));
	else
		SETUP(mmap(a->alias, a->size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE | MAP_FIXED, a->fd, 0)
		      == a->alias);
}

uint64_t alias_get(const struct area *a, const void *addr)
{
	char *at = alias_of(a, addr);
	uint64_t value = touch_read(at);

	alias_drop(a);
	return value;
}

void alias_set(const struct area *a, const void *addr, uint64_t value)
{
	char *at = alias_of(a, addr);

	touch_write(at, value);
	alias_drop(a);
}

uint64_t file_value(size_t page)
{
	return 0xF11E000000000000ULL + page;
}

void area_fill_file(const struct area *a, size_t first, size_t pages)
{
	for (size_t i = first; i < first + pages; i++)
		alias_set(a, area_page(a, i), file_value(i));
}

void touch_read_all(const struct area *a, size_t first, size_t pages)
{
	for (size_t i = first; i < first + pages; i++)
		touch_read(area_page(a, i));
}

void touch_write_all(const struct area *a, size_t first, size_t pages)
{
	for (size_t i = first; i < first + pages; i++)
		touch_write(area_page(a, i), file_value(i));
}

/*
 * Whether the file has huge pages: map one where no userfaultfd keeps it from that, and no page table does, which a
 * mapping has from then on in which small pages were once.
 */
static bool file_is_huge(const struct area *a, size_t page)
{
	char *map = area_map_again(a);
	bool huge;

	touch_read(map + page * a->page);
	huge = smaps_kb(map, "ShmemPmdMapped") > 0;
	SETUP(!munmap(map, a->size));
	return huge;
}

/*
 * Memory in pieces has no huge page to give until it is compacted, in the fault as well: pages that wait in the lists
 * of a CPU keep blocks from being whole. Only what is not there yet becomes a huge page.
 */
static void again_in_huge_pages(const struct area *a, size_t first, size_t pages)
{
	if (file_is_huge(a, first))
		return;
	set_file("/sys/kernel/mm/transparent_hugepage/defrag", "always");
	file_write("/proc/sys/vm/compact_memory", "1");		/* a kernel that cannot compact has no such file */
	SETUP(!fallocate(a->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)(first * a->page), pages * a->page));
	touch_write_all(a, first, pages);
}

/* khugepaged takes page tables away behind any check: since 6.6 it needs no mmap_lock for that. */
static bool all_present(const struct area *a, size_t first, size_t pages)
{
	size_t entries = pages * a->page / PAGE;

	for (int tries = 0; tries < 10; tries++) {
		if (pm_count(area_page(a, first), entries, PM_PRESENT, 0) == entries)
			return true;
		touch_write_all(a, first, pages);
	}
	return false;
}

void populate(const struct area *a, size_t first, size_t pages)
{
	touch_write_all(a, first, pages);
	if (a->backing->huge)
		again_in_huge_pages(a, first, pages);
	SETUP_MSG(all_present(a, first, pages), "pages are not present after a write");
	SETUP_MSG(!a->backing->huge || file_is_huge(a, first), "the kernel made no huge page for %s", a->backing->name);
}
