/* SPDX-License-Identifier: GPL-2.0 */
/* model_run.h: operations of the model on the kernel, one after the other, or several at once. */
#ifndef MODEL_RUN_H
#define MODEL_RUN_H

#include "model.h"

/* How far a run has come; in memory that the process of the run shares with who started it. */
struct progress {
	size_t done;		/* operations that have agreed with the model */
	bool differs;
	char text[400];		/* how */
	long moved, collapsed;	/* pages migrated, huge pages made */
	long met;		/* operations that were done at once with others */
};

/*
 * Run the operations in this process, which ends with status 1 at the first that differs from the model.
 * Who started it sees to an operation that hangs.
 */
void model_run(const struct op *ops, size_t n, struct differences known, struct progress *p);
/* The same with some operations at once, drawn from the seed, in @rounds rounds. */
void model_meet(uint64_t seed, size_t rounds, struct differences known, struct progress *p);

/* Run one operation, and compare. For those who have set up the world. */
void model_step(struct op op);

/* A number that follows from @state, which it changes. */
uint64_t model_random(uint64_t *state);

#endif
