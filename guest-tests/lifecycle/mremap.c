// SPDX-License-Identifier: GPL-2.0
/*
 * mremap moves the protection to the new address if the userfaultfd follows it (EVENT_REMAP),
 * and leaves none there if not; what grows is new, what was cut off is forgotten, and a
 * duplicate of a shared mapping begins unprotected.
 * Needs: REGISTER(WP) on shmem, for half of the cases UFFD_FEATURE_EVENT_REMAP; some a swap device.
 * Fails on a kernel that moves page tables with their bits into a mapping without userfaultfd
 * (mainline before 6.13), or loses bits and markers on the way.
 */
#include <errno.h>
#include <string.h>

#include "access.h"
#include "backing.h"
#include "force.h"
#include "ktap.h"
#include "peer.h"
#include "proc.h"
#include "trap.h"
#include "uffd.h"

#define PAGES 12

/* A third mapped, a third markers over pages, a third not protected and not mapped. */
static void protect(struct area *a, const struct backing *b, __u64 features, size_t align)
{
	size_t third = PAGES / 3;

	need_shmem_wp();
	area_open_aligned(a, b, align == HUGE ? 2 * HUGE / PAGE : PAGES, align);
	area_register(a, features, UFFDIO_REGISTER_MODE_WP);
	area_fill_file(a, 0, PAGES);
	touch_read_all(a, 0, third);
	REQUIRE_EQ(area_wp(a, 0, 2 * third), 0);
}

/* Address space of the size of the area at the alignment, to move to. */
static char *room(size_t size, size_t align)
{
	char *map = mmap(NULL, size + 2 * align, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	SETUP(map != MAP_FAILED);
	return (char *)(((uintptr_t)map + align) / align * align);
}

/* The area follows its mapping. */
static void move_to(struct area *a, char *to, size_t size)
{
	char *old = a->map;

	SETUP(mremap(a->map, a->size, size, MREMAP_MAYMOVE | MREMAP_FIXED, to) == to);
	a->map = to;
	a->size = size;
	a->pages = size / PAGE;
	if (old != to)
		EXPECT_EQ(pm_count(old, PAGES, PM_UFFD_WP, 0), 0);
}

static void move_with_event(struct area *a, char *to, size_t size)
{
	const struct uffd_msg *msg;
	struct event event;
	char *from = a->map;

	event_begin(&event, a->uffd);
	move_to(a, to, size);
	msg = event_end(&event, UFFD_EVENT_REMAP);
	EXPECT_EQ(msg->arg.remap.from, (uintptr_t)from);
	EXPECT_EQ(msg->arg.remap.to, (uintptr_t)to);
}

static void judge_none(struct area *a)
{
	EXPECT_EQ(pm_count(a->map, a->pages, PM_UFFD_WP, 0), 0);
	for (int i = 0; i < PAGES; i++) {
		EXPECT_EQ(touch_read(area_page(a, i)), file_value(i));
		EXPECT_NO_TRAP(a, area_page(a, i));
	}
	/* Not even a new userfaultfd finds any of it. */
	REQUIRE_EQ(uffd_register(a->uffd, a->map, a->size, UFFDIO_REGISTER_MODE_WP, NULL), 0);
	EXPECT_EQ(pm_count(a->map, a->pages, PM_UFFD_WP, 0), 0);
	for (int i = 0; i < PAGES; i++)
		EXPECT_NO_TRAP(a, area_page(a, i));
}

static void judge_all(struct area *a)
{
	EXPECT_EQ(pm_count(a->map, a->pages, PM_UFFD_WP, 0), PAGES / 3 * 2);
	for (int i = 0; i < PAGES; i++) {
		EXPECT_EQ(touch_read(area_page(a, i)), file_value(i));
		if (i < PAGES / 3 * 2)
			EXPECT_TRAPS(a, area_page(a, i));
		else
			EXPECT_NO_TRAP(a, area_page(a, i));
	}
}

static void without_event(const struct backing *b)
{
	struct area a;

	protect(&a, b, 0, PAGE);
	move_to(&a, room(a.size, HUGE) + 5 * PAGE, a.size);
	judge_none(&a);
}
CASE_ON(BACKINGS_SMALL, "L09_mremap-noevent", without_event);

static void with_event(const struct backing *b)
{
	struct area a;

	protect(&a, b, UFFD_FEATURE_EVENT_REMAP, PAGE);
	move_with_event(&a, room(a.size, HUGE) + 5 * PAGE, a.size);
	judge_all(&a);
}
CASE_ON(BACKINGS_SMALL, "L10_mremap-event", with_event);

/* The protected mapped pages lie in swap while they move. */
static void swap_out_mapped(struct area *a)
{
	touch_write_all(a, PAGES / 3 * 2, PAGES / 3);
	if (!a->backing->shared)	/* give it anonymous pages: those that swap entries are for */
		REQUIRE_EQ(area_unwp(a, 0, PAGES / 3), 0);
	if (!a->backing->shared)
		touch_write_all(a, 0, PAGES / 3);
	REQUIRE_EQ(area_wp(a, 0, PAGES / 3), 0);
	swap_out(a, 0, PAGES / 3);
}

static void swapped_without_event(const struct backing *b)
{
	struct area a;

	protect(&a, b, 0, PAGE);
	swap_out_mapped(&a);
	move_to(&a, room(a.size, HUGE) + 5 * PAGE, a.size);
	judge_none(&a);
}
CASE_ON(BACKINGS_SMALL, "L09_mremap-noevent-swapped", swapped_without_event);

static void swapped_with_event(const struct backing *b)
{
	struct area a;

	protect(&a, b, UFFD_FEATURE_EVENT_REMAP, PAGE);
	swap_out_mapped(&a);
	move_with_event(&a, room(a.size, HUGE) + 5 * PAGE, a.size);
	judge_all(&a);
}
CASE_ON(BACKINGS_SMALL, "L10_mremap-event-swapped", swapped_with_event);

/* Whole page tables change their place. */
static void tables_without_event(const struct backing *b)
{
	struct area a;

	protect(&a, b, 0, HUGE);
	move_to(&a, room(a.size, HUGE), a.size);
	judge_none(&a);
}
CASE_ON(BACKINGS_SMALL, "L11_mremap-2M-noevent", tables_without_event);

static void tables_with_event(const struct backing *b)
{
	struct area a;

	protect(&a, b, UFFD_FEATURE_EVENT_REMAP, HUGE);
	move_with_event(&a, room(a.size, HUGE), a.size);
	judge_all(&a);
}
CASE_ON(BACKINGS_SMALL, "L11_mremap-2M-event", tables_with_event);

/* The area's mapping covers the first half of its file, and address space for the second is free. */
static void protect_half(struct area *a, const struct backing *b, __u64 features)
{
	need_shmem_wp();
	area_open_aligned(a, b, 2 * PAGES, HUGE);
	SETUP(!munmap(area_page(a, PAGES), PAGES * PAGE));
	a->size /= 2;
	a->pages /= 2;
	area_register(a, features, UFFDIO_REGISTER_MODE_WP);
	touch_write_all(a, 0, PAGES / 2);
	REQUIRE_EQ(area_wp(a, 0, PAGES), 0);
}

/* The first @old pages are protected, the other ones of the area are not. */
static void judge_grown(struct area *a, size_t old)
{
	EXPECT_EQ(pm_count(a->map, a->pages, PM_UFFD_WP, 0), old);
	EXPECT_EQ(pm_count(a->map, old, PM_UFFD_WP, 0), old);
	for (size_t i = 0; i < a->pages; i++)
		if (i < old)
			EXPECT_TRAPS(a, area_page(a, i));
		else
			EXPECT_NO_TRAP(a, area_page(a, i));
}

static void resize(struct area *a, size_t pages)
{
	SETUP(mremap(a->map, a->size, pages * PAGE, 0) == a->map);
	a->pages = pages;
	a->size = pages * PAGE;
}

static void grow(const struct backing *b)
{
	struct area a;

	protect_half(&a, b, 0);
	resize(&a, 2 * PAGES);
	judge_grown(&a, PAGES);
}
CASE_ON(BACKINGS_SMALL, "L12_mremap-grow", grow);

static void grow_and_move(const struct backing *b)
{
	struct area a;

	protect_half(&a, b, UFFD_FEATURE_EVENT_REMAP);
	move_with_event(&a, room(2 * a.size, HUGE) + 3 * PAGE, 2 * a.size);
	judge_grown(&a, PAGES);
}
CASE_ON(BACKINGS_SMALL, "L12_mremap-grow-move", grow_and_move);

static void shrink_and_grow(const struct backing *b)
{
	struct area a;

	protect_half(&a, b, 0);
	resize(&a, PAGES / 3);
	resize(&a, PAGES);
	judge_grown(&a, PAGES / 3);
}
CASE_ON(BACKINGS_SMALL, "L13_mremap-shrink-grow", shrink_and_grow);

static void judge_duplicate(const struct area *a, char *twin)
{
	EXPECT_EQ(pm_count(twin, PAGES, PM_UFFD_WP, 0), 0);
	for (size_t i = 0; i < PAGES; i++) {
		EXPECT_EQ(touch_read(twin + i * PAGE), file_value(i));
		EXPECT_EQ(touch_once(WRITES, twin + i * PAGE, file_value(i)), COMPLETED);
	}
	EXPECT_EQ(pm_count(a->map, PAGES, PM_UFFD_WP, 0), PAGES / 3 * 2);
	for (size_t i = 0; i < PAGES / 3 * 2; i++)
		EXPECT_TRAPS(a, area_page(a, i));
}

static void duplicate(const struct backing *b)
{
	struct area a;
	char *twin;

	protect(&a, b, 0, PAGE);
	twin = mremap(a.map, 0, a.size, MREMAP_MAYMOVE);
	SETUP(twin != MAP_FAILED);
	judge_duplicate(&a, twin);
}
CASE_ON(BACKINGS_SHARED_SMALL, "L14_mremap-dup", duplicate);

static void duplicate_with_event(const struct backing *b)
{
	struct event event;
	struct area a;
	char *twin;

	protect(&a, b, UFFD_FEATURE_EVENT_REMAP, PAGE);
	event_begin(&event, a.uffd);
	twin = mremap(a.map, 0, a.size, MREMAP_MAYMOVE);
	SETUP(twin != MAP_FAILED);
	event_end(&event, UFFD_EVENT_REMAP);
	judge_duplicate(&a, twin);
}
CASE_ON(BACKINGS_SHARED_SMALL, "L14_mremap-dup-event", duplicate_with_event);

/* Refused for file mappings before 5.13, and nothing changes; else the pages leave and the place stays. */
static void dont_unmap(const struct backing *b)
{
	struct area a;
	char *twin;

	protect(&a, b, 0, PAGE);
	twin = mremap(a.map, a.size, a.size, MREMAP_MAYMOVE | MREMAP_DONTUNMAP);
	if (twin == MAP_FAILED) {
		EXPECT_EQ(errno, EINVAL);
		judge_all(&a);
		return;
	}
	EXPECT_EQ(pm_count(a.map, PAGES, 0, PM_PRESENT | PM_UFFD_WP), PAGES);
	EXPECT_EQ(pm_count(twin, PAGES, PM_UFFD_WP, 0), 0);
	for (size_t i = 0; i < PAGES; i++) {
		EXPECT_NO_TRAP(&a, area_page(&a, i));
		EXPECT_EQ(touch_once(WRITES, twin + i * PAGE, i), COMPLETED);
	}
}
CASE_ON(BACKINGS_SHARED_SMALL, "L18_dontunmap", dont_unmap);
