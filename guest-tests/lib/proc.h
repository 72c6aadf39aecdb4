/* SPDX-License-Identifier: GPL-2.0 */
/* proc.h: what /proc and /sys say of memory and tasks. */
#ifndef PROC_H
#define PROC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "ktap.h"
#include "uffd_abi.h"

/* The pagemap entry of an address of this process; with bits of uffd_abi.h. */
uint64_t pm(const void *addr);
uint64_t pm_of(pid_t pid, const void *addr);
/* How many pages of [addr, addr + pages) have all the bits of @set and none of @clear. */
size_t pm_count(const void *addr, size_t pages, uint64_t set, uint64_t clear);
/* A "Name: N kB" line of the smaps entry at @addr, in kB; -1 if there is none. */
long smaps_kb(const void *addr, const char *name);
/* The same of /proc/self/status, and of /proc/meminfo. */
long status_kb(const char *name);
long meminfo_kb(const char *name);
/* A counter of /proc/vmstat; -1 if the kernel does not count it. */
long vmstat(const char *name);
/* Write to one page after the other; the minor faults that took. */
long faults_of_writing(void *addr, size_t pages);
/* The same of reading. */
long faults_of_reading(const void *addr, size_t pages);
/* State letter of a task of this process, 0 if it is gone. */
char task_state(pid_t tid);
/* Whether text can be written to / read from a file; path may be of /proc, /sys or cgroupfs. */
bool file_write(const char *path, const char *text);
bool file_read(const char *path, char *text, size_t size);

/* The pagemap entry of addr has all of @set and none of @clear; prints the entry if not. */
#define EXPECT_PM(addr, set, clear) ({							\
	uint64_t pm_ = pm(addr);							\
	EXPECT_MSG((pm_ & (set)) == (set) && !(pm_ & (clear)),				\
		   "pagemap of %s is %#llx: wanted bits %#llx set, %#llx clear", #addr,	\
		   (unsigned long long)pm_, (unsigned long long)(set), (unsigned long long)(clear)); })

#endif
