// SPDX-License-Identifier: GPL-2.0
/*
 * KSM looks for equal pages where some are protected: what it makes one stays protected, or is left alone.
 * Needs: write protection of anonymous memory, or REGISTER(WP) on shmem; KSM.
 * Fails on a kernel that forgets the protection of a page when it puts a shared one in its place: the next
 * write is not reported.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "access.h"
#include "backing.h"
#include "ktap.h"
#include "proc.h"
#include "settings.h"
#include "trap.h"
#include "uffd.h"

#define KSM "/sys/kernel/mm/ksm/"
#define PAGES 16UL

static long ksm(const char *name)
{
	char path[64], text[32];

	snprintf(path, sizeof(path), KSM "%s", name);
	SETUP(file_read(path, text, sizeof(text)));
	return atol(text);
}

/* A page has to look the same twice before it is merged. */
static void ksm_scans(int rounds)
{
	long until;

	set_file(KSM "sleep_millisecs", "1");
	set_file(KSM "pages_to_scan", "10000");
	set_file(KSM "run", "1");
	until = ksm("full_scans") + rounds;
	while (ksm("full_scans") < until)
		usleep(1000);
}

static void equal(const struct backing *b)
{
	struct area a;

	backing_need_wp(b);
	if (access(KSM "run", F_OK))
		SKIP("CONFIG_KSM: %s is not there", KSM);
	area_arm(&a, b, PAGES, 0);
	for (size_t i = 0; i < PAGES; i++)
		memset(area_page(&a, i), 7, PAGE);
	REQUIRE_EQ(area_wp(&a, PAGES / 2, PAGES / 2), 0);	/* the others come first, and find one another */
	SETUP(!madvise(a.map, a.size, MADV_MERGEABLE));
	ksm_scans(5);
	SETUP(ksm("pages_sharing") > 0);	/* the others were merged, or nothing was looked at */
	for (size_t i = 0; i < PAGES / 2; i++)
		EXPECT_NO_TRAP(&a, area_page(&a, i));
	for (size_t i = PAGES / 2; i < PAGES; i++)
		EXPECT_TRAPS(&a, area_page(&a, i));
}
static const struct backing *const backings[] = { &anon, &memfd_private, NULL };
CASE_ON(backings, "P15_ksm", equal);
