// SPDX-License-Identifier: GPL-2.0
/*
 * UFFD_USER_MODE_ONLY: a userfaultfd that does not handle faults of the kernel itself, nor does
 * that of a child which comes with the fork event.
 * Needs: kernels before 5.11 do not know the flag and refuse it. Current selftests and
 * tools open no descriptor without it. -fork EVENT_FORK, and write protection of anonymous memory.
 * A failure means: the flag is taken but kernel faults still wait for the handler, or
 * user faults no longer do; or flags that nobody knows are taken together with it.
 */
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "access.h"
#include "backing.h"
#include "ktap.h"
#include "oracle.h"
#include "peer.h"
#include "trap.h"
#include "uffd.h"

static int open_user_mode_only(__u64 features)
{
	int fd;

	uffd_offered();		/* SKIP without userfaultfd */
	fd = uffd_create(UFFD_USER_MODE_ONLY);
	if (fd == -EINVAL)
		SKIP("UFFD_USER_MODE_ONLY: userfaultfd(2): %s", strerror(EINVAL));
	REQUIRE_MSG(fd >= 0, "userfaultfd(UFFD_USER_MODE_ONLY): %s", strerror(-fd));
	REQUIRE_EQ(uffd_api(fd, features, NULL), 0);
	return fd;
}

/* The descriptor handles faults of user space as any other. */
static void check_user_fault(struct area *a)
{
	static char page[PAGE] = "filled by the handler";
	struct uffd_msg msg;
	struct touch t;

	touch_start(&t, READS, a->map + PAGE, 0);
	uffd_wait(a->uffd, &msg);
	EXPECT_EQ(msg.event, UFFD_EVENT_PAGEFAULT);
	REQUIRE_EQ(msg.arg.pagefault.address, (uintptr_t)a->map + PAGE);
	EXPECT(touch_asleep(&t));
	REQUIRE_EQ(uffd_copy(a->uffd, a->map + PAGE, page, PAGE, 0, NULL), 0);
	EXPECT_EQ(touch_end(&t), COMPLETED);
	EXPECT(!memcmp(a->map + PAGE, page, PAGE));
}

/* Have the kernel write there; 0 or errno. */
static uint64_t kernel_write(void *addr, uint64_t unused)
{
	int ends[2];

	(void)unused;
	SETUP(!pipe(ends));
	SETUP(write(ends[1], "data", 4) == 4);
	return read(ends[0], addr, 4) < 0 ? errno : 0;
}

/* A fault taken by the kernel fails with EFAULT, and nobody hears of it. */
static void check_kernel_fault(struct area *a)
{
	struct uffd_msg msg;

	EXPECT_EQ(kernel_write(a->map, 0), EFAULT);
	EXPECT(!uffd_next(a->uffd, &msg));
}

static void user_mode_only(void)
{
	struct area a;

	area_open(&a, &anon, 2);
	a.uffd = open_user_mode_only(0);
	REQUIRE_EQ(uffd_register(a.uffd, a.map, a.size, UFFDIO_REGISTER_MODE_MISSING, NULL), 0);
	check_kernel_fault(&a);
	check_user_fault(&a);
}
CASE("A04_user-mode-only", user_mode_only);

/* The userfaultfd of the child is one of user mode only, too. */
static void inherited(void)
{
	struct area a, seen;
	struct uffd_msg msg;
	struct peer child;

	need_anon_wp();
	area_open(&a, &anon, 2);
	a.uffd = open_user_mode_only(UFFD_FEATURE_EVENT_FORK);
	REQUIRE_EQ(uffd_register(a.uffd, a.map, a.size, UFFDIO_REGISTER_MODE_WP, NULL), 0);
	touch_write_all(&a, 0, 2);
	REQUIRE_EQ(area_wp(&a, 0, 2), 0);
	peer_start_event(&child, &a, &seen);
	peer_post(&child, kernel_write, a.map, 0);
	REQUIRE_MSG(!message_or_end(seen.uffd, child.answers, &msg), "the kernel's write to memory of the child waits");
	EXPECT_EQ(peer_result(&child), EFAULT);
	PEER_TRAPS(&child, &seen, a.map);
	PEER_TRAPS(&child, &seen, a.map + PAGE);
	EXPECT_EQ(peer_end(&child), 0);
}
CASE("A04_user-mode-only-fork", inherited);

/* Alone and together with UFFD_USER_MODE_ONLY. */
static void other_flags(void)
{
	const unsigned int known = UFFD_USER_MODE_ONLY | O_CLOEXEC | O_NONBLOCK;

	close(open_user_mode_only(0));
	for (int i = 0; i < 32; i++) {
		const int flag = (int)(1U << i);

		if ((unsigned int)flag & known)
			continue;
		EXPECT_MSG(uffd_create(flag) == -EINVAL, "userfaultfd(2) takes the flag %#x", flag);
		EXPECT_MSG(uffd_create(UFFD_USER_MODE_ONLY | flag) == -EINVAL,
			   "userfaultfd(2) takes the flag %#x beside UFFD_USER_MODE_ONLY", flag);
	}
}
CASE("A04_user-mode-only-flags", other_flags);
