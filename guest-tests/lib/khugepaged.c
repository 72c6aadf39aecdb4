// SPDX-License-Identifier: GPL-2.0
/* Send khugepaged to work, or keep it from it, and see what it has done. */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "khugepaged.h"
#include "ktap.h"
#include "proc.h"
#include "settings.h"

#define THP "/sys/kernel/mm/transparent_hugepage/"

static void breathe(void)
{
	nanosleep(&(struct timespec){ 0, 2000000 }, NULL);
}

static bool eager;

/* A range with a hole is not collapsed then; one without is huge already, or never was to be. */
void khugepaged_quiet(void)
{
	if (!eager && !access(THP "khugepaged", F_OK))
		set_file(THP "khugepaged/max_ptes_none", "0");
}

void khugepaged_eager(void)
{
	eager = true;
	if (access(THP "khugepaged", F_OK))
		SKIP("CONFIG_TRANSPARENT_HUGEPAGE: " THP "khugepaged is not there");
	set_file(THP "khugepaged/max_ptes_none", "511");
	set_file(THP "khugepaged/max_ptes_swap", "64");
	set_file(THP "khugepaged/pages_to_scan", "16384");
	set_file(THP "khugepaged/alloc_sleep_millisecs", "0");
	set_file(THP "khugepaged/scan_sleep_millisecs", "0");
}

void khugepaged_eager_on_shmem(void)
{
	khugepaged_eager();
	set_file(THP "shmem_enabled", "advise");
}

static long number_in(const char *path)
{
	char text[64];

	SETUP_MSG(file_read(path, text, sizeof(text)), "%s: %s", path, strerror(errno));
	return atol(text);
}

/* One scan that began before the call does not count: wait for one more. */
void khugepaged_scans(int rounds)
{
	long end = number_in(THP "khugepaged/full_scans") + rounds + 1;

	while (number_in(THP "khugepaged/full_scans") < end)
		breathe();
}

long khugepaged_collapsed(void)
{
	return number_in(THP "khugepaged/pages_collapsed");
}
