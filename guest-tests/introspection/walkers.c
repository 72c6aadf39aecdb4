// SPDX-License-Identifier: GPL-2.0
/*
 * Everything that walks page tables from outside meets markers that come and go: no crash, no wait,
 * no lost protection.
 * Needs: REGISTER(WP) on shmem. Interfaces a kernel does not have (numa_maps, page_idle) are left out.
 * Fails on a kernel with a walker that takes a marker for something else.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "access.h"
#include "backing.h"
#include "ktap.h"
#include "proc.h"
#include "trap.h"
#include "uffd.h"

#define PAGES 1024	/* 4 MB: two page tables */
#define KEPT 64		/* the first pages are always protected */

struct churn {
	pthread_t thread;
	struct area *area;
	bool stop;
	long rounds;
	int error;
};

/* Markers come (WP of holes, zap of protected pages) and go (un-WP, reads). */
static void *churn(void *arg)
{
	struct churn *c = arg;
	struct area *a = c->area;

	for (; !c->error && !__atomic_load_n(&c->stop, __ATOMIC_ACQUIRE); c->rounds++) {
		size_t at = KEPT + c->rounds * 128 % (PAGES - KEPT - 128);

		c->error = area_wp(a, KEPT, PAGES - KEPT);
		touch_read_all(a, at, 128);
		madvise(area_page(a, at), 64 * PAGE, c->rounds % 4 ? MADV_DONTNEED : MADV_REMOVE);
		c->error = c->error ?: area_unwp(a, at, 128);
	}
	return NULL;
}

static void read_all(const char *path)
{
	static char text[65536];
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	while (fd >= 0 && read(fd, text, sizeof(text)) > 0)
		;
	if (fd >= 0)
		close(fd);
}

static void read_pagemap(const struct area *a)
{
	static uint64_t entries[PAGES];
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);

	SETUP(pread(fd, entries, sizeof(entries), (uintptr_t)a->map / PAGE * 8) == sizeof(entries));
	close(fd);
	for (int i = 0; i < KEPT; i++)
		REQUIRE_MSG(entries[i] & PM_UFFD_WP, "page %d has lost its protection: %#llx", i,
			    (unsigned long long)entries[i]);
	ktap_held();
}

static void page_idle(const struct area *a)
{
	uint64_t frame = pm(a->map) & PM_FRAME, all = ~0ULL;
	int fd = open("/sys/kernel/mm/page_idle/bitmap", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return;
	if (pwrite(fd, &all, 8, frame / 64 * 8) != 8 || pread(fd, &all, 8, frame / 64 * 8) != 8)
		SETUP_MSG(errno == ENXIO, "page_idle: %s", strerror(errno));
	close(fd);
}

static void move_pages_status(const struct area *a)
{
	static void *addrs[PAGES];
	static int status[PAGES];

	for (int i = 0; i < PAGES; i++)
		addrs[i] = area_page(a, i);
	if (syscall(SYS_move_pages, 0, PAGES, addrs, NULL, status, 0))
		SETUP_MSG(errno == ENOSYS, "move_pages: %s", strerror(errno));
}

/* Without MPOL_MF_STRICT; 3: MPOL_INTERLEAVE, then MPOL_DEFAULT. */
static void mbind_all(const struct area *a)
{
	unsigned long nodes = 3;

	syscall(SYS_mbind, a->map, a->size, 3, &nodes, 8, MPOL_MF_MOVE);
	syscall(SYS_mbind, a->map, a->size, 0, NULL, 0, 0);
}

static void advise_all(const struct area *a)
{
	static const int advice[] = { MADV_COLD, MADV_PAGEOUT, MADV_WILLNEED, MADV_HUGEPAGE, MADV_NOHUGEPAGE };

	for (size_t i = 0; i < sizeof(advice) / sizeof(*advice); i++)
		madvise(a->map, a->size, advice[i]);
}

static void walk_all(const struct area *a, int round)
{
	static const char *const files[] = { "smaps", "smaps_rollup", "numa_maps", "maps", NULL };
	static unsigned char in[PAGES];
	char path[40], what[] = { '1' + round % 5, 0 };

	for (int i = 0; files[i]; i++) {
		snprintf(path, sizeof(path), "/proc/self/%s", files[i]);
		read_all(path);
	}
	file_write("/proc/self/clear_refs", what);
	SETUP(!mincore(a->map, a->size, in));
	page_idle(a);
	move_pages_status(a);
	mbind_all(a);
	advise_all(a);
	read_pagemap(a);
}

static void walkers(const struct backing *b)
{
	struct churn c = { 0 };
	struct area a;
	double end;
	int round;

	need_shmem_wp();
	area_open_aligned(&a, b, PAGES, HUGE);
	area_register(&a, 0, UFFDIO_REGISTER_MODE_WP);
	touch_write_all(&a, 0, KEPT / 2);
	REQUIRE_EQ(area_wp(&a, 0, KEPT), 0);
	c.area = &a;
	SETUP(!pthread_create(&c.thread, NULL, churn, &c));
	end = ktap_now() + ktap_budget() / 5;
	for (round = 0; round < 5 || ktap_now() < end; round++)
		walk_all(&a, round);
	__atomic_store_n(&c.stop, true, __ATOMIC_RELEASE);
	pthread_join(c.thread, NULL);
	EXPECT_EQ(c.error, 0);
	ktap_diag("%d walks, %ld rounds of churn", round, c.rounds);
	EXPECT_EQ(pm_count(a.map, KEPT, PM_UFFD_WP, 0), KEPT);
	for (int i = 0; i < KEPT; i += 5)
		EXPECT_TRAPS(&a, area_page(&a, i));
}
CASE_BUDGET_ON(((const struct backing *const []){ &memfd_shared, &memfd_private, NULL }), "N09_walkers", walkers);
