// SPDX-License-Identifier: GPL-2.0
/*
 * Huge pages of a System V segment are hugetlbfs under other vm operations: they are protected like those of a file.
 * Needs: REGISTER(WP) on hugetlbfs, huge pages, SYSVIPC.
 * Fails on a kernel that knows hugetlbfs by its operations: it refuses the range, or takes its pages for small ones.
 */
#include <errno.h>
#include <string.h>
#include <sys/shm.h>

#include "access.h"
#include "backing.h"
#include "hugetlb.h"
#include "ktap.h"
#include "proc.h"
#include "trap.h"
#include "uffd.h"

#define PAGES 4

static void attach(struct area *a)
{
	int id;

	hugetlb_pool(HUGE, PAGES);
	id = shmget(IPC_PRIVATE, PAGES * HUGE, 0600 | IPC_CREAT | SHM_HUGETLB | SHM_NORESERVE);
	if (id < 0 && errno == ENOSYS)
		SKIP("CONFIG_SYSVIPC: shmget(2): %s", strerror(ENOSYS));
	SETUP_MSG(id >= 0, "shmget(2): %s", strerror(errno));
	*a = (struct area){
		.backing = &hugetlb_shared, .uffd = -1, .fd = -1, .page = HUGE, .pages = PAGES, .size = PAGES * HUGE,
		.map = shmat(id, NULL, 0),
	};
	SETUP(!shmctl(id, IPC_RMID, NULL));
	SETUP(a->map != (char *)-1);
}

static void protected_segment(void)
{
	struct area a;

	attach(&a);
	area_register(&a, 0, UFFDIO_REGISTER_MODE_WP);
	touch_write(a.map, 1);
	touch_write(area_page(&a, 3), 1);
	EXPECT_EQ(uffd_writeprotect(a.uffd, a.map, PAGE, UFFDIO_WRITEPROTECT_MODE_WP), -EINVAL);
	REQUIRE_EQ(area_wp(&a, 0, 3), 0);
	SETUP(!madvise(a.map, HUGE, MADV_REMOVE));
	SETUP(!mprotect(area_page(&a, 1), HUGE, PROT_READ));	/* a split, and back */
	SETUP(!mprotect(area_page(&a, 1), HUGE, PROT_READ | PROT_WRITE));
	EXPECT_EQ(area_count(&a, PM_UFFD_WP, 0), 3);
	for (int i = 0; i < 3; i++)
		EXPECT_TRAPS(&a, area_page(&a, i));
	EXPECT_NO_TRAP(&a, area_page(&a, 3));
	REQUIRE_EQ(area_wp(&a, 0, 1), 0);
	REQUIRE_EQ(uffd_unregister(a.uffd, a.map, a.size), 0);
	EXPECT_EQ(area_count(&a, PM_UFFD_WP, 0), 0);
	EXPECT_NO_TRAP(&a, a.map);
	SETUP(!shmdt(a.map));
}
CASE("H24_sysv", protected_segment);
