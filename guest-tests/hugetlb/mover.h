/* SPDX-License-Identifier: GPL-2.0 */
/* mover.h: a thread that moves huge pages from node to node, while the test does something else to them. */
#ifndef MOVER_H
#define MOVER_H

#include <sys/syscall.h>
#include <unistd.h>

#include "backing.h"
#include "force.h"
#include "ktap.h"
#include "loop.h"

struct mover {
	struct looper looper;
	struct area *area;
	unsigned long moves;
};

static inline void mover_move(void *arg)
{
	struct mover *m = arg;

	for (size_t i = 0; i < m->area->pages; i++) {
		void *addr = area_page(m->area, i);
		int target = !node_of(addr), status = -1;

		/* It may be busy: then the next round moves it. */
		m->moves += !syscall(SYS_move_pages, 0, 1, &addr, &target, &status, MPOL_MF_MOVE_ALL) && status == target;
	}
}

static inline void mover_start(struct mover *m, struct area *a)
{
	migrate(a, 0, a->pages, MPOL_MF_MOVE_ALL);
	*m = (struct mover){ .area = a };
	loop_start(&m->looper, mover_move, m);
}

/* That nothing moved after the first round, or next to nothing, is no test. */
static inline void mover_end(struct mover *m)
{
	loop_end(&m->looper);
	ktap_diag("%lu pages moved, in %lu rounds", m->moves, loop_calls(&m->looper));
	SETUP_MSG(m->moves > m->area->pages, "%lu pages moved meanwhile", m->moves);
}

#endif
