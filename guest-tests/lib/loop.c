// SPDX-License-Identifier: GPL-2.0
/* Threads that run beside the test. */
#include <pthread.h>
#include <sched.h>

#include "ktap.h"
#include "loop.h"

static void *loop_main(void *arg)
{
	struct looper *l = arg;

	while (!__atomic_load_n(&l->stop, __ATOMIC_ACQUIRE)) {
		l->fn(l->arg);
		__atomic_fetch_add(&l->calls, 1, __ATOMIC_RELEASE);
	}
	return NULL;
}

unsigned long loop_calls(const struct looper *l)
{
	return __atomic_load_n(&l->calls, __ATOMIC_ACQUIRE);
}

void loop_start(struct looper *l, void (*fn)(void *arg), void *arg)
{
	*l = (struct looper){ .fn = fn, .arg = arg };
	SETUP(!pthread_create(&l->thread, NULL, loop_main, l));
	while (!loop_calls(l))
		sched_yield();
}

void loop_end(struct looper *l)
{
	__atomic_store_n(&l->stop, true, __ATOMIC_RELEASE);
	pthread_join(l->thread, NULL);
}

static void *once_main(void *arg)
{
	struct once *o = arg;

	o->fn(o->arg);
	return NULL;
}

void once_start(struct once *o, void (*fn)(void *arg), void *arg)
{
	*o = (struct once){ .fn = fn, .arg = arg };
	SETUP(!pthread_create(&o->thread, NULL, once_main, o));
}

void once_end(struct once *o)
{
	pthread_join(o->thread, NULL);
}
