// SPDX-License-Identifier: GPL-2.0
/*
 * Signals do not interrupt WRITEPROTECT, unless they kill: a manager that has a timer does not get EINTR, and a
 * range that is protected in part. One that is killed makes no more page tables.
 * Needs: REGISTER(WP) on shmem.
 * X07_wp-signals fails on a kernel that gives up for any signal, X07_wp-killed on one that ends what it has begun.
 */
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "access.h"
#include "backing.h"
#include "ktap.h"
#include "loop.h"
#include "peer.h"
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

#define ALL (16 * PART)
#define ALL_TABLES 32768	/* kB */
#define TRIES 3

static struct area area;

static uint64_t protect_everything(void *unused, uint64_t unused2)
{
	(void)unused, (void)unused2;
	return -area_wp(&area, 0, area.pages);
}

/* Kill a manager that has made some of the page tables; false if it was faster. */
static bool kill_manager(void)
{
	struct peer manager;
	long before, then;

	area_arm(&area, &memfd_shared, ALL / PAGE, 0);
	peer_start(&manager);	/* has the userfaultfd by inheritance */
	before = status_kb("VmPTE");
	peer_post(&manager, protect_everything, NULL, 0);
	while (status_kb("VmPTE") < before + ALL_TABLES / 64)
		usleep(100);
	peer_kill(&manager);
	then = status_kb("VmPTE") - before;
	return then < ALL_TABLES / 2;
}

static void killed(void)
{
	int stopped = 0;

	for (int i = 0; i < TRIES && !stopped; i++) {
		stopped = kill_manager();
		REQUIRE_EQ(area_wp(&area, 0, 1), 0);
		area_close(&area);
	}
	EXPECT_MSG(stopped, "the dead made all page tables, in each of %d tries", TRIES);
}
CASE("X07_wp-killed", killed);
