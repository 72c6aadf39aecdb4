/* SPDX-License-Identifier: GPL-2.0 */
/*
 * sides.h: what somebody else may do to the pages of an area, one piece at a time.
 *
 * Each may be an order to a peer or the work of a thread. A page that is busy stays as it is: that
 * something was done, the counters of the kernel say.
 */
#ifndef SIDES_H
#define SIDES_H

#include <sys/types.h>

#include "backing.h"

/* Of the whole file. Each returns 0, or errno. */
int side_punch(const struct area *a);
int side_truncate(const struct area *a);	/* to nothing, and back to its size */
/* Of the pages in @owner: to the other node; at most SIDE_MOVES. */
#define SIDE_MOVES 512
int side_migrate(const struct area *a, pid_t owner);
/* Reclaim of what is charged to this cgroup beyond 1 MB. */
int side_reclaim(void);
/* Have khugepaged make a huge page of the file, through the alias, or give it some time to. */
int side_collapse(const struct area *a);

/* How much of it there has been since boot. */
long side_migrated(void);
long side_swapped(void);

/* SKIP where it is not to be had. */
void need_migration(void);
void need_reclaim(void);	/* enters a cgroup */

#endif
