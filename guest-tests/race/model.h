/* SPDX-License-Identifier: GPL-2.0 */
/*
 * model.h: a reference model of write protection, and operations that change it.
 *
 * One file is mapped three times in two processes, each mapping with a userfaultfd of its own:
 * mapping 0 (shared) and 1 (private) in process 0, mapping 2 (shared) in process 1. The model says
 * for each page of each mapping whether it is protected, what is known of its being mapped, and what
 * a read would find. model.c is the whole of the rules; it asks the kernel nothing.
 */
#ifndef MODEL_H
#define MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MODEL_MAPS 3
#define MODEL_PAGES 64
#define MODEL_WHOLE 512		/* pages of the file that is not truncated: one huge page */

enum op_kind {
	READ,			/* one page of one mapping */
	WRITE,
	WP,			/* a range of one mapping */
	UNWP,
	DONTNEED,
	REMOVE,			/* MADV_REMOVE */
	PUNCH,			/* fallocate on the descriptor */
	TRUNCATE,		/* to @first pages, or to its whole size if @first is MODEL_PAGES */
	FD_WRITE,
	COPY,			/* UFFDIO_COPY of one page */
	COPY_WP,
	ZEROPAGE,
	PAGEOUT,
	SQUEEZE,		/* memory.high */
	SWAPOFF,		/* and swapon */
	MIGRATE,
	COLLAPSE,		/* let khugepaged make a huge page of the file */
	MPROTECT,		/* read-only (even @pages) or none, and back */
	CLEAR_REFS,
	FORK,			/* without EVENT_FORK; the child looks and reads */
	MREMAP,			/* of the whole mapping, without EVENT_REMAP; then REGISTER */
	REMAP,			/* munmap, mmap and REGISTER of a range */
	UNREGISTER,		/* and REGISTER */
	DROP_WP,		/* REGISTER(MISSING), then REGISTER(WP) */
	NR_OPS,
};

struct op {
	uint8_t kind, map, first, pages;
};

enum at { ABSENT, PRESENT, UNKNOWN };
enum cached { NO, YES, MAYBE };	/* a page of zeros that nobody has written may be dropped by reclaim */
enum own { FROM_FILE, OWN_ZERO, OWN_COPY };	/* of a private mapping: the zero page, a COWed page */

struct mpage {
	bool wp;
	enum at at;
	enum own own;
	uint64_t value;		/* of OWN_COPY */
};

struct model {
	size_t size;		/* of the file, in pages */
	bool huge;		/* huge pages may be about: pages come and go in groups */
	bool drop_keeps;	/* this kernel keeps protection over DROP_WP (a listed difference) */
	uint64_t file[MODEL_PAGES];
	enum cached cached[MODEL_PAGES];	/* whether there is a page of the file */
	struct mpage map[MODEL_MAPS][MODEL_PAGES];
};

/* What an access or ioctl must come to. */
enum outcome {
	FINE,
	TRAPS,
	BUS_ERROR,
	EXISTS,			/* -EEXIST */
	FAULTS,			/* -EFAULT */
	FINE_OR_EXISTS,		/* depends on what the model does not know; tell it with model_apply() */
};

extern const char *const op_names[NR_OPS];

void model_init(struct model *m);
/* What a read of the page finds. The page must lie inside the file. */
uint64_t model_value(const struct model *m, int map, size_t page);
/* What the operation must come to, before it is applied. */
enum outcome model_expects(const struct model *m, struct op op);
/* The operation has come to @came; @value is what it wrote, if it writes. */
void model_apply(struct model *m, struct op op, enum outcome came, uint64_t value);
/* Make an operation one that the rules are about, whatever its fields were. */
struct op model_legal(struct op op);

#endif
