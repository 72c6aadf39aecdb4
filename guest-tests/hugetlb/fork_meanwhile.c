// SPDX-License-Identifier: GPL-2.0
/*
 * A process with protected huge pages forks, over and over, while another one maps the same GB of the file anew and may
 * find the half-made page table of a child to share: each page is mapped once in it, and free again in the end.
 * Needs: REGISTER(WP) on hugetlbfs, huge pages; newer kernels HUGETLB_PMD_PAGE_TABLE_SHARING.
 * Fails on a kernel that copies to a child's page table what a process that shares it has put there meanwhile: the
 * page is counted twice, and never given back, which the kernel takes for a BUG. The moment is short: to meet it takes a
 * delay before the lock, see huge-fork-looks-before-lock among the faults.
 */
#include <sys/wait.h>
#include <unistd.h>

#include "access.h"
#include "backing.h"
#include "hugetlb.h"
#include "ktap.h"
#include "peer.h"
#include "share.h"
#include "uffd.h"

#define PAGES (GIANT / HUGE)
#define USED 64

static uint64_t map_for_a_while(void *area, uint64_t times)
{
	const struct area *a = area;

	while (times--) {
		SETUP(mmap(a->map, a->size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE | MAP_FIXED, a->fd, 0)
		      == a->map);
		touch_read_all(a, 0, USED);
	}
	return 0;
}

static void fork_once(void)
{
	int status;
	pid_t pid = fork();

	SETUP(pid >= 0);
	if (!pid)
		_exit(0);
	SETUP(waitpid(pid, &status, 0) == pid);
	REQUIRE_EQ(status, 0);
}

static void forked_meanwhile(void)
{
	double end = ktap_now() + ktap_budget();
	unsigned int forks = 0;
	struct peer other;
	struct area a;
	long free;

	need_hugetlb_wp(HUGE);
	area_open_aligned(&a, &hugetlb_shared, PAGES, GIANT);
	free = hugetlb_free(HUGE);
	peer_start(&other);
	need_shared(&a, &other, 0);
	touch_write_all(&a, 0, USED);
	area_register(&a, 0, UFFDIO_REGISTER_MODE_WP);
	REQUIRE_EQ(area_wp(&a, 0, PAGES), 0);
	do {
		peer_post(&other, map_for_a_while, &a, 100);
		do {
			fork_once();
			forks++;
		} while (!peer_answered(&other));
		EXPECT_EQ(peer_result(&other), 0);
	} while (ktap_now() < end);
	EXPECT_EQ(peer_end(&other), 0);
	area_close(&a);
	ktap_diag("%u forks, %ld huge pages lost", forks, free - hugetlb_free(HUGE));
	EXPECT_EQ(hugetlb_free(HUGE), free);
}
CASE_BUDGET("H26_fork-meanwhile", forked_meanwhile);
