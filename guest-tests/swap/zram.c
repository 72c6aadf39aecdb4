// SPDX-License-Identifier: GPL-2.0
/*
 * Swap on a device that reads and writes at once (SWP_SYNCHRONOUS_IO) takes a path of its own, past
 * the swap cache: the protection comes through there, too, and through swapoff.
 * Needs: REGISTER(WP) on shmem, CONFIG_SWAP, CONFIG_ZRAM.
 * Fails on a kernel that loses the uffd-wp flag of a swap entry in do_swap_page() or unuse_pte()
 * on that path, or drops markers there.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/swap.h>
#include <unistd.h>

#include "access.h"
#include "backing.h"
#include "force.h"
#include "ktap.h"
#include "proc.h"
#include "sweep.h"
#include "trap.h"

#define PAGES 32
#define DEVICE "/dev/zram0"
#define SYSFS "/sys/block/zram0/"
#define DISK_PAGES 4096

/* What mkswap(8) writes: version 1, the last page, the magic. */
static void make_swap(const char *device)
{
	uint32_t page[PAGE / 4] = { 0 };
	int fd = open(device, O_RDWR | O_CLOEXEC);

	SETUP(fd >= 0);
	page[256] = 1;
	page[257] = DISK_PAGES - 1;
	memcpy((char *)page + PAGE - 10, "SWAPSPACE2", 10);
	SETUP(pwrite(fd, page, sizeof(page), 0) == sizeof(page));
	SETUP(!fsync(fd));
	close(fd);
}

/* An earlier run may have died with the device in use. */
static void zram_off(void)
{
	swapoff(DEVICE);
	SETUP(file_write(SYSFS "reset", "1"));
}

/* The device is preferred to any other swap. */
static void zram_on(void)
{
	if (access(SYSFS, F_OK))
		SKIP("CONFIG_ZRAM: " SYSFS " is not there");
	zram_off();
	SETUP(file_write(SYSFS "disksize", "16M"));
	make_swap(DEVICE);
	SETUP(!swapon(DEVICE, SWAP_FLAG_PREFER | 32767));
}

/* Pages that lie on the device. */
static long zram_pages(void)
{
	char text[200];
	long bytes = 0;

	SETUP(file_read(SYSFS "mm_stat", text, sizeof(text)));
	bytes = atol(text);
	return bytes / (long)PAGE;
}

static void swap_out_to_zram(struct area *a)
{
	long before = zram_pages();

	touch_write_all(a, 0, PAGES);
	REQUIRE_EQ(area_wp(a, 0, PAGES), 0);
	swap_out(a, 0, PAGES);
	SETUP_MSG(zram_pages() >= before + PAGES, "the pages are not on the zram device");
	EXPECT_EQ(pm_count(a->map, PAGES, PM_UFFD_WP, PM_PRESENT), PAGES);
}

static void zram_sync_io(const struct backing *b)
{
	struct area a;

	area_arm(&a, b, PAGES, 0);
	zram_on();
	swap_out_to_zram(&a);
	for (size_t i = 0; i < PAGES; i += 2) {
		EXPECT_READS(&a, area_page(&a, i));
		EXPECT_EQ(touch_read(area_page(&a, i)), file_value(i));
	}
	EXPECT_EQ(pm_count(a.map, PAGES, PM_UFFD_WP, 0), PAGES);
	EXPECT_ALL_TRAP(&a, 0, PAGES);
	swap_out_to_zram(&a);
	SETUP(!swapoff(DEVICE));
	EXPECT_EQ(pm_count(a.map, PAGES, PM_UFFD_WP, 0), PAGES);
	EXPECT_EQ(touch_read(a.map), file_value(0));
	EXPECT_ALL_TRAP(&a, 0, PAGES);
	zram_off();
}
CASE_ON(BACKINGS_SMALL, "S08_zram-sync-io", zram_sync_io);
