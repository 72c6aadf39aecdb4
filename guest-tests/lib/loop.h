/* SPDX-License-Identifier: GPL-2.0 */
/* loop.h: threads that run beside the test: over and over, or once. */
#ifndef LOOP_H
#define LOOP_H

#include <pthread.h>
#include <stdbool.h>

/* Calls fn(arg) over and over until told to stop; counts the calls. */
struct looper {
	pthread_t thread;
	void (*fn)(void *arg);
	void *arg;
	unsigned long calls;
	bool stop;
};

/* Returns after the first call has ended. */
void loop_start(struct looper *l, void (*fn)(void *arg), void *arg);
unsigned long loop_calls(const struct looper *l);
void loop_end(struct looper *l);

/* One call of fn(arg) in a thread, for system calls that wait for the handler. */
struct once {
	pthread_t thread;
	void (*fn)(void *arg);
	void *arg;
};

void once_start(struct once *o, void (*fn)(void *arg), void *arg);
void once_end(struct once *o);

#endif
