// SPDX-License-Identifier: GPL-2.0
/*
 * Protection belongs to an address, not to the page of the file: a store through another mapping of
 * the same file goes through, whether in the same process, in a forked one, or in one that has
 * executed a program and knows nothing of userfaultfd. It is seen by who is protected, and changes
 * nothing for them.
 * Needs: REGISTER(WP) on shmem.
 * Fails on a kernel that keeps the protection in the page or in the page cache, or that takes it
 * away when the page changes.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "access.h"
#include "backing.h"
#include "ktap.h"
#include "peer.h"
#include "proc.h"
#include "sweep.h"
#include "trap.h"
#include "uffd.h"

#define PAGES 8
#define MARKERS 4	/* of these, the last ones are protected without being mapped */

/* Half of the pages mapped, half not; all protected. */
static void protect(struct area *a, const struct backing *b)
{
	area_open(a, b, PAGES);
	area_register(a, 0, UFFDIO_REGISTER_MODE_WP);
	area_fill_file(a, 0, PAGES);
	if (b->huge)
		populate(a, 0, PAGES);	/* sees that it is huge */
	touch_read_all(a, 0, PAGES - MARKERS);
	REQUIRE_EQ(area_wp(a, 0, PAGES), 0);
	touch_read_all(a, 0, PAGES - MARKERS);
	REQUIRE_EQ(pm_count(a->map, PAGES, PM_UFFD_WP, 0), PAGES);
}

/* Someone has stored the value in the page: it is seen here, nobody was told, and all is still protected. */
static void judge_store(const struct area *a, size_t page, uint64_t value)
{
	struct uffd_msg msg;

	EXPECT_PM(area_page(a, page), PM_UFFD_WP, 0);
	EXPECT_READS(a, area_page(a, page));
	EXPECT_EQ(touch_read(area_page(a, page)), value);
	EXPECT_PM(area_page(a, page), PM_UFFD_WP | PM_PRESENT, 0);
	EXPECT(!uffd_next(a->uffd, &msg));
}

static void same_process(const struct backing *b)
{
	struct area a;

	protect(&a, b);
	for (size_t i = 0; i < PAGES; i++) {
		uint64_t value = fresh_value();

		EXPECT_EQ(touch_once(WRITES, a.alias + i * PAGE, value), COMPLETED);
		judge_store(&a, i, value);
	}
	EXPECT_ALL_TRAP(&a, 0, PAGES);
}
CASE_ON(BACKINGS_FILE, "I01_alias", same_process);

/* The program that the executed process runs: a value to each page of the file that descriptor 0 is. */
static void __attribute__((constructor)) executed(int argc, char **argv)
{
	uint64_t *map;

	if (argc != 3 || strcmp(argv[0], "store-to-every-page"))
		return;
	map = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, 0, 0);
	for (size_t i = 0; map != MAP_FAILED && i < PAGES; i++)
		map[i * PAGE / 8] = strtoull(argv[1], NULL, 16) + i;
	_exit(map == MAP_FAILED);
}

static void run_other_program(const struct area *a, uint64_t base)
{
	char text[20];
	int status;
	pid_t pid;

	snprintf(text, sizeof(text), "%llx", (unsigned long long)base);
	pid = fork();
	SETUP(pid >= 0);
	if (!pid) {
		dup2(a->fd, 0);
		execl("/proc/self/exe", "store-to-every-page", text, "", NULL);
		_exit(127);
	}
	SETUP(waitpid(pid, &status, 0) == pid);
	REQUIRE_EQ(status, 0);
}

static void two_process(const struct backing *b)
{
	uint64_t base = fresh_value() << 8;
	struct peer forked;
	struct area a;

	protect(&a, b);
	run_other_program(&a, base);
	for (size_t i = 0; i < PAGES; i++)
		judge_store(&a, i, base + i);
	REQUIRE_EQ(uffd_writeprotect(a.uffd, a.map, a.size, UFFDIO_WRITEPROTECT_MODE_WP), 0);
	peer_start(&forked);
	for (size_t i = 0; i < PAGES; i++) {
		uint64_t value = fresh_value();

		EXPECT_EQ(peer_call(&forked, peer_write, a.alias + i * PAGE, value), COMPLETED);
		judge_store(&a, i, value);
		PEER_PM(&forked, area_page(&a, i), 0, PM_UFFD_WP);
		if (b->shared)
			PEER_WRITES(&forked, &a, area_page(&a, i));
	}
	EXPECT_EQ(peer_end(&forked), 0);
	EXPECT_EQ(pm_count(a.map, PAGES, PM_UFFD_WP, 0), PAGES);
	EXPECT_ALL_TRAP(&a, 0, PAGES);
}
static const struct backing *const PASSED_ON[] = { &memfd_shared, &memfd_private, &tmpfs_file, &thp_shmem, NULL };
CASE_ON(PASSED_ON, "I02_two-process", two_process);
