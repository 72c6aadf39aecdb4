// SPDX-License-Identifier: GPL-2.0
/*
 * R18: a userfaultfd is closed while another process writes to the memory that it guards, in one call that
 * pins many pages, the last of which is protected.
 * Needs: REGISTER(WP) on shmem, or write protection of anonymous memory; CROSS_MEMORY_ATTACH.
 * Fails on a kernel in which whoever pins asks again and again, without letting go of mmap_lock, for the page
 * that close() is to make writable once it gets that lock.
 */
#include <errno.h>
#include <string.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "access.h"
#include "backing.h"
#include "ktap.h"
#include "peer.h"
#include "uffd.h"

#define PAGES 1024UL	/* what process_vm_writev(2) pins at once */
#define ROUNDS 20

static char data[PAGES * PAGE];

/* Write to the parent's pages at @addr, all in one call; whoever can do no more is to die of it. */
static uint64_t write_to_parent(void *addr, uint64_t size)
{
	struct iovec local = { data, size }, remote = { addr, size };
	ssize_t done;

	memset(data, 1, size);
	alarm((unsigned int)(ktap_limit() / 10) + 1);
	done = process_vm_writev(getppid(), &local, 1, &remote, 1, 0);
	alarm(0);
	return done < 0 ? (uint64_t)-errno : (uint64_t)done;
}

/* Close the userfaultfd @after seconds from when the peer began. Returns the seconds that its call took. */
static double one_round(const struct backing *b, struct peer *p, double after)
{
	struct area a;
	double begin;

	area_arm(&a, b, PAGES, 0);
	touch_write(area_page(&a, PAGES - 1), 1);
	REQUIRE_EQ(area_wp(&a, PAGES - 1, 1), 0);
	begin = ktap_now();
	peer_post(p, write_to_parent, a.map, a.size);
	while (ktap_now() < begin + after)
		;
	close(a.uffd);
	a.uffd = -1;
	REQUIRE_EQ(peer_result(p), a.size);	/* of a peer that died, this says so */
	begin = ktap_now() - begin;
	EXPECT_EQ(touch_read(area_page(&a, PAGES - 1)), 0x0101010101010101UL);
	area_close(&a);
	return begin;
}

static void close_during_pin(const struct backing *b)
{
	double end = ktap_now() + ktap_budget(), whole;
	struct peer p;
	long rounds;

	backing_need_wp(b);
	if (process_vm_writev(getpid(), NULL, 0, NULL, 0, 0) < 0 && errno == ENOSYS)
		SKIP("CONFIG_CROSS_MEMORY_ATTACH: process_vm_writev(2): %s", strerror(ENOSYS));
	peer_start(&p);
	whole = one_round(b, &p, 0);
	for (rounds = 1; rounds < ROUNDS || ktap_now() < end; rounds++)
		whole = one_round(b, &p, whole * (double)(rounds % ROUNDS) / ROUNDS);
	ktap_diag("%ld rounds, the last one of %.1f ms", rounds, whole * 1e3);
	peer_end(&p);
}
static const struct backing *const backings[] = { &anon, &memfd_shared, &memfd_private, NULL };
CASE_BUDGET_ON(backings, "R18_close-during-pin", close_during_pin);
