// SPDX-License-Identifier: GPL-2.0
/*
 * R14: protected pages are taken offline, softly (their content moves) and for good (they are
 * poisoned), while the range is being protected: a moved page stays protected, a poisoned one gives
 * SIGBUS and no message, and its neighbours are as they were.
 * Needs: REGISTER(WP) on shmem, MEMORY_FAILURE, root.
 * Fails on a kernel that takes a poison entry for a marker, or loses W on the way.
 */
#include <errno.h>
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
