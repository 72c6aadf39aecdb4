/* SPDX-License-Identifier: GPL-2.0 */
/*
 * uffd.h: userfaultfd, the kinds of memory it guards, and the oracle that tells whether a write traps.
 *
 * An `area` is a mapping under test: its backing, a userfaultfd of its own and, for files, a second
 * mapping of the same file (`alias`) that is not registered. area_arm() is where most tests start.
 *
 *	area_open(&a, b, pages)		map only
 *	area_arm(&a, b, pages, feats)	map, open a userfaultfd, REGISTER(WP); SKIP where that is not offered
 *	area_wp(&a, first, n)		write-protect pages; 0 or -errno; area_unwp() takes it away
 *	EXPECT_TRAPS(&a, addr)		a write to addr traps, and lands after un-WP (which leaves it not protected)
 *	EXPECT_NO_TRAP(&a, addr)	a write to addr does not trap, and lands
 *	EXPECT_READS(&a, addr)		a read of addr does not trap
 *
 * EXPECT_TRAPS does not read the page before the write does: the first access is the write's.
 * To do something while the writer sleeps, use trap_begin(), then trap_end().
 * The alias never keeps a page mapped (alias_get() drops its pte), so that it does not stand in
 * the way of MADV_PAGEOUT.
 */
#ifndef UFFD_H
#define UFFD_H

#include <pthread.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "uffd_abi.h"

#define PAGE 4096UL
#define HUGE (2UL << 20)

/* ---- uffd.c: the system calls. They return 0 or a descriptor, else -errno. ---- */

int uffd_create(int flags);
int uffd_api(int fd, __u64 features, struct uffdio_api *reply);
int uffd_register(int fd, const void *addr, size_t len, __u64 mode, __u64 *ioctls);
int uffd_unregister(int fd, const void *addr, size_t len);
int uffd_writeprotect(int fd, const void *addr, size_t len, __u64 mode);
int uffd_wake(int fd, const void *addr, size_t len);
/* @done receives the bytes copied, or what the kernel left there; may be NULL. */
int uffd_copy(int fd, void *dst, const void *src, size_t len, __u64 mode, __s64 *done);
int uffd_zeropage(int fd, void *addr, size_t len, __u64 mode);

/* The next message, if there is one: uffds are opened non-blocking. */
bool uffd_next(int fd, struct uffd_msg *msg);
/* Wait for the next message. */
void uffd_wait(int fd, struct uffd_msg *msg);

/* The feature bits that this kernel offers. SKIP without userfaultfd. */
__u64 uffd_offered(void);
/* A userfaultfd after its handshake. SKIP where one of @features is not offered. */
int uffd_open(__u64 features);
/* SKIP unless REGISTER(WP) works on a one-page memfd: the probe for every shmem test. */
void need_shmem_wp(void);
/* SKIP unless write protection of anonymous memory is offered. */
void need_anon_wp(void);
/* SKIP if the kernel does not offer one of these feature bits. */
void need_features(__u64 features);

/* ---- backing.c: what can lie behind a mapping ---- */

struct backing {
	const char *name;
	bool shared;		/* MAP_SHARED: a store is seen through the file */
	bool file;		/* shmem behind it, MAP_SHARED or MAP_PRIVATE */
	bool huge;		/* tmpfs mounted with huge=always, 2 MB aligned */
	int (*open)(size_t size);	/* NULL: MAP_ANONYMOUS */
};

extern const struct backing memfd_shared, memfd_private, tmpfs_file, anon_shared, thp_shmem, anon;

/* Lists for CASE_ON(). */
extern const struct backing *const BACKINGS_FILE[];	/* all of shmem: shared, private, tmpfs, anon-shared, THP */
extern const struct backing *const BACKINGS_SMALL[];	/* the same without THP */
extern const struct backing *const BACKINGS_SHARED[];	/* MAP_SHARED: memfd, tmpfs, anon-shared, THP */
extern const struct backing *const BACKINGS_SHARED_SMALL[];	/* the same without THP */
extern const struct backing *const BACKINGS_FD[];	/* with a descriptor for punching and truncating, small pages */
extern const struct backing *const BACKINGS_ANON[];	/* anonymous memory only */
extern const struct backing *const BACKINGS_ALL_SMALL[];	/* small pages: shmem and anonymous memory */

struct area {
	const struct backing *backing;
	int uffd;		/* -1 before area_arm() */
	int fd;			/* -1 for MAP_ANONYMOUS */
	size_t pages, size;
	char *map;		/* under test */
	char *alias;		/* MAP_SHARED of the same file, not registered; NULL for private anonymous memory */
};

void area_open(struct area *a, const struct backing *b, size_t pages);
/* The same, at a multiple of @align, with at least @align bytes of PROT_NONE before and after. */
void area_open_aligned(struct area *a, const struct backing *b, size_t pages, size_t align);
/* Open a userfaultfd with @features and REGISTER with @mode. SKIP where the kernel does not offer it. */
void area_register(struct area *a, __u64 features, __u64 mode);
void area_arm(struct area *a, const struct backing *b, size_t pages, __u64 features);
/* Map once more what the area maps; @prot and MAP_SHARED or MAP_PRIVATE as the area has them. */
char *area_map_again(const struct area *a);
void area_close(struct area *a);

char *area_page(const struct area *a, size_t page);
int area_wp(const struct area *a, size_t first, size_t pages);
int area_unwp(const struct area *a, size_t first, size_t pages);

/* Read or write 8 bytes of the file through the alias, and drop the alias' pte again. */
uint64_t alias_get(const struct area *a, const void *addr);
void alias_set(const struct area *a, const void *addr, uint64_t value);
/* Fill the pages of the file without mapping them: page i gets file_value(i) in its first 8 bytes. */
void area_fill_file(const struct area *a, size_t first, size_t pages);
uint64_t file_value(size_t page);

/* Plain accesses of 8 bytes by the calling thread; they block if they trap. */
uint64_t touch_read(const void *addr);
void touch_write(void *addr, uint64_t value);
/* Read or write every page of a range: page i gets file_value(i). */
void touch_read_all(const struct area *a, size_t first, size_t pages);
void touch_write_all(const struct area *a, size_t first, size_t pages);
/* touch_write_all(), and be sure that the pages are present, and the file's huge if the backing is to be: or ERROR. */
void populate(const struct area *a, size_t first, size_t pages);

/* ---- proc.c: what /proc says ---- */

/* The pagemap entry of an address of this process; with bits of uffd_abi.h. */
uint64_t pm(const void *addr);
uint64_t pm_of(pid_t pid, const void *addr);
/* How many pages of [addr, addr + pages) have all the bits of @set and none of @clear. */
size_t pm_count(const void *addr, size_t pages, uint64_t set, uint64_t clear);
/* A "Name: N kB" line of the smaps entry at @addr, in kB; -1 if there is none. */
long smaps_kb(const void *addr, const char *name);
/* The same of /proc/self/status, and of /proc/meminfo. */
long status_kb(const char *name);
long meminfo_kb(const char *name);
/* A counter of /proc/vmstat; -1 if the kernel does not count it. */
long vmstat(const char *name);
/* Write to one page after the other; the minor faults that took. */
long faults_of_writing(void *addr, size_t pages);
/* The same of reading. */
long faults_of_reading(const void *addr, size_t pages);
/* State letter of a task of this process, 0 if it is gone. */
char task_state(pid_t tid);
/* Whether text can be written to / read from a file; path may be of /proc, /sys or cgroupfs. */
bool file_write(const char *path, const char *text);
bool file_read(const char *path, char *text, size_t size);

/* ---- trap.c: accesses in a thread of their own, and the oracle ---- */

enum ending {
	RUNNING,
	COMPLETED,
	GOT_SIGBUS,
	GOT_SIGSEGV,
};

enum access { READS, WRITES, CALLS };

/* A thread that makes one access of 8 bytes, or one call. Valid until touch_end(). */
struct touch {
	pthread_t thread;
	enum access access;
	volatile uint64_t *addr;
	uint64_t value;		/* to write, or read */
	long (*call)(void *arg);
	void *arg;
	long result;
	int error;		/* errno after the call */
	pid_t tid;
	int tid_ready, done;	/* eventfds; done is readable when the access has ended */
	enum ending ending;
};

void touch_start(struct touch *t, enum access access, void *addr, uint64_t value);
/* The same for a function that makes the kernel access memory: read(2), process_vm_writev(2). */
void touch_call(struct touch *t, long (*call)(void *arg), void *arg);
bool touch_ended(const struct touch *t);
/* Wait for the end of the access. */
enum ending touch_end(struct touch *t);
/* CPU time used by the thread, in nanoseconds; UINT64_MAX once it has ended. */
uint64_t touch_cpu(const struct touch *t);
/* Wait until the thread sleeps and has stopped using CPU time: false if it ends or goes on burning CPU. */
bool touch_asleep(const struct touch *t);
/* One access and how it ended, without looking at any uffd: for SIGBUS and for what must not trap. */
enum ending touch_once(enum access access, void *addr, uint64_t value);

/* Whether a message is about a write to the protected page of @addr. */
bool is_wp_message(const struct uffd_msg *msg, const volatile void *addr);

/* A value no other write of the run has used. */
uint64_t fresh_value(void);

/*
 * trap_begin() starts a write and sees it trap: the message (kept in @t) names WP, WRITE and the page,
 * the writer sleeps and uses no CPU, and the value is not visible through the alias. trap_end() removes
 * the write protection and sees the write land. Both return whether all held, and report what did not.
 */
struct trap {
	struct touch touch;
	struct uffd_msg msg;
	const char *file;
	int line;
};

bool trap_begin_at(const struct area *a, void *addr, struct trap *t, const char *file, int line);
bool trap_end_at(const struct area *a, struct trap *t, bool unwp);
bool traps_at(const struct area *a, void *addr, const char *file, int line);
bool no_trap_at(const struct area *a, void *addr, enum access access, const char *file, int line);

#define trap_begin(a, addr, t)	trap_begin_at(a, addr, t, __FILE__, __LINE__)
/* Un-WP the page, and wait for the write to land. */
#define trap_end(a, t)		trap_end_at(a, t, true)
/* Something else has released the writer (UNREGISTER, close, WAKE): wait for the write to land. */
#define trap_released(a, t)	trap_end_at(a, t, false)
#define EXPECT_TRAPS(a, addr)	traps_at(a, addr, __FILE__, __LINE__)
#define EXPECT_NO_TRAP(a, addr)	no_trap_at(a, addr, WRITES, __FILE__, __LINE__)
#define EXPECT_READS(a, addr)	no_trap_at(a, addr, READS, __FILE__, __LINE__)

/* The pagemap entry of addr has all of @set and none of @clear; prints the entry if not. */
#define EXPECT_PM(addr, set, clear) ({							\
	uint64_t pm_ = pm(addr);							\
	EXPECT_MSG((pm_ & (set)) == (set) && !(pm_ & (clear)),				\
		   "pagemap of %s is %#llx: wanted bits %#llx set, %#llx clear", #addr,	\
		   (unsigned long long)pm_, (unsigned long long)(set), (unsigned long long)(clear)); })

#endif
