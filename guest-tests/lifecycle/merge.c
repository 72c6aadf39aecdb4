// SPDX-License-Identifier: GPL-2.0
/*
 * A registration ends where what is left of the vma can become one with its neighbours: whatever they are
 * registered for, exactly the pages that it ends for lose their protection.
 * Needs: REGISTER(WP) on shmem or hugetlbfs, or write protection of anonymous memory.
 * Fails on a kernel that asks the merged vma, and not the range, what there is to lift: bits and markers
 * stay behind, or go where they were to stay.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "access.h"
#include "backing.h"
#include "ktap.h"
#include "proc.h"
#include "trap.h"
#include "uffd.h"

#define PIECES 3

/* What each piece is registered for: protected, missing pages only, nothing. */
enum { PROTECTED, MISSING, NOTHING, KINDS };

/* Pages of a piece, and of one of huge pages: of those there are few. */
#define MOST 6
#define FEW 3
#define LAYOUTS (KINDS * KINDS * KINDS)

struct layout {
	struct area a;
	size_t piece;		/* pages */
	int kind[PIECES];
	char text[PIECES + 1];
	bool clean[PIECES * MOST];	/* the registration has ended for these pages */
};

static void lay_out(struct layout *l, const struct backing *b, int number)
{
	static const __u64 mode[] = { UFFDIO_REGISTER_MODE_WP, UFFDIO_REGISTER_MODE_MISSING };

	memset(l, 0, sizeof(*l));
	backing_need_wp(b);
	l->piece = b->hugetlb ? FEW : MOST;
	area_open(&l->a, b, PIECES * l->piece);
	l->a.uffd = uffd_open(0);
	if (b->file)
		area_fill_file(&l->a, 0, l->a.pages);	/* nothing is missing */
	for (size_t i = 0; i < l->a.pages; i++)
		if (!b->file || i % 3 == 0)
			touch_write(area_page(&l->a, i), i);
	for (int i = 0; i < PIECES; i++, number /= KINDS) {
		char *start = area_page(&l->a, i * l->piece);

		l->kind[i] = number % KINDS;
		l->text[i] = "WM-"[l->kind[i]];
		if (l->kind[i] != NOTHING)
			REQUIRE_EQ(uffd_register(l->a.uffd, start, l->piece * l->a.page, mode[l->kind[i]], NULL), 0);
		if (l->kind[i] == PROTECTED)
			REQUIRE_EQ(area_wp(&l->a, i * l->piece, l->piece), 0);
	}
}

static bool is_protected(const struct layout *l, size_t page)
{
	return l->kind[page / l->piece] == PROTECTED && !l->clean[page];
}

/* Whether pagemap shows the bits, of anonymous memory too: what has them for files has. */
static bool bits_are_shown(void)
{
	static int shown = -1;
	struct area a;

	if (shown < 0) {
		area_arm(&a, &anon, 1, 0);
		touch_write(a.map, 1);
		SETUP(!area_wp(&a, 0, 1));
		shown = !!(pm(a.map) & PM_UFFD_WP);
		area_close(&a);
	}
	return shown;
}

static void judge_bits(const struct layout *l, const char *what)
{
	for (size_t i = 0; bits_are_shown() && i < l->a.pages; i++) {
		uint64_t entry = pm(area_page(&l->a, i));

		EXPECT_MSG(!!(entry & PM_UFFD_WP) == is_protected(l, i), "%s of %s: page %zu: pagemap %#llx",
			   what, l->text, i, (unsigned long long)entry);
	}
}

/* Writes to some pages; to more of them where pagemap does not tell. */
static void judge_writes(const struct layout *l)
{
	const size_t step = bits_are_shown() ? 5 : 2;

	for (size_t i = 1; i < l->a.pages; i += step)
		if (is_protected(l, i))
			EXPECT_TRAPS(&l->a, area_page(&l->a, i));
		else
			EXPECT_NO_TRAP(&l->a, area_page(&l->a, i));
}

/* Now, and when all of it is registered again with what is protected as it is. */
static void judge(struct layout *l, const char *what)
{
	judge_bits(l, what);
	if (l->a.uffd < 0)
		l->a.uffd = uffd_open(0);
	for (size_t i = 0; i < l->a.pages; i += l->piece)
		REQUIRE_EQ(uffd_register(l->a.uffd, area_page(&l->a, i), l->piece * l->a.page, UFFDIO_REGISTER_MODE_WP,
					 NULL), 0);
	judge_bits(l, what);
	judge_writes(l);
}

static void end_of(struct layout *l, size_t first, size_t pages)
{
	for (size_t i = first; i < first + pages; i++)
		l->clean[i] = true;
}

static void unregister(struct layout *l, size_t first, size_t pages)
{
	REQUIRE_EQ(uffd_unregister(l->a.uffd, area_page(&l->a, first), pages * l->a.page), 0);
	end_of(l, first, pages);
}

static void drop_wp(struct layout *l, size_t first, size_t pages)
{
	REQUIRE_EQ(uffd_register(l->a.uffd, area_page(&l->a, first), pages * l->a.page, UFFDIO_REGISTER_MODE_MISSING,
				 NULL), 0);
	end_of(l, first, pages);
}

/* The ranges for which it ends, in thirds of a piece: each piece, the middle of one, across borders, and all. */
static const struct {
	size_t first, size;
} ranges[] = {
	{ 0, 3 }, { 3, 3 }, { 6, 3 }, { 4, 1 }, { 2, 2 }, { 1, 7 }, { 0, 6 }, { 3, 6 }, { 0, 9 },
};

#define RANGES (sizeof(ranges) / sizeof(*ranges))

static void each_layout(const struct backing *b, const char *what,
			void (*end)(struct layout *l, size_t first, size_t pages))
{
	for (int number = 0; number < LAYOUTS; number++) {
		const size_t r = (size_t)number % RANGES;	/* each range with three of the layouts */
		struct layout l;

		for (size_t turn = 0; turn < (b->hugetlb ? 1 : RANGES); turn += 4) {	/* huge pages take long to clear */
			const size_t pick = (r + turn) % RANGES;

			lay_out(&l, b, number);
			end(&l, ranges[pick].first * l.piece / 3, ranges[pick].size * l.piece / 3);
			judge(&l, what);
			area_close(&l.a);
		}
	}
}

static void by_unregister(const struct backing *b)
{
	each_layout(b, "UNREGISTER", unregister);
}
CASE_ON(BACKINGS_ALL_SMALL, "L21_merge-unregister", by_unregister);
CASE_ON(BACKINGS_HUGETLB, "L21_merge-unregister", by_unregister);

static void by_register(const struct backing *b)
{
	need_drop_wp();
	each_layout(b, "REGISTER", drop_wp);
}
CASE_ON(BACKINGS_ALL_SMALL, "L21_merge-drop-wp", by_register);
CASE_ON(BACKINGS_HUGETLB, "L21_merge-drop-wp", by_register);

static void close_all(struct layout *l, size_t first, size_t pages)
{
	(void)first, (void)pages;
	close(l->a.uffd);
	l->a.uffd = -1;
	end_of(l, 0, l->a.pages);
}

static void by_close(const struct backing *b)
{
	for (int number = 0; number < LAYOUTS; number++) {
		struct layout l;

		lay_out(&l, b, number);
		close_all(&l, 0, l.a.pages);
		judge(&l, "close");
		area_close(&l.a);
	}
}
CASE_ON(BACKINGS_ALL_SMALL, "L21_merge-close", by_close);
CASE_ON(BACKINGS_HUGETLB, "L21_merge-close", by_close);
