// SPDX-License-Identifier: GPL-2.0
/*
 * A process with protected pages, markers and a blocked writer runs exec, after vfork and by itself:
 * the new image is clean, and the protection of the process that forked stays.
 * Needs: REGISTER(WP) on shmem.
 * Fails on a kernel that lets exec's last unmap keep markers, or a blocked writer hold up exec.
 */
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "backing.h"
#include "ktap.h"
#include "proc.h"
#include "trap.h"
#include "uffd.h"

#define PAGES 8

/* This very program: it lists its cases and ends with 0. */
static void exec_self(void)
{
	int null = open("/dev/null", O_WRONLY);

	dup2(null, STDOUT_FILENO);
	execl("/proc/self/exe", "exec", "-l", NULL);
	_exit(127);
}

static void protect(struct area *a, const struct backing *b)
{
	area_arm(a, b, PAGES, 0);
	area_fill_file(a, 0, PAGES);
	touch_read_all(a, 0, PAGES / 2);
	REQUIRE_EQ(area_wp(a, 0, PAGES), 0);
}

static void after_vfork(const struct backing *b)
{
	struct area a;
	int status;
	pid_t pid;

	protect(&a, b);
	pid = vfork();
	if (!pid)
		exec_self();
	SETUP(pid > 0);
	SETUP(waitpid(pid, &status, 0) == pid);
	EXPECT_EQ(status, 0);
	EXPECT_EQ(pm_count(a.map, PAGES, PM_UFFD_WP, 0), PAGES);
	for (int i = 0; i < PAGES; i++)
		EXPECT_TRAPS(&a, area_page(&a, i));
}
CASE_ON(BACKINGS_SMALL, "F10_vfork-exec", after_vfork);

/* exec of the protected process itself, while a thread of it is blocked. */
static void exec_blocked(const struct backing *b)
{
	struct area a;
	int status;
	pid_t pid;

	need_shmem_wp();
	pid = fork();
	SETUP(pid >= 0);
	if (!pid) {
		struct trap t;

		protect(&a, b);
		REQUIRE(trap_begin(&a, a.map, &t));
		exec_self();
	}
	SETUP(waitpid(pid, &status, 0) == pid);
	EXPECT_EQ(status, 0);
}
CASE_ON(BACKINGS_SMALL, "F10_exec-blocked", exec_blocked);
