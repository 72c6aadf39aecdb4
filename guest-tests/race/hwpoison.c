// SPDX-License-Identifier: GPL-2.0
/*
 * R14: protected pages are taken offline, softly (their content moves) and for good (they are
 * poisoned), while the range is being protected: a moved page stays protected, a poisoned one gives
 * SIGBUS and no message, and its neighbours are as they were.
 * Needs: REGISTER(WP) on shmem, or on hugetlbfs and huge pages, MEMORY_FAILURE, root.
 * Fails on a kernel that takes a poison entry for a marker, or loses W on the way, or after it.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>

#include "access.h"
#include "backing.h"
#include "ktap.h"
#include "proc.h"
#include "trap.h"

#ifndef MADV_HWPOISON
#define MADV_HWPOISON 100
#endif
#ifndef MADV_SOFT_OFFLINE
#define MADV_SOFT_OFFLINE 101
#endif

#define PAGES 32
#define POISONED 3

struct looper {
	pthread_t thread;
	struct area *area;
	bool stop;
	int error;
};

static void *protect_on(void *arg)
{
	struct looper *l = arg;

	while (!l->error && !__atomic_load_n(&l->stop, __ATOMIC_ACQUIRE))
		l->error = area_wp(l->area, 0, PAGES);
	return NULL;
}

static void take_offline(struct area *a)
{
	for (int i = 4; i < 12; i++)
		if (madvise(area_page(a, i), PAGE, MADV_SOFT_OFFLINE))
			SETUP_MSG(errno == EBUSY || errno == EIO, "MADV_SOFT_OFFLINE: %s", strerror(errno));
	SETUP(!madvise(area_page(a, POISONED), PAGE, MADV_HWPOISON));
}

static void hwpoison(const struct backing *b)
{
	struct looper l = { 0 };
	struct area a;

	area_arm(&a, b, PAGES, 0);
	touch_write_all(&a, 0, PAGES);
	REQUIRE_EQ(area_wp(&a, 0, PAGES), 0);
	if (madvise(a.map, PAGE, MADV_SOFT_OFFLINE) && errno == EINVAL)
		SKIP("CONFIG_MEMORY_FAILURE: MADV_SOFT_OFFLINE: %s", strerror(EINVAL));
	l.area = &a;
	SETUP(!pthread_create(&l.thread, NULL, protect_on, &l));
	take_offline(&a);
	__atomic_store_n(&l.stop, true, __ATOMIC_RELEASE);
	pthread_join(l.thread, NULL);
	EXPECT_EQ(l.error, 0);
	EXPECT_EQ(touch_once(READS, area_page(&a, POISONED), 0), GOT_SIGBUS);
	for (int i = 0; i < PAGES; i++)
		if (i != POISONED) {
			EXPECT_PM(area_page(&a, i), PM_UFFD_WP, 0);
			EXPECT_EQ(touch_read(area_page(&a, i)), file_value(i));
			EXPECT_TRAPS(&a, area_page(&a, i));
		}
}
CASE_BUDGET_ON(((const struct backing *const []){ &memfd_shared, &memfd_private, NULL }), "R14_hwpoison", hwpoison);

/*
 * What comes in the place of a poisoned page is as protected as that was. A shared huge page would be lost to the pool
 * for good, a private one is taken apart, and all but one small page of it can be used again.
 */
static void replaced(const struct backing *b)
{
	struct area a;
	char *bad;

	area_arm(&a, b, 4, 0);
	bad = area_page(&a, 1);
	populate(&a, 0, 3);
	REQUIRE_EQ(area_wp(&a, 0, 2), 0);
	if (madvise(bad, a.page, MADV_HWPOISON) && errno == EINVAL)
		SKIP("CONFIG_MEMORY_FAILURE: MADV_HWPOISON: %s", strerror(EINVAL));
	SETUP_MSG(touch_once(READS, bad, 0) == GOT_SIGBUS, "no page was poisoned");
	EXPECT_PM(bad, PM_UFFD_WP, PM_PRESENT);
	SETUP(!fallocate(a.fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, (off_t)a.size));
	EXPECT_PM(bad, PM_UFFD_WP, PM_PRESENT);
	EXPECT_EQ(touch_once(READS, bad, 0), COMPLETED);
	EXPECT_PM(bad, PM_UFFD_WP | PM_PRESENT, 0);
	EXPECT_TRAPS(&a, a.map);
	EXPECT_TRAPS(&a, bad);
	EXPECT_NO_TRAP(&a, area_page(&a, 2));
}
CASE_ON(((const struct backing *const []){ &memfd_shared, &memfd_private, &hugetlb_private, NULL }),
	"R14_hwpoison-replaced", replaced);
