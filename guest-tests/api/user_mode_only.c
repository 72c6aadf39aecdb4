// SPDX-License-Identifier: GPL-2.0
/*
 * UFFD_USER_MODE_ONLY: a userfaultfd that does not handle faults of the kernel itself.
 * Needs: kernels before 5.11 do not know the flag and refuse it. Current selftests and
 * tools open no descriptor without it.
 * A failure means: the flag is taken but kernel faults still wait for the handler, or
 * user faults no longer do.
 */
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "access.h"
#include "backing.h"
#include "ktap.h"
#include "trap.h"
#include "uffd.h"

static int open_user_mode_only(void)
{
	int fd;

	uffd_offered();		/* SKIP without userfaultfd */
	fd = uffd_create(UFFD_USER_MODE_ONLY);
	if (fd == -EINVAL)
		SKIP("UFFD_USER_MODE_ONLY: userfaultfd(2): %s", strerror(EINVAL));
	REQUIRE_MSG(fd >= 0, "userfaultfd(UFFD_USER_MODE_ONLY): %s", strerror(-fd));
	REQUIRE_EQ(uffd_api(fd, 0, NULL), 0);
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

/* A fault taken by the kernel fails with EFAULT, and nobody hears of it. */
static void check_kernel_fault(struct area *a)
{
	struct uffd_msg msg;
	int ends[2];

	SETUP(!pipe(ends));
	SETUP(write(ends[1], "data", 4) == 4);
	errno = 0;
	EXPECT_EQ(read(ends[0], a->map, 4), -1);
	EXPECT_EQ(errno, EFAULT);
	EXPECT(!uffd_next(a->uffd, &msg));
}

static void user_mode_only(void)
{
	struct area a;

	area_open(&a, &anon, 2);
	a.uffd = open_user_mode_only();
	REQUIRE_EQ(uffd_register(a.uffd, a.map, a.size, UFFDIO_REGISTER_MODE_MISSING, NULL), 0);
	check_kernel_fault(&a);
	check_user_fault(&a);
}
CASE("A04_user-mode-only", user_mode_only);
