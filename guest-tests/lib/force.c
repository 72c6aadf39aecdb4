// SPDX-License-Identifier: GPL-2.0
/* Force reclaim, migration and collapse, and confirm each. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "access.h"
#include "backing.h"
#include "force.h"
#include "ktap.h"
#include "proc.h"

#define ROUNDS 50	/* tries before giving up on a path that does not happen */

/* ---- swap ---- */

/* The first device of /proc/swaps. */
static bool active_swap(char *device, size_t size)
{
	char text[4096], *line;

	if (!file_read("/proc/swaps", text, sizeof(text)))
		SKIP("CONFIG_SWAP: /proc/swaps is not there");
	line = strchr(text, '\n');
	if (!line || line[1] != '/')
		return false;
	snprintf(device, size, "%.*s", (int)strcspn(line + 1, " \t"), line + 1);
	return true;
}

static bool has_swap_signature(const char *device)
{
	char magic[10] = "";
	int fd = open(device, O_RDONLY | O_CLOEXEC);
	bool found;

	if (fd < 0)
		return false;
	found = pread(fd, magic, sizeof(magic), PAGE - sizeof(magic)) == sizeof(magic) &&
		!memcmp(magic, "SWAPSPACE2", sizeof(magic));
	close(fd);
	return found;
}

/* A case may have died between swapoff and swapon: turn on whatever device is made for swap. */
static void turn_on_any(void)
{
	struct dirent *entry;
	DIR *dir = opendir("/sys/block");
	char device[300];

	while (dir && (entry = readdir(dir))) {
		snprintf(device, sizeof(device), "/dev/%s", entry->d_name);
		if (entry->d_name[0] != '.' && has_swap_signature(device))
			swapon(device, 0);
	}
	if (dir)
		closedir(dir);
}

void need_swap(void)
{
	char device[128];

	if (active_swap(device, sizeof(device)))
		return;
	turn_on_any();
	SETUP_MSG(active_swap(device, sizeof(device)), "no swap device");
}

long swapped_kb(const struct area *a)
{
	return smaps_kb(a->backing->shared ? a->alias : a->map, "Swap");
}

/* Pages wait for the LRU lists in a queue of the CPU that touched them; only that CPU's own MADV_PAGEOUT sees them. */
static void pageout_on_each_cpu(char *addr, size_t size)
{
	int cpus = (int)sysconf(_SC_NPROCESSORS_CONF);
	cpu_set_t old, one;

	SETUP(!sched_getaffinity(0, sizeof(old), &old));
	for (int cpu = 0; cpu < cpus; cpu++) {
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		if (!CPU_ISSET(cpu, &old) || sched_setaffinity(0, sizeof(one), &one))
			continue;
		SETUP(!madvise(addr, size, MADV_PAGEOUT));
	}
	sched_setaffinity(0, sizeof(old), &old);
}

static void breathe(void)
{
	nanosleep(&(struct timespec){ 0, 2000000 }, NULL);
}

/* How many pages are in memory: mapped, in the page cache or in the swap cache. */
static size_t pages_in_core(const struct area *a, size_t first, size_t pages)
{
	char *map = a->backing->shared ? a->alias : a->map;
	size_t count = 0;

	for (size_t i = first; i < first + pages; i++) {
		unsigned char in_core;

		SETUP(!mincore(map + i * PAGE, PAGE, &in_core));
		count += in_core & 1;
	}
	return count;
}

/* MADV_PAGEOUT passes by what it has unmapped and could not write: read it, and it is mapped again. */
static void map_cached(const struct area *a, size_t first, size_t pages)
{
	for (size_t i = first; i < first + pages; i++)
		if (!(pm(area_page(a, i)) & PM_PRESENT) && pages_in_core(a, i, 1))
			touch_read(area_page(a, i));
}

void swap_out(const struct area *a, size_t first, size_t pages)
{
	char *addr = area_page(a, first);
	long before, now;
	size_t present;

	need_swap();
	before = swapped_kb(a);
	for (int round = 0; round < ROUNDS; round++) {
		pageout_on_each_cpu(addr, pages * PAGE);
		present = pm_count(addr, pages, PM_PRESENT, 0);
		now = swapped_kb(a);
		if (!present && now > 0 && now >= (long)(pages * PAGE / 1024))
			return;
		map_cached(a, first, pages);
		breathe();
	}
	ktap_error(__FILE__, __LINE__, 0, "MADV_PAGEOUT left %zu of %zu pages present, Swap went from %ld to %ld kB",
		   present, pages, before, now);
}

void swap_off_and_on(void)
{
	char device[128], other[128];

	need_swap();
	while (active_swap(device, sizeof(device))) {
		SETUP(!swapoff(device));
		if (!active_swap(other, sizeof(other))) {
			SETUP(!swapon(device, 0));
			return;
		}
	}
}

/* ---- memory pressure ---- */

static int cgroup_dir = -1;

/* The cgroup v2 root, mounted nowhere. */
static int cgroup_root(void)
{
	int fs = (int)syscall(SYS_fsopen, "cgroup2", 1), root;

	if (fs < 0)
		SKIP("CONFIG_CGROUPS: fsopen(cgroup2): %s", strerror(errno));
	SETUP(!syscall(SYS_fsconfig, fs, 6 /* FSCONFIG_CMD_CREATE */, NULL, NULL, 0));
	root = (int)syscall(SYS_fsmount, fs, 1, 0);
	SETUP(root >= 0);
	close(fs);
	return root;
}

static bool write_at(int dir, const char *file, const char *text)
{
	int fd = openat(dir, file, O_WRONLY | O_CLOEXEC);
	bool good = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	if (fd >= 0)
		close(fd);
	return good;
}

bool memcg_is_v1(void)
{
	char text[4096];

	return file_read("/proc/cmdline", text, sizeof(text)) && strstr(text, "wpci.memcg=1");
}

/* Cgroups of cases that have ended are empty: remove them. */
static void remove_old_cgroups(int root)
{
	char name[40];

	for (int pid = getpid() - 1; pid > 0 && pid > getpid() - 64; pid--) {
		snprintf(name, sizeof(name), "wpci-%d", pid);
		unlinkat(root, name, AT_REMOVEDIR);
	}
}

void cgroup_enter(void)
{
	int root = cgroup_root();
	char name[40];

	if (memcg_is_v1())
		SKIP("the memory controller is version 1's in this guest");
	remove_old_cgroups(root);
	if (!write_at(root, "cgroup.subtree_control", "+memory"))
		SKIP("CONFIG_MEMCG: the memory controller: %s", strerror(errno));
	snprintf(name, sizeof(name), "wpci-%d", getpid());
	SETUP(!mkdirat(root, name, 0755));
	cgroup_dir = openat(root, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	SETUP(cgroup_dir >= 0);
	SETUP(write_at(cgroup_dir, "cgroup.procs", "0"));
	close(root);
}

void cgroup_set(const char *file, const char *text)
{
	SETUP_MSG(write_at(cgroup_dir, file, text), "%s to %s: %s", text, file, strerror(errno));
}

void cgroup_limit(const char *bytes)
{
	cgroup_set("memory.max", bytes);
	if (!access("/proc/swaps", F_OK))	/* without CONFIG_SWAP there is nothing to limit */
		cgroup_set("memory.swap.max", "0");
}

static long cgroup_number(const char *file)
{
	int fd = openat(cgroup_dir, file, O_RDONLY | O_CLOEXEC);
	char text[32] = "";

	SETUP(fd >= 0);
	SETUP(read(fd, text, sizeof(text) - 1) > 0);
	close(fd);
	return atol(text);
}

long cgroup_charged(void)
{
	return cgroup_number("memory.current");
}

/*
 * While the limit is low, a process in the cgroup sleeps for two seconds at each allocation, such as that of
 * its own stack, which has just been swapped out. So it is set and lifted by a process outside: it leaves the
 * cgroup before it gets memory of its own.
 */
void cgroup_squeeze(const char *high)
{
	char script[160];
	int status;
	pid_t pid;

	snprintf(script, sizeof(script), "cd /proc/self/fd/%d && echo %s >memory.high && echo max >memory.high", cgroup_dir,
		 high);
	pid = vfork();
	SETUP(pid >= 0);
	if (!pid) {
		if (write_at(cgroup_dir, "../cgroup.procs", "0") && !fcntl(cgroup_dir, F_SETFD, 0))
			execl("/bin/sh", "sh", "-c", script, NULL);
		_exit(127);
	}
	SETUP(waitpid(pid, &status, 0) == pid);
	SETUP_MSG(!status, "memory.high of %s: status %#x", high, status);
}

/*
 * Writing memory.high reclaims until there is no more than that; asking for what cannot be had takes
 * seconds, so ask for more only from round to round. Each CPU holds a stock of 64 charged pages that
 * are in no use: they go first.
 */
static void cgroup_reclaim(size_t pages, int round)
{
	size_t stock = 64 * sysconf(_SC_NPROCESSORS_CONF), want = (pages + stock) << (round < 8 ? round : 8);
	long left = cgroup_charged() - (long)(want * PAGE);
	char text[24];

	snprintf(text, sizeof(text), "%ld", left > 0 ? left : 0);
	cgroup_squeeze(text);
}

void squeeze_out(const struct area *a, size_t first, size_t pages)
{
	void *own = aligned_alloc(PAGE, PAGE);
	size_t present = pages;

	need_swap();
	for (int round = 0; round < ROUNDS && present; round++) {
		if (round)	/* what still waits in a queue is out of reach: to page out anything empties it */
			pageout_on_each_cpu(own, PAGE);
		cgroup_reclaim(present, round);
		present = pm_count(area_page(a, first), pages, PM_PRESENT, 0);
	}
	free(own);
	SETUP_MSG(!present, "memory.high left %zu of %zu pages present", present, pages);
}

void evict(const struct area *a, size_t first, size_t pages)
{
	size_t left = pages;

	swap_out(a, first, pages);
	for (int round = 0; round < ROUNDS && (left = pages_in_core(a, first, pages)); round++) {
		/* takes them out of the queues of each CPU, which hold a reference */
		pageout_on_each_cpu(area_page(a, first), pages * PAGE);
		cgroup_reclaim(left, round);
	}
	SETUP_MSG(!left, "%zu of %zu pages are still in the swap cache", left, pages);
}

/* ---- migration ---- */

static long move_pages_call(size_t count, void **addrs, const int *nodes, int *status, int flags)
{
	long err = syscall(SYS_move_pages, 0, count, addrs, nodes, status, flags);

	if (err < 0 && errno == ENOSYS)
		SKIP("CONFIG_NUMA and CONFIG_MIGRATION: move_pages(2): %s", strerror(ENOSYS));
	return err;
}

int node_of(const void *addr)
{
	int node = -1;

	SETUP(!move_pages_call(1, &(void *){ (void *)addr }, NULL, &node, 0));
	return node;
}

static void need_two_nodes(void)
{
	if (access("/sys/devices/system/node", F_OK))
		SKIP("CONFIG_NUMA: /sys/devices/system/node is not there");
	SETUP_MSG(!access("/sys/devices/system/node/node1", F_OK), "the machine has one NUMA node");
}

void migrate(const struct area *a, size_t first, size_t pages, int flags)
{
	need_two_nodes();
	for (size_t i = first; i < first + pages; i++) {
		void *addr = area_page(a, i);
		int target = !node_of(addr), status = -1, round = 0;

		do {	/* a page may be busy for a moment */
			SETUP(move_pages_call(1, &addr, &target, &status, flags) >= 0);
			if (status == target)
				break;
			breathe();
		} while (++round < ROUNDS);
		SETUP_MSG(status == target && node_of(addr) == target,
			  "page %zu did not move to node %d: status %d", i, target, status);
	}
}

/* ---- huge pages ---- */

long huge_mapped_kb(const struct area *a)
{
	long kb = smaps_kb(a->map, a->backing->file ? "ShmemPmdMapped" : "AnonHugePages");

	SETUP_MSG(kb >= 0, "smaps does not tell about huge mappings");
	return kb;
}
