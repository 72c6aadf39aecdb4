/* SPDX-License-Identifier: GPL-2.0 */
/*
 * peer.h: a second process, which does one thing at a time as it is told, and userfaultfd
 * events that a system call waits for.
 *
 *	peer_start(&p)				fork; the child waits for orders
 *	peer_call(&p, fn, addr, value)		it runs fn(addr, value); returns the result
 *	peer_post(), peer_result()		the same in two halves, for what may block
 *	PEER_TRAPS(&p, &area, addr)		the oracle of EXPECT_TRAPS for a write by the peer
 *	peer_end(&p)				let it exit; returns its wait status
 *
 * The peer begins as a copy of its parent: addresses and functions are good in both.
 * A peer that dies instead of answering is a failure of the kernel.
 */
#ifndef PEER_H
#define PEER_H

#include <pthread.h>
#include <stdint.h>
#include <sys/types.h>

#include "backing.h"
#include "proc.h"

typedef uint64_t (*peer_fn)(void *addr, uint64_t value);

struct peer {
	pid_t pid;
	int orders, answers;
};

void peer_start(struct peer *p);
void peer_post(struct peer *p, peer_fn fn, void *addr, uint64_t value);
/* Whether an answer waits to be fetched, or the peer is dead. */
bool peer_answered(const struct peer *p);
uint64_t peer_result(struct peer *p);
uint64_t peer_call(struct peer *p, peer_fn fn, void *addr, uint64_t value);
int peer_end(struct peer *p);
/* Wait for the end of a peer that something else ends; returns its wait status. */
int peer_reap(struct peer *p);
/* Kill it, wherever it is, and reap it. */
void peer_kill(struct peer *p);
/* Wait until the peer sleeps in the order it was given and burns no CPU. False if it answers or spins. */
bool peer_asleep(const struct peer *p);

/* Orders. The accesses return an enum ending, except peer_get, which returns what it read. */
uint64_t peer_read(void *addr, uint64_t unused);
uint64_t peer_write(void *addr, uint64_t value);
uint64_t peer_get(void *addr, uint64_t unused);
/* The peer's own pagemap entry. */
uint64_t peer_pm(void *addr, uint64_t unused);
/* The peer's "NAME: N kB" of /proc/self/status; @name is a string of this program. */
uint64_t peer_status_kb(void *name, uint64_t unused);
/* MADV_DONTNEED of @bytes. Returns 0 or errno. */
uint64_t peer_dontneed(void *addr, uint64_t bytes);

/*
 * A write by the peer traps to @a->uffd, stays blocked and invisible, and lands after un-WP through
 * that uffd. @a is the peer's view of an area: the parent's struct with the peer's uffd in it.
 */
bool peer_traps_at(struct peer *p, const struct area *a, void *addr, const char *file, int line);
/* A write by the peer completes, is there for the peer, and for the file if it is shared. */
bool peer_writes_at(struct peer *p, const struct area *a, void *addr, const char *file, int line);
#define PEER_TRAPS(p, a, addr)	peer_traps_at(p, a, addr, __FILE__, __LINE__)
#define PEER_WRITES(p, a, addr)	peer_writes_at(p, a, addr, __FILE__, __LINE__)

/* The entry of the peer's pagemap has all bits of @set and none of @clear. */
#define PEER_PM(p, addr, set, clear) ({							\
	uint64_t pm_ = pm_of((p)->pid, addr);						\
	EXPECT_MSG((pm_ & (set)) == (set) && !(pm_ & (clear)),				\
		   "the peer's pagemap of %s is %#llx: wanted bits %#llx set, %#llx clear", #addr, \
		   (unsigned long long)pm_, (unsigned long long)(set), (unsigned long long)(clear)); })

/* Reads one event in a thread, while the caller is in the system call that waits for its delivery. */
struct event {
	pthread_t thread;
	int uffd;
	struct uffd_msg msg;
};

void event_begin(struct event *e, int uffd);
/* The event that came; the case stops as failed if it is of another kind. */
const struct uffd_msg *event_end(struct event *e, int kind);

/* Fork a peer whose parent's uffd has EVENT_FORK; @seen becomes @a with the peer's uffd in it. */
void peer_start_event(struct peer *p, const struct area *a, struct area *seen);

#endif
