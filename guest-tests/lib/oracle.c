// SPDX-License-Identifier: GPL-2.0
/* The oracle of write protection: messages, and where a value may be seen. */
#include <poll.h>

#include "access.h"
#include "backing.h"
#include "oracle.h"
#include "uffd.h"

static uintptr_t page_of(const struct area *a, const volatile void *addr)
{
	return (uintptr_t)addr & ~(a->page - 1);
}

bool is_wp_write(const struct uffd_msg *msg)
{
	const __u64 flags = UFFD_PAGEFAULT_FLAG_WP | UFFD_PAGEFAULT_FLAG_WRITE;

	return msg->event == UFFD_EVENT_PAGEFAULT && (msg->arg.pagefault.flags & flags) == flags;
}

bool is_wp_message(const struct area *a, const struct uffd_msg *msg, const volatile void *addr)
{
	return is_wp_write(msg) && msg->arg.pagefault.address == page_of(a, addr);
}

ssize_t wp_message_page(const struct area *a, const struct uffd_msg *msg)
{
	uint64_t start = (uintptr_t)a->map, addr = msg->arg.pagefault.address;

	if (!is_wp_write(msg) || addr < start || addr >= start + a->size || addr % a->page)
		return -1;
	return (ssize_t)((addr - start) / a->page);
}

bool message_or_end(int uffd, int end, struct uffd_msg *msg)
{
	struct pollfd fds[] = { { .fd = uffd, .events = POLLIN }, { .fd = end, .events = POLLIN } };

	for (;;) {
		if (uffd >= 0 && uffd_next(uffd, msg))
			return true;
		if (fds[1].revents)
			return false;
		poll(fds, 2, -1);
	}
}

int unwp_page(const struct area *a, const volatile void *addr)
{
	return uffd_writeprotect(a->uffd, (void *)page_of(a, addr), a->page, 0);
}

uint64_t in_file(const struct area *a, const void *addr)
{
	return a->alias ? alias_get(a, addr) : 0;
}

const char *landing_fault(const struct area *a, uint64_t value, uint64_t here, uint64_t file)
{
	if (here != value)
		return "the written value is not in the mapping";
	if (a->alias && a->backing->shared && file != value)
		return "the written value is not in the file";
	if (a->alias && !a->backing->shared && file == value)
		return "a private write reached the file";
	return NULL;
}
