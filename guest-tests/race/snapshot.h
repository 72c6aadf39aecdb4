/* SPDX-License-Identifier: GPL-2.0 */
/*
 * snapshot.h: writers, a snapshotter and one more thread that makes trouble.
 *
 * Writers count up a number in each page. The snapshotter protects all pages at once; a handler
 * saves a page before it lets the first write to it through; the others are saved in the background.
 * The saved image must be the state at the moment of WRITEPROTECT: in each page a number that was
 * written at the latest when the ioctl returned, and none older than those that were complete
 * when it began. A write that does not trap shows as a number that is too new.
 */
#ifndef SNAPSHOT_H
#define SNAPSHOT_H

#include <pthread.h>

#include "backing.h"

#define SNAP_PAGES 64
#define SNAP_WRITERS 2

struct snapshot;

/* What makes trouble, and the proof that it did. Each may be NULL. */
struct chaos {
	/* Before anything is mapped; may SKIP. */
	void (*prepare)(struct snapshot *s);
	/* After the area is armed. */
	void (*begin)(struct snapshot *s);
	/* One piece of trouble; called over and over by a thread of its own. */
	void (*step)(struct snapshot *s, uint64_t random);
	/* How much of it has really happened: must grow while the test runs. */
	long (*happened)(struct snapshot *s);
};

struct snap_page {
	uint64_t started, finished;	/* the numbers the writer has begun and ended to write */
	uint64_t before, after;		/* finished before WP, started after it */
	uint64_t saved;
	bool is_saved;
};

struct snapshot {
	struct area a;
	const struct chaos *chaos;
	char *second;			/* another mapping of the same file, for chaos */
	size_t size;			/* of the area, in pages: at least SNAP_PAGES */
	long counter;			/* for chaos to count what it did */
	double next_squeeze;
	bool calm;			/* leave CPU time to the kernel's own threads */
	bool pause;			/* set by chaos: writers and snapshotter stand still; blocked ones are let go */
	bool stop, handler_stop;
	pthread_mutex_t lock;		/* of the saved image */
	struct snap_page pages[SNAP_PAGES];
};

/* What shares its rules with all others, for CASE_BUDGET_ON(). */
extern const struct backing *const SNAPSHOTS[];

/* Take snapshots under chaos until the time budget is used up. */
void snapshot_run(const struct backing *b, size_t pages, const struct chaos *chaos);

/* A cheap random number; @state must not be 0. */
uint64_t next_random(uint64_t *state);

#endif
