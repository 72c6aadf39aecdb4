// SPDX-License-Identifier: GPL-2.0
/*
 * A device that mirrors the address space (HMM) reads through a marker: the page is faulted in, and
 * stays protected. So does a private page that has moved to the memory of the device and comes back, or
 * is dropped there.
 * Needs: REGISTER(WP) on shmem, TEST_HMM (/dev/hmm_dmirror0).
 * Fails on a kernel whose hmm_vma_handle_pte answers a marker with EFAULT, or whose zap of a device
 * private entry forgets that it was protected, or whose UFFDIO_WRITEPROTECT passes by such an entry.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "access.h"
#include "backing.h"
#include "ktap.h"
#include "proc.h"
#include "trap.h"

/* From lib/test_hmm_uapi.h. */
struct hmm_dmirror_cmd {
	__u64 addr;
	__u64 ptr;
	__u64 npages;
	__u64 cpages;
	__u64 faults;
};
#define HMM_DMIRROR_READ _IOWR('H', 0x00, struct hmm_dmirror_cmd)
#define HMM_DMIRROR_MIGRATE _IOWR('H', 0x02, struct hmm_dmirror_cmd)

#define DEVICE "/dev/hmm_dmirror0"
#define PAGES 4

/* 5.10 leaves it to user space to make the node. */
static void make_node(void)
{
	char text[4096], *line;
	unsigned int major;

	SETUP(file_read("/proc/devices", text, sizeof(text)));
	line = strstr(text, " HMM_DMIRROR");
	while (line && line > text && line[-1] != '\n')
		line--;
	if (line && sscanf(line, "%u", &major) == 1)
		SETUP(!mknod(DEVICE, S_IFCHR | 0600, makedev(major, 0)));
}

static int open_device(void)
{
	int device;

	if (access(DEVICE, F_OK))
		make_node();
	device = open(DEVICE, O_RDWR);
	if (device < 0)
		SKIP("CONFIG_TEST_HMM: " DEVICE ": %s", strerror(errno));
	return device;
}

static void mirror(const struct backing *b)
{
	static char copy[PAGES * PAGE];
	struct hmm_dmirror_cmd cmd = { .ptr = (uintptr_t)copy, .npages = PAGES };
	struct area a;
	int device;

	area_arm(&a, b, PAGES, 0);
	device = open_device();
	area_fill_file(&a, 0, PAGES);
	touch_read_all(&a, 0, PAGES / 2);
	REQUIRE_EQ(area_wp(&a, 0, PAGES), 0);
	SETUP(!madvise(a.map, a.size, MADV_DONTNEED));
	REQUIRE_EQ(pm_count(a.map, PAGES, PM_UFFD_WP, PM_PRESENT), PAGES);
	cmd.addr = (uintptr_t)a.map;
	EXPECT_EQ(ioctl(device, HMM_DMIRROR_READ, &cmd), 0);
	EXPECT_EQ(cmd.cpages, PAGES);
	for (size_t i = 0; i < PAGES; i++)
		EXPECT_EQ(touch_read(copy + i * PAGE), file_value(i));
	EXPECT_EQ(pm_count(a.map, PAGES, PM_UFFD_WP | PM_PRESENT, 0), PAGES);
	for (size_t i = 0; i < PAGES; i++)
		EXPECT_TRAPS(&a, area_page(&a, i));
	close(device);
}
CASE_ON(BACKINGS_SMALL, "N07_hmm", mirror);

static void in_device_memory(void)
{
	static char copy[PAGES * PAGE];
	struct hmm_dmirror_cmd cmd = { .ptr = (uintptr_t)copy, .npages = PAGES };
	struct area a;
	int device;

	area_arm(&a, &memfd_private, PAGES, 0);
	device = open_device();
	area_fill_file(&a, 0, PAGES);
	for (size_t i = 0; i < PAGES; i++)
		touch_write(area_page(&a, i), 100 + i);
	REQUIRE_EQ(area_wp(&a, 0, PAGES), 0);
	cmd.addr = (uintptr_t)a.map;
	SETUP(!ioctl(device, HMM_DMIRROR_MIGRATE, &cmd));
	SETUP(pm_count(a.map, PAGES, PM_SWAP, PM_PRESENT) == PAGES);
	EXPECT_EQ(pm_count(a.map, PAGES, PM_UFFD_WP, 0), PAGES);
	/* Half of them come back with their data, the others are gone and the file shows. */
	SETUP(!madvise(a.map, PAGES / 2 * PAGE, MADV_DONTNEED));
	EXPECT_EQ(pm_count(a.map, PAGES, PM_UFFD_WP, 0), PAGES);
	for (size_t i = 0; i < PAGES; i++)
		EXPECT_EQ(touch_read(area_page(&a, i)), i < PAGES / 2 ? file_value(i) : 100 + i);
	for (size_t i = 0; i < PAGES; i++)
		EXPECT_TRAPS(&a, area_page(&a, i));
	close(device);
}
CASE("N07_hmm-device", in_device_memory);

/* Protected, and released again, while the pages are in the device's memory: the write brings them back. */
static void protected_in_device_memory(void)
{
	static char copy[PAGES * PAGE];
	struct hmm_dmirror_cmd cmd = { .ptr = (uintptr_t)copy, .npages = PAGES };
	struct area a;
	int device;

	area_arm(&a, &memfd_private, PAGES, 0);
	device = open_device();
	for (size_t i = 0; i < PAGES; i++)
		touch_write(area_page(&a, i), 100 + i);
	cmd.addr = (uintptr_t)a.map;
	SETUP(!ioctl(device, HMM_DMIRROR_MIGRATE, &cmd));
	SETUP(pm_count(a.map, PAGES, PM_SWAP, PM_PRESENT) == PAGES);
	REQUIRE_EQ(area_wp(&a, 0, PAGES), 0);
	EXPECT_EQ(pm_count(a.map, PAGES, PM_SWAP | PM_UFFD_WP, PM_PRESENT), PAGES);
	REQUIRE_EQ(area_unwp(&a, 0, 1), 0);
	EXPECT_PM(a.map, PM_SWAP, PM_UFFD_WP);
	EXPECT_NO_TRAP(&a, a.map);
	for (size_t i = 1; i < PAGES; i++) {
		if (i > 1)	/* page 1 comes back by the write */
			EXPECT_EQ(touch_read(area_page(&a, i)), 100 + i);
		EXPECT_TRAPS(&a, area_page(&a, i));
	}
	close(device);
}
CASE("N07_hmm-device-protected", protected_in_device_memory);
