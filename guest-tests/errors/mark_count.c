// SPDX-License-Identifier: GPL-2.0
/*
 * The kernel counts the marks in all its page tables: as many as there should be while a range is
 * protected, and none of them left when the protection, the registration or the mapping ends.
 * Needs: REGISTER(WP) on shmem, and the patch under patches/instrumentation with UFFD_WP_MARKER_CHECK.
 * Fails on a kernel that leaves marks in page tables, or frees a table that has some.
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
#define PAGES 1024UL	/* of two or three page tables */
#define MAPPED 16

static long marks(void)
{
	long installed, cleared, lost;
	char text[128];

	if (!file_read(COUNTER, text, sizeof(text)))
		SKIP("CONFIG_UFFD_WP_MARKER_CHECK: " COUNTER " is not there");
	SETUP(sscanf(text, "installed %ld cleared %ld lost %ld", &installed, &cleared, &lost) == 3);
	EXPECT_MSG(!lost, "%ld marks were in page tables that were freed", lost);
	return installed - cleared;
}

static void protect(struct area *a, const struct backing *b)
{
	long before = marks();

	area_arm(a, b, PAGES, 0);
	touch_write_all(a, 0, MAPPED);
	REQUIRE_EQ(area_wp(a, 0, PAGES), 0);
	EXPECT_EQ(marks() - before, PAGES - MAPPED);
	touch_read_all(a, MAPPED, MAPPED);
	EXPECT_EQ(marks() - before, PAGES - 2 * MAPPED);
	SETUP(!madvise(a->map, 2 * MAPPED * PAGE, MADV_DONTNEED));
	EXPECT_EQ(marks() - before, PAGES);
	touch_read_all(a, 0, MAPPED);
}

static void by_unwp(struct area *a)
{
	REQUIRE_EQ(area_unwp(a, 0, PAGES), 0);
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
} endings[] = {
	{ "UFFDIO_WRITEPROTECT", by_unwp, false },
	{ "UFFDIO_UNREGISTER", by_unregister, false },
	{ "close", by_close, false },
	{ "munmap", by_munmap, false },
	{ "MAP_FIXED", by_map_fixed, false },
	{ "mremap", by_mremap, false },
	{ "mremap to less", by_shrinking, false },
	{ "exit", by_exit, true },
	{ "exec", by_exec, true },
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
		long before = marks(), left;
		struct area a;

		if (endings[i].process) {
			end_in_child(b, endings[i].end);
		} else {
			protect(&a, b);
			endings[i].end(&a);
		}
		left = marks() - before;
		EXPECT_MSG(!left, "%ld marks are left after %s", left, endings[i].name);
	}
}
CASE_ON(BACKINGS_SMALL, "X03_mark-count", count);

/* A child without the event gets none of them, and leaves those of its parent alone. */
static void fork_and_exit(const struct backing *b)
{
	long before = marks();
	struct area a;
	pid_t pid;

	protect(&a, b);
	EXPECT_EQ(marks() - before, PAGES - MAPPED);
	pid = fork();
	SETUP(pid >= 0);
	if (!pid) {
		EXPECT_EQ(marks() - before, PAGES - MAPPED);
		touch_read_all(&a, 0, PAGES);
		_exit(0);
	}
	SETUP(waitpid(pid, NULL, 0) == pid);
	EXPECT_EQ(marks() - before, PAGES - MAPPED);
}
CASE_ON(BACKINGS_SMALL, "X03_mark-fork", fork_and_exit);
