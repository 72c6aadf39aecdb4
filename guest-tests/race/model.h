/* SPDX-License-Identifier: GPL-2.0 */
/*
 * model.h: a reference model of write protection, and operations that change it.
 *
 * One file is mapped three times in two processes, each mapping with a userfaultfd of its own:
 * mapping 0 (shared) and 1 (private) in process 0, mapping 2 (shared) in process 1. The model says
 * for each page of each mapping what it is registered for, whether it is protected, what is known of
 * its being mapped, and what a read would find. model.c is the whole of the rules; it asks the kernel
 * nothing.
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
	REG_END,		/* UNREGISTER, and no more */
	REG_WP,			/* REGISTER of a range, whatever it was registered for */
	REG_MISSING,
	REG_BOTH,
	CLOSE,			/* of the userfaultfd; the mapping gets another one, not registered */
	SPLIT,			/* the range is a vma of its own */
	MERGE,			/* and one with its neighbours again */
	BESIDE,			/* the range moves away, is registered there, and comes back to its neighbours */
	NR_OPS,
};

struct op {
	uint8_t kind, map, first, pages;
};

enum at { ABSENT, PRESENT, UNKNOWN };
enum cached { NO, YES, MAYBE };	/* a page of zeros that nobody has written may be dropped by reclaim */
enum own { FROM_FILE, OWN_ZERO, OWN_COPY };	/* of a private mapping: the zero page, a COWed page */

/* What a page is registered for. */
#define FOR_WP 1
#define FOR_MISSING 2

struct mpage {
	uint8_t mode;
	bool wp;
	enum at at;
	enum own own;
	uint64_t value;		/* of OWN_COPY */
};

/* What this kernel is known to do otherwise, found by probing. */
struct differences {
	bool drop_keeps;	/* protection stays over DROP_WP (L15) */
	bool drop_refused;	/* REGISTER without WP is EBUSY until UNREGISTER, which is done first, then */
	bool beyond_enomem;	/* a fill beyond the end of the file is ENOMEM, and not EFAULT */
	bool beside_ends;	/* BESIDE ends the registration of the neighbours, too (L20): it is left out */
};

struct model {
	size_t size;		/* of the file, in pages */
	bool huge;		/* huge pages may be about: pages come and go in groups */
	struct differences known;
	uint64_t file[MODEL_PAGES];
	enum cached cached[MODEL_PAGES];	/* whether there is a page of the file */
	struct mpage map[MODEL_MAPS][MODEL_PAGES];
};

/* What an operation comes to: some of these, or none. */
#define TRAPS		(1u << 0)	/* a message for its protection */
#define MISSES		(1u << 1)	/* a message for the missing page, which UFFDIO_COPY answers */
#define BUS_ERROR	(1u << 2)
#define EXISTS		(1u << 3)	/* -EEXIST */
#define FAULTS		(1u << 4)	/* -EFAULT */
#define UNREGISTERED	(1u << 5)	/* -ENOENT */
#define INVALID		(1u << 6)	/* -EINVAL */

/* What it must come to, and what it may, where that depends on what the model does not know. */
struct expected {
	unsigned int must, may;
};

/* What it has come to. */
struct came {
	unsigned int bits;
	uint64_t value;		/* what it wrote, or read */
	uint64_t filled;	/* what the answer to MISSES put there */
};

extern const char *const op_names[NR_OPS];

void model_init(struct model *m);
/* What a read of the page finds. The page must lie inside the file. */
uint64_t model_value(const struct model *m, int map, size_t page);
/* What the operation must come to, before it is applied. */
struct expected model_expects(const struct model *m, struct op op);
bool as_expected(struct expected expected, unsigned int came);
/* The operation has come to that. */
void model_apply(struct model *m, struct op op, struct came came);
/* The fault of an access has come, and the access itself is still to come. */
void model_fault(struct model *m, struct op op);
/* A page may have been mapped with another one, if it cannot be protected. */
void map_with_others(struct model *m, int map, size_t page);
/* What is around the page of an access may have been mapped with it. */
void map_around(struct model *m, struct op op);
/* Whether the page can be protected with WRITEPROTECT. */
bool model_can_protect(const struct model *m, int map, size_t page);
/* Make an operation one that the rules are about, whatever its fields were. */
struct op model_legal(struct op op);
/* Whether an operation is about one page only. */
bool op_of_one_page(enum op_kind kind);

#endif
