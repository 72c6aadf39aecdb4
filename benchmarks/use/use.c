// SPDX-License-Identifier: GPL-2.0
/*
 * What those pay who protect memory: by userfaultfd, and by mprotect() with a handler of SIGSEGV.
 *
 * Prints one line a workload: its name, and the time stamp counter's ticks of each round. Under QEMU's -icount shift=0
 * a tick is an instruction, and use.py takes it for that. Where the kernel refuses, the line says so.
 */
#define _GNU_SOURCE
#include <err.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <x86intrin.h>

#define PAGE 4096UL
#define GIB (1UL << 30)
#define SNAPSHOT (256UL << 20)
#define FAULTS 2048

static int uffd = -1;
static char *area, *saved;
static size_t size;

/* A fresh memfd, mapped; each page touched where it is to be there. */
static void map(size_t bytes, bool there)
{
	int fd = memfd_create("use", 0);

	if (fd < 0 || ftruncate(fd, bytes))
		err(1, "memfd");
	size = bytes;
	area = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (area == MAP_FAILED)
		err(1, "mmap");
	close(fd);
	for (size_t at = 0; there && at < size; at += PAGE)
		((volatile char *)area)[at] = 1;
}

static void unmap(void)
{
	munmap(area, size);
	if (uffd >= 0)
		close(uffd);
	uffd = -1;
}

/* False where the kernel does not protect such memory. */
static bool arm(void)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = { .range = { (uintptr_t)area, size }, .mode = UFFDIO_REGISTER_MODE_WP };

	uffd = (int)syscall(SYS_userfaultfd, O_CLOEXEC);
	if (uffd < 0 || ioctl(uffd, UFFDIO_API, &api))
		err(1, "userfaultfd");
	return !ioctl(uffd, UFFDIO_REGISTER, &reg);
}

static void protect(char *at, size_t bytes, bool on)
{
	struct uffdio_writeprotect wp = { .range = { (uintptr_t)at, bytes }, .mode = on ? UFFDIO_WRITEPROTECT_MODE_WP : 0 };

	if (ioctl(uffd, UFFDIO_WRITEPROTECT, &wp))
		err(1, "WRITEPROTECT");
}

static void allow(char *at, size_t bytes, bool yes)
{
	if (mprotect(at, bytes, yes ? PROT_READ | PROT_WRITE : PROT_READ))
		err(1, "mprotect");
}

/* ---- who answers a write ---- */

static bool saving;

static void save(char *page)
{
	if (saving)
		memcpy(saved + (page - area), page, PAGE);
}

static void *answer(void *unused)
{
	struct uffd_msg msg;

	(void)unused;
	while (read(uffd, &msg, sizeof(msg)) == sizeof(msg)) {
		char *page = (char *)(uintptr_t)msg.arg.pagefault.address;

		if (msg.event != UFFD_EVENT_PAGEFAULT)
			break;
		save(page);
		protect(page, PAGE, false);
	}
	return NULL;
}

static void on_segv(int sig, siginfo_t *info, void *context)
{
	char *page = (char *)((uintptr_t)info->si_addr & ~(PAGE - 1));

	(void)sig, (void)context;
	save(page);
	allow(page, PAGE, true);
}

/* ---- workloads: each prints one number a round ---- */

static bool refused(const char *name)
{
	bool no = !arm();

	if (no) {
		printf("%s refused\n", name);
		unmap();
	}
	return no;
}

static unsigned long long begin;

static void clock_starts(void)
{
	begin = __rdtsc();
}

static void clock_ends(void)
{
	printf(" %llu", __rdtsc() - begin);
}

static void whole_range(const char *name, bool there, bool on, bool by_uffd)
{
	map(GIB, there);
	if (by_uffd && refused(name))
		return;
	printf("%s", name);
	for (int round = 0; round < 3; round++) {
		for (int step = 0; step < 2; step++) {
			bool protecting = !step;

			if (protecting == on)
				clock_starts();
			if (by_uffd)
				protect(area, size, protecting);
			else
				allow(area, size, !protecting);
			if (protecting == on)
				clock_ends();
		}
		for (size_t at = 0; there && at < size; at += PAGE)	/* write permission comes back by a fault */
			((volatile char *)area)[at] = 1;
	}
	puts("");
	unmap();
}

static void write_to(size_t page)
{
	((volatile char *)area)[page * PAGE] = 2;
}

static void one_fault(const char *name, bool by_uffd)
{
	pthread_t thread;

	map(FAULTS * PAGE, true);
	if (by_uffd && refused(name))
		return;
	if (by_uffd)
		protect(area, size, true);
	else
		allow(area, size, false);
	if (by_uffd && pthread_create(&thread, NULL, answer, NULL))
		errx(1, "pthread_create");
	printf("%s", name);
	for (size_t page = 0; page < FAULTS; page += 2) {	/* every other one, as mprotect() has vmas to split */
		clock_starts();
		write_to(page);
		clock_ends();
	}
	puts("");
	if (by_uffd)
		pthread_cancel(thread);
	if (by_uffd)
		pthread_join(thread, NULL);
	unmap();
}

static bool done;

/* One page in four is written to while the snapshot is taken. */
static void *write_some(void *unused)
{
	(void)unused;
	for (size_t page = 0; page < SNAPSHOT / PAGE; page += 4)
		write_to(page);
	__atomic_store_n(&done, true, __ATOMIC_RELEASE);
	return NULL;
}

static void snapshot(const char *name, bool by_uffd)
{
	pthread_t handler, writer;

	map(SNAPSHOT, true);
	saved = mmap(NULL, SNAPSHOT, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (saved == MAP_FAILED)
		err(1, "mmap");
	if (by_uffd && refused(name))
		return;
	printf("%s", name);
	saving = true;
	done = false;
	clock_starts();
	if (by_uffd)
		protect(area, size, true);
	else
		allow(area, size, false);
	if ((by_uffd && pthread_create(&handler, NULL, answer, NULL)) || pthread_create(&writer, NULL, write_some, NULL))
		errx(1, "pthread_create");
	pthread_join(writer, NULL);
	for (size_t at = 0; at < SNAPSHOT; at += 64 * PAGE) {	/* what nobody has written to */
		for (size_t page = at; page < at + 64 * PAGE; page += PAGE)
			if (page / PAGE % 4)
				memcpy(saved + page, area + page, PAGE);
		if (by_uffd)
			protect(area + at, 64 * PAGE, false);
		else
			allow(area + at, 64 * PAGE, true);
	}
	clock_ends();
	puts("");
	saving = false;
	if (by_uffd)
		pthread_cancel(handler);
	if (by_uffd)
		pthread_join(handler, NULL);
	unmap();
	munmap(saved, SNAPSHOT);
}

int main(void)
{
	struct sigaction action = { .sa_sigaction = on_segv, .sa_flags = SA_SIGINFO };

	sigaction(SIGSEGV, &action, NULL);
	setvbuf(stdout, NULL, _IOFBF, 1 << 16);
	whole_range("protect-1G-mapped", true, true, true);
	whole_range("protect-1G-mapped.mprotect", true, true, false);
	whole_range("protect-1G-empty", false, true, true);
	whole_range("lift-1G-mapped", true, false, true);
	whole_range("lift-1G-mapped.mprotect", true, false, false);
	whole_range("lift-1G-empty", false, false, true);
	one_fault("write-fault", true);
	one_fault("write-fault.mprotect", false);
	snapshot("snapshot-256M", true);
	snapshot("snapshot-256M.mprotect", false);
	return 0;
}
