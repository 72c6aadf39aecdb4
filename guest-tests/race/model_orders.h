/* SPDX-License-Identifier: GPL-2.0 */
/* model_orders.h: what the processes of the model do when they are told to. Addresses are theirs. */
#ifndef MODEL_ORDERS_H
#define MODEL_ORDERS_H

#include "access.h"
#include "model.h"

#define MAP_SIZE (MODEL_WHOLE * PAGE)

/* In memory that all processes share: what they need to know, and what they have done. */
struct orders {
	struct model model;		/* as it was before the operations at work */
	int file;
	char *addr[MODEL_MAPS];		/* of the mappings, each in its process */
	struct op fork;			/* what the child is to look at */
	struct list {			/* of operations, one for each process: order_list() */
		size_t n;
		struct op ops[4];
		struct came came[4];
		uint64_t moved;		/* pages */
	} lists[2];
};
extern struct orders *orders;

/* Orders return 0 or errno, where nothing else is said. */
uint64_t order_advise(void *addr, uint64_t how);
uint64_t advice(size_t pages, int what);
uint64_t order_mprotect(void *addr, uint64_t how);	/* @how: pages << 1 | PROT_NONE */
uint64_t order_migrate(void *addr, uint64_t pages);	/* how many pages moved */
uint64_t order_clear_refs(void *unused, uint64_t what);
uint64_t order_remap(void *addr, uint64_t how);
uint64_t remapping(bool private, size_t first, size_t pages);
/* Move what is at @addr to a place of that size; the old place is kept. */
uint64_t order_move(void *addr, uint64_t to);
uint64_t order_move_pages(void *addr, uint64_t how);	/* of a few pages; see moving() */
uint64_t moving(const char *to, size_t pages);
uint64_t order_fork(void *unused, uint64_t unused2);	/* what differs in the child; see fork_text() */
const char *fork_text(uint64_t differs);
uint64_t order_uffd(void *unused, uint64_t unused2);	/* a new userfaultfd, or UINT64_MAX */
uint64_t order_close(void *unused, uint64_t fd);
uint64_t order_list(void *unused, uint64_t index);	/* the operations of that list, one after the other */

#endif
