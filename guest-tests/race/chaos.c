// SPDX-License-Identifier: GPL-2.0
/*
 * Snapshots, with one more thread that zaps, reclaims, moves, collapses, changes protections,
 * faults elsewhere or forks: R02 to R08 and R13.
 * Needs: REGISTER(WP) on shmem; R03 and R13 a swap device, R03 MEMCG, R04 two NUMA nodes, R05
 * TRANSPARENT_HUGEPAGE.
 * Each fails on a kernel that loses protection on that way of unmapping or changing a pte.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "access.h"
#include "backing.h"
#include "force.h"
#include "khugepaged.h"
#include "ktap.h"
#include "proc.h"
#include "settings.h"
#include "snapshot.h"

static void happen(struct snapshot *s)
{
	__atomic_fetch_add(&s->counter, 1, __ATOMIC_RELAXED);
}

static long counted(struct snapshot *s)
{
	return __atomic_load_n(&s->counter, __ATOMIC_RELAXED);
}

/* A random range inside the pages of the snapshot. */
static char *range(struct snapshot *s, uint64_t random, size_t *size)
{
	size_t first = random % SNAP_PAGES, pages = 1 + random / SNAP_PAGES % (SNAP_PAGES - first);

	*size = pages * s->a.page;
	return area_page(&s->a, first);
}

static void step_dontneed(struct snapshot *s, uint64_t random)
{
	size_t size;
	char *addr = range(s, random, &size);

	SETUP(!madvise(addr, size, MADV_DONTNEED));
	happen(s);
}

static void dontneed(void)
{
	snapshot_run(&memfd_shared, SNAP_PAGES, &(struct chaos){ .step = step_dontneed, .happened = counted });
}
CASE_BUDGET("R02_snapshot-dontneed", dontneed);

static void enter_cgroup(struct snapshot *s)
{
	need_swap();
	cgroup_enter();
	s->next_squeeze = ktap_now() + 3;
}

static void step_reclaim(struct snapshot *s, uint64_t random)
{
	size_t size;
	char *addr = range(s, random, &size);

	madvise(addr, size, MADV_PAGEOUT);
	/* Seldom: who needs a page meanwhile is made to sleep for two seconds. */
	if (ktap_now() > s->next_squeeze) {
		s->next_squeeze = ktap_now() + 6;
		cgroup_squeeze("0");
	}
}

static long swapped(struct snapshot *s)
{
	(void)s;
	return vmstat("pswpout");
}

static void reclaim(const struct backing *b)
{
	snapshot_run(b, SNAP_PAGES, &(struct chaos){ .prepare = enter_cgroup, .step = step_reclaim, .happened = swapped });
}
CASE_BUDGET_ON(((const struct backing *const []){ &memfd_shared, &memfd_private, NULL }),
	       "R03_snapshot-reclaim", reclaim);

/* A page that is busy stays where it is: only those that moved are counted. */
static void step_migrate(struct snapshot *s, uint64_t random)
{
	void *addr = area_page(&s->a, random % SNAP_PAGES);
	int node = random / SNAP_PAGES % 2, status = -1;
	int now = -1;

	if (random % 64 == 0)
		file_write("/proc/sys/vm/compact_memory", "1");
	syscall(SYS_move_pages, 0, 1, &addr, NULL, &now, 0);
	if (syscall(SYS_move_pages, 0, 1, &addr, &node, &status, MPOL_MF_MOVE) < 0 && errno == ENOSYS)
		SKIP("CONFIG_NUMA and CONFIG_MIGRATION: move_pages(2): %s", strerror(ENOSYS));
	if (status == node && now == !node)
		happen(s);
}

static void moved(const struct backing *b)
{
	snapshot_run(b, SNAP_PAGES, &(struct chaos){ .step = step_migrate, .happened = counted });
}
CASE_BUDGET_ON(SNAPSHOTS, "R04_snapshot-migrate", moved);

static void eager(struct snapshot *s)
{
	s->calm = true;	/* khugepaged is as nice as can be */
	khugepaged_eager();
	set_file("/sys/kernel/mm/transparent_hugepage/enabled", "madvise");
	set_file("/sys/kernel/mm/transparent_hugepage/shmem_enabled", "advise");
}

/* Small pages first: a huge page is khugepaged's to make. It works for the mapping without userfaultfd. */
static void ask_for_huge(struct snapshot *s)
{
	area_fill_file(&s->a, 0, s->size);
	for (size_t i = 0; i < SNAP_PAGES; i++)
		alias_set(&s->a, area_page(&s->a, i), 0);
	SETUP(!munmap(s->second, s->a.size));
	s->second = mmap(NULL, 2 * HUGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	SETUP(s->second != MAP_FAILED);
	s->second = (char *)(((uintptr_t)s->second + HUGE - 1) / HUGE * HUGE);
	SETUP(mmap(s->second, HUGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, s->a.fd, 0) == s->second);
	for (int i = 0; i < 2; i++)	/* 5.10 looks at the flag that the call before has set */
		SETUP(!madvise(s->second, HUGE, MADV_HUGEPAGE));
	SETUP(!madvise(s->a.map, HUGE, MADV_HUGEPAGE));
}

/*
 * khugepaged gives up on a page that somebody holds, as every fault on it does: on a slow machine
 * the others must stand still before it gets anywhere. They do so in the midst of a snapshot, and
 * every other time they go on at a moment of their own.
 */
static void await_collapse(struct snapshot *s, uint64_t random)
{
	long before = khugepaged_collapsed();
	int begin = 50, end = begin + 1 + (random & 1 ? (int)(random / 2 % 50) : 500);

	for (int tries = 0; tries < end && khugepaged_collapsed() == before; tries++) {
		if (__atomic_load_n(&s->stop, __ATOMIC_ACQUIRE))
			break;
		__atomic_store_n(&s->pause, tries >= begin, __ATOMIC_RELEASE);
		usleep(2000);
	}
	__atomic_store_n(&s->pause, false, __ATOMIC_RELEASE);
}

/* Break the huge page at a page that no snapshot is about, and give khugepaged time to make it anew. */
static void step_collapse(struct snapshot *s, uint64_t random)
{
	size_t spare = SNAP_PAGES + random % (s->size - SNAP_PAGES);

	for (size_t i = 0; i < s->size && !__atomic_load_n(&s->stop, __ATOMIC_ACQUIRE); i++)
		touch_read(s->second + i * PAGE);
	await_collapse(s, random / s->size);
	SETUP(!fallocate(s->a.fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, spare * PAGE, PAGE));
}

static long collapsed(struct snapshot *s)
{
	(void)s;
	return khugepaged_collapsed();
}

static void collapse(void)
{
	snapshot_run(&memfd_shared, HUGE / PAGE, &(struct chaos){
		.prepare = eager, .begin = ask_for_huge, .step = step_collapse, .happened = collapsed });
}
CASE_BUDGET("R05_snapshot-khugepaged", collapse);

/* Writes that meet a read-only moment try again. */
static void try_again(int sig)
{
	(void)sig;
}

static void catch_segv(struct snapshot *s)
{
	(void)s;
	SETUP(!sigaction(SIGSEGV, &(struct sigaction){ .sa_handler = try_again }, NULL));
}

static void step_mprotect(struct snapshot *s, uint64_t random)
{
	size_t size;
	char *addr = range(s, random, &size);

	SETUP(!mprotect(addr, size, PROT_READ));
	SETUP(!mprotect(addr, size, PROT_READ | PROT_WRITE));
	happen(s);
}

static void protections_on(const struct backing *b)
{
	snapshot_run(b, SNAP_PAGES, &(struct chaos){ .begin = catch_segv, .step = step_mprotect, .happened = counted });
}
CASE_BUDGET_ON(BACKINGS_HUGETLB, "R06_snapshot-mprotect", protections_on);

static void protections(void)
{
	protections_on(&memfd_shared);
}
CASE_BUDGET("R06_snapshot-mprotect", protections);

/* Faults in another mapping and reads, with fault-around where the kernel does it, in this one. */
static void step_faults(struct snapshot *s, uint64_t random)
{
	size_t size, first = random % SNAP_PAGES;
	char *addr = range(s, random / 3, &size);

	for (size_t i = 0; i < SNAP_PAGES; i += 1 + random % 3)
		touch_read(s->second + i * PAGE);
	SETUP(!madvise(addr, size, MADV_DONTNEED));
	touch_read(area_page(&s->a, first));
	SETUP(!madvise(s->second, SNAP_PAGES * PAGE, MADV_DONTNEED));
	happen(s);
}

static void faults(void)
{
	snapshot_run(&memfd_shared, SNAP_PAGES, &(struct chaos){ .step = step_faults, .happened = counted });
}
CASE_BUDGET("R07_snapshot-faults", faults);

static void step_fork(struct snapshot *s, uint64_t random)
{
	int status;
	pid_t pid = fork();

	SETUP(pid >= 0);
	if (!pid) {
		touch_read(area_page(&s->a, random % SNAP_PAGES));
		_exit(0);
	}
	SETUP(waitpid(pid, &status, 0) == pid);
	REQUIRE_EQ(status, 0);
	happen(s);
}

static void forks(const struct backing *b)
{
	snapshot_run(b, SNAP_PAGES, &(struct chaos){ .step = step_fork, .happened = counted });
}
CASE_BUDGET_ON(((const struct backing *const []){ &memfd_shared, &memfd_private, NULL }), "R08_snapshot-fork", forks);

static void step_swapoff(struct snapshot *s, uint64_t random)
{
	size_t size;
	char *addr = range(s, random, &size);

	for (int i = 0; i < 8; i++)
		madvise(addr, size, MADV_PAGEOUT);
	swap_off_and_on();
	happen(s);
}

static void need_swap_for(struct snapshot *s)
{
	(void)s;
	need_swap();
}

static void swapoffs(const struct backing *b)
{
	snapshot_run(b, SNAP_PAGES, &(struct chaos){
		.prepare = need_swap_for, .step = step_swapoff, .happened = swapped });
}
CASE_BUDGET_ON(((const struct backing *const []){ &memfd_shared, &memfd_private, NULL }),
	       "R13_swapoff-loop", swapoffs);
