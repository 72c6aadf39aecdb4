// SPDX-License-Identifier: GPL-2.0
/*
 * When page tables for a sparse range cannot be had, WRITEPROTECT says so: it never returns 0 with
 * pages left unprotected, and a second try succeeds. An error means that nothing is protected; newer kernels, those
 * with WP_UNPOPULATED, may have protected a part of the range by then.
 * Needs: REGISTER(WP) on shmem or hugetlbfs, FAULT_INJECTION, FAIL_PAGE_ALLOC and FAULT_INJECTION_DEBUG_FS, debugfs.
 * Fails on a kernel that drops the error on the way (mainline before 6.3), or protects before it has all tables.
 */
#include <errno.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "access.h"
#include "backing.h"
#include "ktap.h"
#include "proc.h"
#include "settings.h"
#include "trap.h"
#include "uffd.h"

#define DEBUGFS "/sys/kernel/debug"
#define FAIL DEBUGFS "/fail_page_alloc/"
#define TABLES 64

static void need_fault_injection(void)
{
	if (access(DEBUGFS "/fail_page_alloc", F_OK))
		mount("debugfs", DEBUGFS, "debugfs", 0, NULL);
	if (access(FAIL "probability", F_OK) || access("/proc/self/make-it-fail", F_OK))
		SKIP("CONFIG_FAIL_PAGE_ALLOC: " FAIL " is not there");
}

/* One allocation in @interval of this task fails, GFP_KERNEL ones too. */
static void inject(const char *interval)
{
	set_file(FAIL "ignore-gfp-wait", "N");
	set_file(FAIL "min-order", "0");
	set_file(FAIL "task-filter", "Y");
	set_file(FAIL "verbose", "0");
	set_file(FAIL "interval", interval);
	set_file(FAIL "times", "-1");
	set_file(FAIL "probability", "100");
}

static int wp_failing(struct area *a)
{
	int err;

	SETUP(file_write("/proc/self/make-it-fail", "1"));
	err = area_wp(a, 0, a->pages);
	SETUP(file_write("/proc/self/make-it-fail", "0"));
	return err;
}

/* How many are protected of the pages that are looked at: one in @step. */
static size_t protected_of(const struct area *a, size_t step)
{
	size_t n = 0;

	for (size_t i = 0; i < a->pages; i += step)
		n += (pm(area_page(a, i)) & PM_UFFD_WP) != 0;
	return n;
}

/* A range of TABLES page tables, none of which is there; @step pages are within one table. */
static void fails_and_succeeds(struct area *a, size_t step)
{
	const size_t all = (a->pages + step - 1) / step;
	const size_t most = uffd_offered() & UFFD_FEATURE_WP_UNPOPULATED ? all - 1 : 0;
	int failed = 0;

	area_register(a, 0, UFFDIO_REGISTER_MODE_WP);
	inject("7");
	for (int round = 0; round < TABLES; round++) {
		int err = wp_failing(a);

		if (!err) {
			EXPECT_EQ(protected_of(a, step), all);
			break;
		}
		EXPECT_EQ(err, -ENOMEM);
		EXPECT_MSG(protected_of(a, step) <= most, "%zu of %zu pages are protected after ENOMEM",
			   protected_of(a, step), all);
		failed++;
	}
	SETUP_MSG(failed, "no allocation failed");
	REQUIRE_EQ(area_wp(a, 0, a->pages), 0);
	EXPECT_EQ(protected_of(a, step), all);
	for (size_t i = 0; i < a->pages; i += a->pages / 8 + 1)
		EXPECT_TRAPS(a, area_page(a, i));
}

static void enomem(const struct backing *b)
{
	size_t table = (b->hugetlb ? b->hugetlb : PAGE) * 512;
	struct area a;

	backing_need_wp(b);
	need_fault_injection();
	area_open_aligned(&a, b, TABLES * 512, table);
	fails_and_succeeds(&a, 97);
}
CASE_ON(((const struct backing *const []){
	&memfd_shared, &memfd_private, &anon_shared, &hugetlb_shared, &hugetlb_private, NULL }), "X01_enomem", enomem);
