// SPDX-License-Identifier: GPL-2.0
/*
 * What processes that never heard of userfaultfd pay: fork, fault, unmap and protect over ordinary mappings.
 *
 * Prints one line a workload: its name, and the time stamp counter's ticks of each round. Under QEMU's -icount shift=0
 * a tick is an instruction, and cost.py takes it for that. THP is off for this process: ptes are what is measured.
 */
#define _GNU_SOURCE
#include <err.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <x86intrin.h>

#define PAGE 4096UL
#define SIZE (2048 * PAGE)
#define ROUNDS 32

static int file;

static char *map(int anonymous, int prot)
{
	int flags = anonymous ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED;
	char *memory = mmap(NULL, SIZE, prot, flags, anonymous ? -1 : file, 0);

	if (memory == MAP_FAILED)
		err(1, "mmap");
	return memory;
}

static void store(char *memory)
{
	for (size_t at = 0; at < SIZE; at += PAGE)
		((volatile char *)memory)[at] = 1;
}

static void load(char *memory)
{
	for (size_t at = 0; at < SIZE; at += PAGE)
		(void)((volatile char *)memory)[at];
}

static void unmap(char *memory)
{
	if (munmap(memory, SIZE))
		err(1, "munmap");
}

static pid_t child;

/* The child does nothing, so that its end is not in the count: a clock tick may let it run before fork() returns. */
static void forked(char *memory)
{
	(void)memory;
	child = fork();
	if (child < 0)
		err(1, "fork");
	while (!child)
		pause();
}

static void reaped(void)
{
	if (child && (kill(child, SIGKILL) || waitpid(child, NULL, 0) != child))
		err(1, "the child");
	child = 0;
}

static void dropped(char *memory)
{
	if (madvise(memory, SIZE, MADV_DONTNEED))
		err(1, "MADV_DONTNEED");
}

static void protected(char *memory)
{
	if (mprotect(memory, SIZE, PROT_READ) || mprotect(memory, SIZE, PROT_READ | PROT_WRITE))
		err(1, "mprotect");
}

static void truncated(char *memory)
{
	(void)memory;
	if (ftruncate(file, 0) || ftruncate(file, SIZE))
		err(1, "ftruncate");
}

static void nothing(char *memory)
{
	(void)memory;
}

/* What is done to a mapping before the clock starts, and what is measured. */
static const struct workload {
	const char *name;
	int anonymous;
	void (*before)(char *memory);
	void (*measured)(char *memory);
} workloads[] = {
	{ "fault-anon", 1, nothing, store },
	{ "fault-shmem-read", 0, nothing, load },
	{ "fault-shmem-write", 0, nothing, store },
	{ "fork-anon", 1, store, forked },
	{ "fork-shmem", 0, store, forked },
	{ "munmap-anon", 1, store, unmap },
	{ "munmap-shmem", 0, store, unmap },
	{ "dontneed-anon", 1, store, dropped },
	{ "dontneed-shmem", 0, store, dropped },
	{ "mprotect-anon", 1, store, protected },
	{ "mprotect-shmem", 0, store, protected },
	{ "truncate-shmem", 0, store, truncated },
};

/*
 * The page allocator hands out its per-CPU pages in batches, and a refill, some 6000 instructions, would fall into each
 * round of one kernel and into none of the other. Pages taken before a round make it fall anywhere in both.
 */
static char *out_of_step(int round)
{
	char *memory = map(1, PROT_READ | PROT_WRITE);

	if (madvise(memory, SIZE, MADV_DONTFORK))
		err(1, "MADV_DONTFORK");
	for (int page = 0; page < 2 * round; page++)
		((volatile char *)memory)[page * PAGE] = 1;
	return memory;
}

static void run(const struct workload *w)
{
	printf("%s", w->name);
	for (int round = 0; round < ROUNDS; round++) {
		char *aside = out_of_step(round), *memory = map(w->anonymous, PROT_READ | PROT_WRITE);
		unsigned long long begin, end;

		w->before(memory);
		begin = __rdtsc();
		w->measured(memory);
		end = __rdtsc();
		printf(" %llu", end - begin);
		reaped();
		if (w->measured != unmap)
			unmap(memory);
		unmap(aside);
	}
	printf("\n");
	fflush(stdout);
}

int main(int argc, char **argv)
{
	char page[PAGE];

	(void)argc;
	/* Where a mapping lies decides how many page tables it takes, and how many faults fault-around saves. */
	if (!(personality(ADDR_NO_RANDOMIZE) & ADDR_NO_RANDOMIZE) && execv("/proc/self/exe", argv))
		err(1, "exec");
	memset(page, 1, sizeof(page));
	file = memfd_create("cost", 0);
	if (file < 0 || ftruncate(file, SIZE))
		err(1, "memfd");
	for (size_t at = 0; at < SIZE; at += PAGE)
		if (pwrite(file, page, PAGE, at) != PAGE)
			err(1, "pwrite");
	if (prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0))
		err(1, "PR_SET_THP_DISABLE");
	for (size_t i = 0; i < sizeof(workloads) / sizeof(*workloads); i++)
		run(&workloads[i]);
	return 0;
}
