// SPDX-License-Identifier: GPL-2.0
/*
 * When page tables for a sparse range cannot be had, WRITEPROTECT says so: it never returns 0 with
 * pages left unprotected, and a second try succeeds.
 * Needs: REGISTER(WP) on shmem, FAULT_INJECTION, FAIL_PAGE_ALLOC and FAULT_INJECTION_DEBUG_FS, debugfs.
 * Fails on a kernel that drops the error on the way (mainline before 6.3).
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
#define SIZE (TABLES * HUGE)

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

static void enomem(const struct backing *b)
{
	int failed = 0;
	struct area a;

	need_shmem_wp();
	need_fault_injection();
	area_open_aligned(&a, b, SIZE / PAGE, HUGE);
	area_register(&a, 0, UFFDIO_REGISTER_MODE_WP);
	inject("7");
	for (int round = 0; round < TABLES; round++) {
		int err = wp_failing(&a);

		if (!err) {
			EXPECT_EQ(pm_count(a.map, a.pages, PM_UFFD_WP, 0), a.pages);
			break;
		}
		EXPECT_EQ(err, -ENOMEM);
		EXPECT(pm_count(a.map, a.pages, PM_UFFD_WP, 0) < a.pages);
		failed++;
	}
	SETUP_MSG(failed, "no allocation failed");
	REQUIRE_EQ(area_wp(&a, 0, a.pages), 0);
	EXPECT_EQ(pm_count(a.map, a.pages, PM_UFFD_WP, 0), a.pages);
	for (size_t i = 0; i < a.pages; i += a.pages / 8 + 1)
		EXPECT_TRAPS(&a, area_page(&a, i));
}
CASE_ON(((const struct backing *const []){ &memfd_shared, &memfd_private, &anon_shared, NULL }), "X01_enomem", enomem);
