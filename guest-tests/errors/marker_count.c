// SPDX-License-Identifier: GPL-2.0
/*
 * The kernel counts the markers in all its page tables: as many as there should be while a range is
 * protected, and none of them left when the protection, the registration or the mapping ends.
 * Needs: REGISTER(WP) on shmem or hugetlbfs, and the patch under patches/instrumentation with UFFD_WP_MARKER_CHECK.
 * Fails on a kernel that leaves markers in page tables, or frees a table that has some.
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "access.h"
#include "backing.h"
#include "ktap.h"
#include "proc.h"
#include "uffd.h"

#define COUNTER "/sys/kernel/debug/uffd_wp_markers"
static const struct backing *const COUNTED[] = {
	&memfd_shared, &memfd_private, &tmpfs_file, &anon_shared, &hugetlb_shared, &hugetlb_private, NULL };

/* Of two or three page tables; of huge pages as many as there are. */
static size_t pages(const struct backing *b)
{
	return b->hugetlb ? 16 : 1024;
}

static size_t mapped(const struct backing *b)
{
	return b->hugetlb ? 4 : 16;
}

static long markers(void)
{
	long installed, cleared, lost;
	char text[128];

	if (!file_read(COUNTER, text, sizeof(text)))
		SKIP("CONFIG_UFFD_WP_MARKER_CHECK: " COUNTER " is not there");
	SETUP(sscanf(text, "installed %ld cleared %ld lost %ld", &installed, &cleared, &lost) == 3);
	EXPECT_MSG(!lost, "%ld markers were in page tables that were freed", lost);
	return installed - cleared;
}

/* Take the pages away, and leave the mapping. */
static void empty(const struct area *a, size_t n)
{
	if (a->backing->hugetlb)
		SETUP(!fallocate(a->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, (off_t)(n * a->page)));
	else
		SETUP(!madvise(a->map, n * a->page, MADV_DONTNEED));
}

static void protect(struct area *a, const struct backing *b)
{
	long before = markers(), all = (long)pages(b), some = (long)mapped(b);

	area_arm(a, b, all, 0);
	touch_write_all(a, 0, some);
	REQUIRE_EQ(area_wp(a, 0, all), 0);
	EXPECT_EQ(markers() - before, all - some);
	touch_read_all(a, some, some);
	EXPECT_EQ(markers() - before, all - 2 * some);
	empty(a, 2 * some);
	EXPECT_EQ(markers() - before, all);
	touch_read_all(a, 0, some);
}

static void by_unwp(struct area *a)
{
	REQUIRE_EQ(area_unwp(a, 0, a->pages), 0);
}

static void by_unregister(struct area *a)
{
	REQUIRE_EQ(uffd_unregister(a->uffd, a->map, a->size), 0);
}

static void by_close(struct area *a)
{
	SETUP(!close(a->uffd));
	a->uffd = -1;
}

static void by_munmap(struct area *a)
{
	SETUP(!munmap(a->map, a->size));
}

static void by_map_fixed(struct area *a)
{
	SETUP(mmap(a->map, a->size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == a->map);
}

static void by_mremap(struct area *a)
{
	char *to = mmap(NULL, a->size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	SETUP(to != MAP_FAILED);
	SETUP(mremap(a->map, a->size, a->size, MREMAP_MAYMOVE | MREMAP_FIXED, to) == to);
}

static void by_shrinking(struct area *a)
{
	SETUP(mremap(a->map, a->size, PAGE, 0) == a->map);
}

static void by_exit(struct area *a)
{
	(void)a;
	_exit(0);
}

static void by_exec(struct area *a)
{
	(void)a;
	dup2(open("/dev/null", O_WRONLY), STDOUT_FILENO);
	execl("/proc/self/exe", "exec", "-l", NULL);
	_exit(127);
}

static const struct {
	const char *name;
	void (*end)(struct area *a);
	bool process;
	bool moves;	/* which hugetlbfs refuses */
} endings[] = {
	{ "UFFDIO_WRITEPROTECT", .end = by_unwp },
	{ "UFFDIO_UNREGISTER", .end = by_unregister },
	{ "close", .end = by_close },
	{ "munmap", .end = by_munmap },
	{ "MAP_FIXED", .end = by_map_fixed },
	{ "mremap", .end = by_mremap, .moves = true },
	{ "mremap to less", .end = by_shrinking, .moves = true },
	{ "exit", .end = by_exit, .process = true },
	{ "exec", .end = by_exec, .process = true },
};

static void end_in_child(const struct backing *b, void (*end)(struct area *a))
{
	struct area a;
	pid_t pid = fork();

	SETUP(pid >= 0);
	if (!pid) {
		protect(&a, b);
		end(&a);
	}
	SETUP(waitpid(pid, NULL, 0) == pid);
}

static void count(const struct backing *b)
{
	for (size_t i = 0; i < sizeof(endings) / sizeof(*endings); i++) {
		long before = markers(), left;
		struct area a;

		if (endings[i].moves && b->hugetlb)
			continue;
		if (endings[i].process) {
			end_in_child(b, endings[i].end);
		} else {
			protect(&a, b);
			endings[i].end(&a);
		}
		left = markers() - before;
		EXPECT_MSG(!left, "%ld markers are left after %s", left, endings[i].name);
	}
}
CASE_ON(COUNTED, "X03_mark-count", count);

/* A child without the event gets none of them, and leaves those of its parent alone. */
static void fork_and_exit(const struct backing *b)
{
	long before = markers(), left = (long)(pages(b) - mapped(b));
	struct area a;
	pid_t pid;

	protect(&a, b);
	EXPECT_EQ(markers() - before, left);
	pid = fork();
	SETUP(pid >= 0);
	if (!pid) {
		EXPECT_EQ(markers() - before, left);
		touch_read_all(&a, 0, a.pages);
		_exit(0);
	}
	SETUP(waitpid(pid, NULL, 0) == pid);
	EXPECT_EQ(markers() - before, left);
}
CASE_ON(COUNTED, "X03_mark-fork", fork_and_exit);
