// SPDX-License-Identifier: GPL-2.0
/* The trap oracle for many pages at once. */
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "access.h"
#include "backing.h"
#include "ktap.h"
#include "oracle.h"
#include "proc.h"
#include "sweep.h"
#include "trap.h"

struct sweep {
	const struct area *area;
	size_t first, pages;
	uint64_t base;		/* page i is given base + i */
	int done;
	const char *file;
	int line;
};

static bool fail(const struct sweep *s, size_t page, const char *what)
{
	ktap_check(false);
	ktap_failed(s->file, s->line, "page %zu of %s: %s; pagemap %#llx", page, s->area->backing->name, what,
		    (unsigned long long)pm(area_page(s->area, page)));
	return false;
}

static void *write_pages(void *arg)
{
	const struct sweep *s = arg;
	uint64_t one = 1;

	for (size_t i = s->first + 1; i < s->first + s->pages; i++)
		touch_write(area_page(s->area, i), s->base + i);
	SETUP(write(s->done, &one, sizeof(one)) == sizeof(one));
	return NULL;
}

/* The file's value by the alias, which stays mapped until the end. */
static uint64_t in_file_of(const struct sweep *s, size_t page)
{
	return s->area->alias ? touch_read(s->area->alias + page * s->area->page) : 0;
}

/* Answer the messages; @next is the page whose write is due. Tolerates a second message of the page before. */
static bool answer(const struct sweep *s)
{
	size_t next = s->first + 1, last = s->first + s->pages;
	struct uffd_msg msg;
	ssize_t page;

	while (message_or_end(s->area->uffd, s->done, &msg)) {
		page = wp_message_page(s->area, &msg);
		if (page == (ssize_t)next - 1) {
			area_unwp(s->area, page, 1);
			continue;
		}
		if (page < (ssize_t)next || page >= (ssize_t)last)
			return fail(s, next, "a message that is not about it");
		if (page > (ssize_t)next)
			return fail(s, next, "its write did not trap");
		if (in_file_of(s, (size_t)page) == s->base + (size_t)page)
			return fail(s, page, "the value is visible before un-WP");
		if (area_unwp(s->area, page, 1))
			return fail(s, page, "un-WP is refused");
		next++;
	}
	return next == last || fail(s, next, "its write did not trap");
}

static bool landed(const struct sweep *s)
{
	for (size_t i = s->first + 1; i < s->first + s->pages; i++) {
		const char *fault = landing_fault(s->area, s->base + i, touch_read(area_page(s->area, i)), in_file_of(s, i));

		if (fault)
			return fail(s, i, fault);
	}
	/* It drops the alias' ptes, once for all of them. */
	if (s->area->alias)
		alias_get(s->area, s->area->map);
	ktap_held();
	return true;
}

/* The counter of fresh_value() moved up: leaves room for a page number below it. */
static uint64_t fresh_base(void)
{
	return fresh_value() << 24;
}

/*
 * Writer and handler take turns: on one CPU they do so without waking another one, which takes long
 * where CPUs are emulated. Returns what the calling thread had before.
 */
static cpu_set_t stay_on_this_cpu(void)
{
	cpu_set_t old, one;

	CPU_ZERO(&one);
	CPU_SET(sched_getcpu(), &one);
	SETUP(!sched_getaffinity(0, sizeof(old), &old));
	SETUP(!sched_setaffinity(0, sizeof(one), &one));
	return old;
}

bool all_trap_at(const struct area *a, size_t first, size_t pages, const char *file, int line)
{
	struct sweep s = { .area = a, .first = first, .pages = pages, .base = fresh_base(),
			   .done = eventfd(0, EFD_CLOEXEC), .file = file, .line = line };
	pthread_t writer;
	cpu_set_t old;

	SETUP(s.done >= 0);
	if (!traps_at(a, area_page(a, first), file, line))
		return false;
	old = stay_on_this_cpu();
	SETUP(!pthread_create(&writer, NULL, write_pages, &s));
	if (!answer(&s))
		ktap_stop();
	pthread_join(writer, NULL);
	SETUP(!sched_setaffinity(0, sizeof(old), &old));
	close(s.done);
	return landed(&s);
}

bool none_traps_at(const struct area *a, size_t first, size_t pages, const char *file, int line)
{
	struct sweep s = { .area = a, .first = first - 1, .pages = pages + 1, .base = fresh_base(),
			   .done = eventfd(0, EFD_CLOEXEC), .file = file, .line = line };
	struct uffd_msg msg;
	pthread_t writer;

	SETUP(s.done >= 0);
	SETUP(!pthread_create(&writer, NULL, write_pages, &s));
	if (message_or_end(a->uffd, s.done, &msg)) {
		fail(&s, wp_message_page(a, &msg), "a write trapped that must not");
		ktap_stop();
	}
	pthread_join(writer, NULL);
	close(s.done);
	return landed(&s);
}
