// SPDX-License-Identifier: GPL-2.0
/*
 * R20: one thread writes to pages that are all there, and of which none is protected, while another one lifts
 * their protection, over and over; SIGBUS stands for what is reported.
 * Needs: REGISTER(WP) on shmem, or write protection of anonymous memory; UFFD_FEATURE_SIGBUS.
 * Fails on a kernel where a fault that comes while a page's entry is changed takes the page for missing: a
 * private copy is in no file, and would be reported, or made there.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "access.h"
#include "backing.h"
#include "ktap.h"
#include "loop.h"
#include "uffd.h"

#define PAGES 64

static sigjmp_buf back;

static void got_sigbus(int signal)
{
	siglongjmp(back, signal);
}

static void lift_all(void *arg)
{
	const struct area *a = arg;

	EXPECT_EQ(area_unwp(a, 0, PAGES), 0);
}

static void fill(const struct area *a)
{
	char *from = aligned_alloc(PAGE, PAGE);

	SETUP(from);
	for (size_t i = 0; i < PAGES; i++) {
		touch_write(from, file_value(i));
		SETUP(uffd_copy(a->uffd, area_page(a, i), from, PAGE, 0, NULL) == 0);
	}
	free(from);
}

/* Take write permission away and give it back: each write is a fault then. */
static void write_all(const struct area *a)
{
	SETUP(mprotect(a->map, a->size, PROT_READ) == 0);
	SETUP(mprotect(a->map, a->size, PROT_READ | PROT_WRITE) == 0);
	for (size_t i = 0; i < PAGES; i++)
		touch_write(area_page(a, i), file_value(i));
}

static void never_missing(const struct backing *b)
{
	double end = ktap_now() + ktap_budget();
	struct looper lifter;
	volatile unsigned long faults = 0;	/* after siglongjmp(), too */
	struct area a;

	backing_need_wp(b);
	area_open(&a, b, PAGES);
	area_register(&a, UFFD_FEATURE_SIGBUS, UFFDIO_REGISTER_MODE_MISSING | UFFDIO_REGISTER_MODE_WP);
	fill(&a);
	SETUP(signal(SIGBUS, got_sigbus) != SIG_ERR);
	loop_start(&lifter, lift_all, &a);
	if (sigsetjmp(back, 1) == 0)
		for (; ktap_now() < end; faults += PAGES)
			write_all(&a);
	else
		EXPECT_MSG(false, "SIGBUS for a page that is there, after %lu faults", faults);
	loop_end(&lifter);
	ktap_diag("%lu faults", faults);
	area_close(&a);
}
CASE_BUDGET_ON(BACKINGS_ALL_SMALL, "R20_never-missing", never_missing);

static long blocks_of(const struct area *a)
{
	struct stat file;

	SETUP(!fstat(a->fd, &file));
	return file.st_blocks;
}

/* Registered for write protection alone: what is written is the private copy, and the hole of the file stays one. */
static void never_filled(void)
{
	double end = ktap_now() + ktap_budget();
	struct looper lifter;
	unsigned long faults = 0;
	struct area a;

	backing_need_wp(&memfd_private);
	area_open(&a, &memfd_private, PAGES);
	touch_write_all(&a, 0, PAGES);
	SETUP(!fallocate(a.fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, (off_t)a.size));
	SETUP(blocks_of(&a) == 0);
	area_register(&a, 0, UFFDIO_REGISTER_MODE_WP);
	loop_start(&lifter, lift_all, &a);
	for (; ktap_now() < end && blocks_of(&a) == 0; faults += PAGES)
		write_all(&a);
	loop_end(&lifter);
	EXPECT_EQ(blocks_of(&a), 0);
	ktap_diag("%lu faults", faults);
	area_close(&a);
}
CASE_BUDGET("R20_never-filled", never_filled);
