/* SPDX-License-Identifier: GPL-2.0 */
/* model_run.h: operations of the model on the kernel. */
#ifndef MODEL_RUN_H
#define MODEL_RUN_H

#include "model.h"

/* How far a run has come; in memory that the process of the run shares with who started it. */
struct progress {
	size_t done;		/* operations that have agreed with the model */
	double began;		/* when the one after them did; 0 before the first */
	bool differs;
	char text[400];		/* how */
	long moved, collapsed;	/* pages migrated, huge pages made */
};

/*
 * Run the operations in this process, which ends with status 1 at the first that differs from the model.
 * Who started it sees to an operation that hangs.
 */
void model_run(const struct op *ops, size_t n, bool drop_keeps, struct progress *p);

#endif
