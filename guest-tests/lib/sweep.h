/* SPDX-License-Identifier: GPL-2.0 */
/*
 * sweep.h: the trap oracle for many pages at once, in one go.
 *
 * EXPECT_ALL_TRAP(&a, first, pages): one thread writes the pages in order. Each write must send a WP
 * message of its own page, must not be visible through the alias before un-WP, and must land after it.
 * That the writer sleeps and burns no CPU is looked at for the first page only: about 50 times as
 * fast as EXPECT_TRAPS for each.
 */
#ifndef SWEEP_H
#define SWEEP_H

#include "backing.h"

bool all_trap_at(const struct area *a, size_t first, size_t pages, const char *file, int line);
#define EXPECT_ALL_TRAP(a, first, pages) all_trap_at(a, first, pages, __FILE__, __LINE__)

/* Writes to every page of a range complete, without a message. */
bool none_traps_at(const struct area *a, size_t first, size_t pages, const char *file, int line);
#define EXPECT_NONE_TRAPS(a, first, pages) none_traps_at(a, first, pages, __FILE__, __LINE__)

#endif
