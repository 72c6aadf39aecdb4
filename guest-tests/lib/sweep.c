// SPDX-License-Identifier: GPL-2.0
/* The trap oracle for many pages at once, and threads that run beside the test. */
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "ktap.h"
#include "sweep.h"

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

/* Wait until the uffd has a message (true) or the writer is done (false). */
static bool next_message(const struct sweep *s, struct uffd_msg *msg)
{
	struct pollfd fds[] = { { .fd = s->area->uffd, .events = POLLIN }, { .fd = s->done, .events = POLLIN } };

	for (;;) {
		if (uffd_next(s->area->uffd, msg))
			return true;
		if (fds[1].revents & POLLIN)
			return false;
		poll(fds, 2, -1);
	}
}

static bool is_wp_write(const struct uffd_msg *msg)
{
	const __u64 flags = UFFD_PAGEFAULT_FLAG_WP | UFFD_PAGEFAULT_FLAG_WRITE;

	return msg->event == UFFD_EVENT_PAGEFAULT && (msg->arg.pagefault.flags & flags) == flags;
}

/* The page of a WP message, -1 if the message is anything else. */
static ssize_t message_page(const struct sweep *s, const struct uffd_msg *msg)
{
	uint64_t start = (uintptr_t)s->area->map;
	uint64_t addr = msg->arg.pagefault.address;

	if (!is_wp_write(msg) || addr < start || addr >= start + s->area->size || addr % PAGE)
		return -1;
	return (ssize_t)((addr - start) / PAGE);
}

/* Answer the messages; @next is the page whose write is due. Tolerates a second message of the page before. */
static bool answer(const struct sweep *s)
{
	size_t next = s->first + 1, last = s->first + s->pages;
	struct uffd_msg msg;
	ssize_t page;

	while (next_message(s, &msg)) {
		page = message_page(s, &msg);
		if (page == (ssize_t)next - 1) {
			area_unwp(s->area, page, 1);
			continue;
		}
		if (page < (ssize_t)next || page >= (ssize_t)last)
			return fail(s, next, "a message that is not about it");
		if (page > (ssize_t)next)
			return fail(s, next, "its write did not trap");
		if (s->area->alias && touch_read(s->area->alias + page * PAGE) == s->base + page)
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
		if (touch_read(area_page(s->area, i)) != s->base + i)
			return fail(s, i, "the written value is not in the mapping");
		if (s->area->alias && s->area->backing->shared && touch_read(s->area->alias + i * PAGE) != s->base + i)
			return fail(s, i, "the written value is not in the file");
	}
	/* One drop of the alias' ptes for all, where alias_get() drops them for each. */
	SETUP(!s->area->alias || !madvise(s->area->alias, s->area->size, MADV_DONTNEED));
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
	if (next_message(&s, &msg)) {
		fail(&s, message_page(&s, &msg), "a write trapped that must not");
		ktap_stop();
	}
	pthread_join(writer, NULL);
	close(s.done);
	return landed(&s);
}

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
