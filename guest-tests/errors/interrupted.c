// SPDX-License-Identifier: GPL-2.0
/*
 * Signals do not interrupt WRITEPROTECT, unless they kill: a manager that has a timer does not get EINTR, and a
 * range that is protected in part.
 * Needs: REGISTER(WP) on shmem.
 * Fails on a kernel that gives up for any signal.
 */
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "access.h"
#include "backing.h"
#include "ktap.h"
#include "loop.h"
#include "proc.h"
#include "uffd.h"

#define PART (1UL << 30)	/* bytes protected at once */
#define PARTS 6

static volatile sig_atomic_t inside, met;

static void on_signal(int sig)
{
	(void)sig;
	if (inside)
		met++;
}

/* Some of what is sent comes while the caller is in the ioctl; it finds that out when it returns. */
static void send_signal(void *caller)
{
	SETUP(!syscall(SYS_tgkill, getpid(), *(pid_t *)caller, SIGUSR1));
	usleep(20);
}

/* A part that has no page tables yet. 0 or -errno. */
static int protect_part(const struct area *a, size_t part)
{
	int err;

	inside = 1;
	err = area_wp(a, part * (PART / PAGE), PART / PAGE);
	inside = 0;
	return err;
}

static void interrupted(const struct backing *b)
{
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART };
	pid_t caller = (pid_t)syscall(SYS_gettid);
	struct looper sender;
	struct area a;

	area_arm(&a, b, PARTS * (PART / PAGE), 0);
	SETUP(!sigaction(SIGUSR1, &action, NULL));
	loop_start(&sender, send_signal, &caller);
	for (size_t i = 0; i < PARTS; i++) {
		EXPECT_EQ(protect_part(&a, i), 0);
		EXPECT_PM(area_page(&a, (i + 1) * (PART / PAGE) - 1), PM_UFFD_WP, 0);
	}
	loop_end(&sender);
	ktap_diag("%d signals while the caller protected %d parts", (int)met, PARTS);
	SETUP_MSG(met >= PARTS / 2, "%d signals only came while the caller was at work", (int)met);
}
CASE_ON(((const struct backing *const []){ &memfd_shared, &memfd_private, NULL }), "X07_wp-signals", interrupted);
