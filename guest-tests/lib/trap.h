/* SPDX-License-Identifier: GPL-2.0 */
/*
 * trap.h: accesses in a thread of their own, and whether they trap.
 *
 *	EXPECT_TRAPS(&a, addr)		a write to addr traps, and lands after un-WP (which leaves it not protected)
 *	EXPECT_NO_TRAP(&a, addr)	a write to addr does not trap, and lands
 *	EXPECT_READS(&a, addr)		a read of addr does not trap
 *
 * EXPECT_TRAPS does not read the page before the write does: the first access is the write's.
 * To do something while the writer sleeps, use trap_begin(), then trap_end().
 */
#ifndef TRAP_H
#define TRAP_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "backing.h"
#include "uffd_abi.h"

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

#endif
