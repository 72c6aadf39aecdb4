/* SPDX-License-Identifier: GPL-2.0 */
/* access.h: the sizes of pages, and plain accesses of 8 bytes by the calling thread, which block if they trap. */
#ifndef ACCESS_H
#define ACCESS_H

#include <stdint.h>

#define PAGE 4096UL
#define HUGE (2UL << 20)
#define GIANT (1UL << 30)

uint64_t touch_read(const void *addr);
void touch_write(void *addr, uint64_t value);
/* A value no other write of the run has used. */
uint64_t fresh_value(void);

#endif
