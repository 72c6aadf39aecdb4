/* SPDX-License-Identifier: GPL-2.0 */
/*
 * oracle.h: what a write to a protected page must show, whoever makes it: a message about a write to that
 * page, for its protection; its value nowhere until the protection is lifted; and after that in the
 * mapping, and in the file if the mapping is shared.
 * trap.h asks this of one access by a thread, peer.h of one by another process, sweep.h of many pages.
 */
#ifndef ORACLE_H
#define ORACLE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "backing.h"
#include "uffd_abi.h"

/* Whether a message is about a write to a page, for its protection. */
bool is_wp_write(const struct uffd_msg *msg);
/* Whether such a message is about the page of @addr. */
bool is_wp_message(const struct area *a, const struct uffd_msg *msg, const volatile void *addr);
/* The page of the area that such a message is about; -1 for every other message. */
ssize_t wp_message_page(const struct area *a, const struct uffd_msg *msg);
/* Wait for a message (true), or until @end is readable (false). Messages come first; -1 for @uffd has none. */
bool message_or_end(int uffd, int end, struct uffd_msg *msg);
/* The answer to a message: lift the protection of the page of @addr. 0 or -errno. */
int unwp_page(const struct area *a, const volatile void *addr);
/* What the file has at @addr by the alias; 0 where there is no alias. */
uint64_t in_file(const struct area *a, const void *addr);
/*
 * What is wrong with a write of @value that has ended, NULL if nothing is: @here is what its process reads there,
 * @file what in_file() says.
 */
const char *landing_fault(const struct area *a, uint64_t value, uint64_t here, uint64_t file);

#endif
