// SPDX-License-Identifier: GPL-2.0
/*
 * Writes that the kernel makes for a process: by read(2), process_vm_writev(2) and ptrace(2).
 * Needs: REGISTER(WP) on shmem; CROSS_MEMORY_ATTACH for process_vm_writev.
 * A failure means: the kernel writes past the protection, or does not come back.
 * ptrace cannot wait for a handler, so it must fail; a DEBUG_VM kernel prints
 * "FAULT_FLAG_ALLOW_RETRY missing" then, which is expected in B18.
 */
#include <signal.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "access.h"
#include "backing.h"
#include "ktap.h"
#include "oracle.h"
#include "trap.h"
#include "uffd.h"

/* Where a call is to write 8 bytes, and what. */
struct job {
	void *to;
	uint64_t value;
	int pipe;
};

static long by_read(void *arg)
{
	struct job *job = arg;

	return read(job->pipe, job->to, sizeof(job->value));
}

static long by_process_vm_writev(void *arg)
{
	struct job *job = arg;
	struct iovec local = { &job->value, sizeof(job->value) }, remote = { job->to, sizeof(job->value) };

	return process_vm_writev(getpid(), &local, 1, &remote, 1, 0);
}

/* A call that writes to a protected page waits; when the protection goes, it is done in full. */
static void check_call(const struct area *a, size_t page, long (*call)(void *), struct job *job)
{
	struct uffd_msg msg;
	struct touch t;

	job->to = area_page(a, page) + 64;
	job->value = fresh_value();
	if (job->pipe >= 0)
		SETUP(write(job->pipe + 1, &job->value, sizeof(job->value)) == sizeof(job->value));
	touch_call(&t, call, job);
	uffd_wait(a->uffd, &msg);
	REQUIRE(is_wp_message(a, &msg, job->to));
	EXPECT(touch_asleep(&t));
	EXPECT(alias_get(a, job->to) != job->value);
	REQUIRE_EQ(area_unwp(a, page, 1), 0);
	EXPECT_EQ(touch_end(&t), COMPLETED);
	EXPECT_EQ(t.result, sizeof(job->value));
	EXPECT_EQ(touch_read(job->to), job->value);
	while (uffd_next(a->uffd, &msg))	/* told twice */
		EXPECT(is_wp_message(a, &msg, job->to));
}

static void check_calls(const struct backing *b, long (*call)(void *), int pipe)
{
	struct job job = { .pipe = pipe };
	struct area a;

	area_arm(&a, b, 4, 0);
	populate(&a, 0, 2);
	REQUIRE_EQ(area_wp(&a, 0, 4), 0);
	check_call(&a, 0, call, &job);	/* a mapped page */
	check_call(&a, 3, call, &job);	/* one that is not */
}

/* Two pipe ends, the writing one numbered just above the reading one. */
static int open_pipe(void)
{
	int ends[2];

	SETUP(!pipe(ends));
	SETUP(ends[1] == ends[0] + 1);
	return ends[0];
}

static void kernel_write(const struct backing *b)
{
	check_calls(b, by_read, open_pipe());
}
CASE_ON(BACKINGS_FILE, "B16_kernel-write", kernel_write);
CASE_ON(BACKINGS_HUGETLB, "B16_kernel-write", kernel_write);

/* A userfaultfd for user faults only: the call fails at once, and nothing is written. */
static void kernel_write_user_mode_only(const struct backing *b)
{
	struct job job = { .pipe = open_pipe() };
	struct uffd_msg msg;
	struct area a;

	need_shmem_wp();
	area_open(&a, b, 4);
	a.uffd = uffd_create(UFFD_USER_MODE_ONLY);
	if (a.uffd == -EINVAL)
		SKIP("UFFD_USER_MODE_ONLY: userfaultfd(2): %s", strerror(EINVAL));
	SETUP(a.uffd >= 0 && !uffd_api(a.uffd, 0, NULL));
	REQUIRE_EQ(uffd_register(a.uffd, a.map, a.size, UFFDIO_REGISTER_MODE_WP, NULL), 0);
	populate(&a, 0, 2);
	REQUIRE_EQ(area_wp(&a, 0, 4), 0);
	SETUP(write(job.pipe + 1, "01234567", 8) == 8);
	for (size_t page = 0; page < 4; page += 3) {
		job.to = area_page(&a, page);
		EXPECT_EQ(by_read(&job), -1);
		EXPECT_EQ(errno, EFAULT);
		EXPECT_EQ(touch_read(area_page(&a, page)), page < 2 ? file_value(page) : 0);
		EXPECT(!uffd_next(a.uffd, &msg));
	}
	EXPECT_TRAPS(&a, area_page(&a, 1));
}
CASE_ON(BACKINGS_FILE, "B16_kernel-write-user-mode-only", kernel_write_user_mode_only);
CASE_ON(BACKINGS_HUGETLB, "B16_kernel-write-user-mode-only", kernel_write_user_mode_only);

static void remote_gup(const struct backing *b)
{
	if (process_vm_writev(getpid(), NULL, 0, NULL, 0, 0) < 0 && errno == ENOSYS)
		SKIP("CONFIG_CROSS_MEMORY_ATTACH: process_vm_writev(2): %s", strerror(ENOSYS));
	check_calls(b, by_process_vm_writev, -1);
}
CASE_ON(BACKINGS_FILE, "B18_remote-gup", remote_gup);
CASE_ON(BACKINGS_HUGETLB, "B18_remote-gup", remote_gup);

/* The traced process: stops for the poke, then looks at what it did. */
static void be_poked(const struct backing *b, void **target)
{
	struct uffd_msg msg;
	struct area a;

	area_arm(&a, b, 4, 0);
	populate(&a, 0, 2);
	REQUIRE_EQ(area_wp(&a, 0, 4), 0);
	target[0] = area_page(&a, 0);
	target[1] = area_page(&a, 3);
	SETUP(!ptrace(PTRACE_TRACEME, 0, NULL, NULL));
	raise(SIGSTOP);
	EXPECT(!uffd_next(a.uffd, &msg));
	EXPECT_EQ(touch_read(area_page(&a, 0)), file_value(0));
	EXPECT_EQ(touch_read(area_page(&a, 3)), 0);
	EXPECT_TRAPS(&a, area_page(&a, 0));
	EXPECT_TRAPS(&a, area_page(&a, 3));
}

static void remote_gup_poke(const struct backing *b)
{
	void **target = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int status;
	pid_t pid;

	SETUP(target != MAP_FAILED);
	pid = fork();
	SETUP(pid >= 0);
	if (!pid) {
		be_poked(b, target);
		_exit(0);
	}
	SETUP(waitpid(pid, &status, 0) == pid && WIFSTOPPED(status));
	for (int i = 0; i < 2; i++) {
		EXPECT_EQ(ptrace(PTRACE_POKEDATA, pid, target[i], (void *)1L), -1);
		EXPECT_EQ(errno, EIO);
	}
	SETUP(!ptrace(PTRACE_DETACH, pid, NULL, NULL));
	REQUIRE(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && !WEXITSTATUS(status));
}
CASE_ON(BACKINGS_FILE, "B18_remote-gup-poke", remote_gup_poke);
CASE_ON(BACKINGS_HUGETLB, "B18_remote-gup-poke", remote_gup_poke);
