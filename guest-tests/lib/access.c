// SPDX-License-Identifier: GPL-2.0
/* Plain accesses. */
#include <unistd.h>

#include "access.h"

uint64_t touch_read(const void *addr)
{
	return *(const volatile uint64_t *)addr;
}

void touch_write(void *addr, uint64_t value)
{
	*(volatile uint64_t *)addr = value;
}

uint64_t fresh_value(void)
{
	static uint64_t last;

	/* A forked process counts on from its parent's value. */
	return 0xFEED000000000000ULL | (uint64_t)(getpid() & 0xffff) << 32 |
	       __atomic_add_fetch(&last, 1, __ATOMIC_RELAXED);
}
