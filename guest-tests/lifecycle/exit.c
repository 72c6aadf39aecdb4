// SPDX-License-Identifier: GPL-2.0
/*
 * A process with a hundred thousand markers ends: by exit, by exec, by the OOM killer. Its page
 * tables come back.
 * Needs: REGISTER(WP) on shmem; the OOM case MEMCG.
 * Fails on a kernel whose exit path trips over a marker (bad page map, wrong counters) or leaks tables;
 * what it says on the console is judged by the runner.
 */
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "access.h"
#include "backing.h"
#include "force.h"
#include "ktap.h"
#include "proc.h"
#include "uffd.h"

#define MARKERS 100352UL	/* of whole page tables */

/* Half made by WP of holes; some by zapping protected pages; some mapped. */
static void protect(struct area *a, const struct backing *b)
{
	area_arm(a, b, MARKERS, 0);
	touch_write_all(a, 0, 512);
	REQUIRE_EQ(area_wp(a, 0, MARKERS), 0);
	SETUP(!madvise(a->map, 256 * PAGE, MADV_DONTNEED));
	REQUIRE_EQ(pm_count(a->map, MARKERS, PM_UFFD_WP, 0), MARKERS);
}

static void exec_self(void)
{
	int null = open("/dev/null", O_WRONLY);

	dup2(null, STDOUT_FILENO);
	execl("/proc/self/exe", "exec", "-l", NULL);
	_exit(127);
}

static void __attribute__((noreturn)) eat_memory(void)
{
	for (;;) {
		char *page = mmap(NULL, HUGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

		SETUP(page != MAP_FAILED);
	}
}

enum how { BY_EXIT, BY_EXEC, BY_OOM };

/* Return the wait status of a process that protects and then ends. */
static int end_process(const struct backing *b, enum how how)
{
	struct area a;
	int status;
	pid_t pid = fork();

	SETUP(pid >= 0);
	if (!pid) {
		if (how == BY_OOM)
			SETUP(file_write("/proc/self/oom_score_adj", "1000"));
		protect(&a, b);
		if (how == BY_EXEC)
			exec_self();
		if (how == BY_OOM)
			eat_memory();
		_exit(0);
	}
	SETUP(waitpid(pid, &status, 0) == pid);
	return status;
}

static void judge(const struct backing *b, enum how how, int wanted)
{
	long before, after = 0;

	need_shmem_wp();
	before = vmstat("nr_page_table_pages");
	EXPECT_EQ(end_process(b, how), wanted);
	for (int tries = 0; tries < 50; tries++) {	/* page tables are freed after a grace period of RCU */
		after = vmstat("nr_page_table_pages");
		if (after < before + 100)
			break;
		usleep(100000);
	}
	EXPECT_MSG(after < before + 100, "nr_page_table_pages went from %ld to %ld", before, after);
}

static const struct backing *const both[] = { &memfd_shared, &memfd_private, NULL };

static void by_exit(const struct backing *b)
{
	judge(b, BY_EXIT, 0);
}
CASE_ON(both, "L16_exit-exec-exit", by_exit);

static void by_exec(const struct backing *b)
{
	judge(b, BY_EXEC, 0);
}
CASE_ON(both, "L16_exit-exec-exec", by_exec);

static void by_oom(const struct backing *b)
{
	need_shmem_wp();
	cgroup_enter();
	cgroup_limit("16M");
	judge(b, BY_OOM, SIGKILL);
}
CASE_ON(both, "L16_exit-exec-oom", by_oom);
