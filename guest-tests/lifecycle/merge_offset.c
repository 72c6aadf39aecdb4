// SPDX-License-Identifier: GPL-2.0
/*
 * The rest of a mapping is registered, or its registration ends, beside another mapping of the same file: they
 * become one only where the file goes on from the one to the other.
 * Needs: REGISTER on shmem.
 * Fails on a kernel that takes the offset of the mapping for that of the range: pages of the file appear where
 * others belong.
 */
#include "access.h"
#include "backing.h"
#include "ktap.h"
#include "uffd.h"

#define PIECE 4		/* pages of each mapping */
#define REST 2		/* of the first one, at its end */

/* Two mappings side by side: of the file's first pages, and from page @second on. */
struct pair {
	struct area a;
	char *first, *second;
	size_t offset;
};

static void map_at(const struct pair *p, char *to, size_t page)
{
	const int flags = (p->a.backing->shared ? MAP_SHARED : MAP_PRIVATE) | MAP_FIXED;

	SETUP(mmap(to, PIECE * PAGE, PROT_READ | PROT_WRITE, flags, p->a.fd, (off_t)(page * PAGE)) == to);
}

static void lay_out(struct pair *p, const struct backing *b, size_t offset)
{
	area_open(&p->a, b, 2 * PIECE);
	area_fill_file(&p->a, 0, p->a.pages);
	p->offset = offset;
	p->first = mmap(NULL, 2 * PIECE * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	SETUP(p->first != MAP_FAILED);
	p->second = p->first + PIECE * PAGE;
	map_at(p, p->first, 0);
	map_at(p, p->second, offset);
	p->a.uffd = uffd_open(0);
}

static void watch(const struct pair *p, char *from, size_t pages)
{
	REQUIRE_EQ(uffd_register(p->a.uffd, from, pages * PAGE, UFFDIO_REGISTER_MODE_MISSING, NULL), 0);
}

static void judge(const struct pair *p)
{
	for (size_t i = 0; i < PIECE; i++) {
		EXPECT_EQ(touch_read(p->first + i * PAGE), file_value(i));
		EXPECT_EQ(touch_read(p->second + i * PAGE), file_value(p->offset + i));
	}
}

/* At 2 the second one begins where the whole first one would, had it but its rest; at 4 they do belong together. */
static const size_t offsets[] = { REST, PIECE };

static void on_register(const struct backing *b)
{
	for (size_t i = 0; i < sizeof(offsets) / sizeof(*offsets); i++) {
		struct pair p;

		lay_out(&p, b, offsets[i]);
		watch(&p, p.second, PIECE);
		watch(&p, p.first + (PIECE - REST) * PAGE, REST);
		judge(&p);
	}
}
CASE_ON(BACKINGS_FD, "L23_merge-offset-register", on_register);

static void on_unregister(const struct backing *b)
{
	for (size_t i = 0; i < sizeof(offsets) / sizeof(*offsets); i++) {
		struct pair p;

		lay_out(&p, b, offsets[i]);
		watch(&p, p.first, PIECE);
		REQUIRE_EQ(uffd_unregister(p.a.uffd, p.first + (PIECE - REST) * PAGE, REST * PAGE), 0);
		judge(&p);
	}
}
CASE_ON(BACKINGS_FD, "L23_merge-offset-unregister", on_unregister);
