// SPDX-License-Identifier: GPL-2.0
/*
 * What the kernel checked about swap entries while it booted: the userfaultfd marker survives in an
 * entry of this machine's layout, and the tests of page table helpers ran without a warning.
 * Needs: DEBUG_VM_PGTABLE, and a kernel log that still reaches back to boot.
 * Fails on a kernel whose encoding of the marker meets a real entry on this machine.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/klog.h>

#include "ktap.h"

#define READ_ALL 3
#define BUFFER_SIZE 10

static char *kernel_log(void)
{
	int size = klogctl(BUFFER_SIZE, NULL, 0);
	char *text = calloc(1, (size_t)size + 1);

	SETUP(size > 0 && text);
	SETUP(klogctl(READ_ALL, text, size) > 0);
	return text;
}

static void boot_check(void)
{
	char *log = kernel_log(), *tests = strstr(log, "Validating architecture page table helpers"), *warning;

	EXPECT(!strstr(log, "no write protection of files"));
	if (!tests)
		SKIP("CONFIG_DEBUG_VM_PGTABLE: the kernel log has nothing of it");
	warning = strstr(tests, "mm/debug_vm_pgtable.c");
	EXPECT_MSG(!warning, "%.100s", warning);
}
CASE("X02_boot-check", boot_check);
