/* SPDX-License-Identifier: GPL-2.0 */
/*
 * model_world.h: the mappings and processes that the model is about, and how they compare with it.
 *
 * Whatever differs from the model ends this process: who started it reads in struct progress how.
 */
#ifndef MODEL_WORLD_H
#define MODEL_WORLD_H

#include "model_orders.h"
#include "model_run.h"
#include "peer.h"

#define SLOTS 2			/* places that a mapping moves between */

/* One of the mappings. Its process is a peer; this process has its userfaultfd, too. */
struct mapping {
	struct peer *peer;
	char *slot[SLOTS];
	char *spare;		/* room for a few pages that go away and come back */
	char *addr;
	int uffd, their_uffd, pagemap;
};

/* Set up by world_set_up(). */
extern struct model *model;
extern struct mapping maps[MODEL_MAPS];
extern struct peer peers[2];
extern int file;
extern struct progress *progress;

void world_set_up(struct differences known, struct progress *p);
void world_end(void);
/* A new userfaultfd for the mapping, which is not registered. */
void world_new_uffd(int map);

/* The kernel and the model differ: say how, and end this run. */
void differ(const char *fmt, ...) __attribute__((noreturn, format(printf, 1, 2)));
/* What pagemap and the model say of a page. */
const char *page_text(int map, size_t page);

uint64_t answer(struct peer *p);
uint64_t ask(struct peer *p, peer_fn fn, void *addr, uint64_t value);
/* An order that returns 0 or errno. */
void ask_fine(struct op op, peer_fn fn, void *addr, uint64_t value);
char *addr_of(struct op op);

/* How many times to look for what may be on its way (a migration). */
#define LOOK_AGAIN 50
/* What the model knows of a page, and pagemap says. */
bool entry_agrees(const struct mpage *p, uint64_t entry);
void read_entries(int map, uint64_t *entries);
void read_file(uint64_t *values);
void compare_all(void);

#endif
