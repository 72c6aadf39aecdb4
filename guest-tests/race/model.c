// SPDX-License-Identifier: GPL-2.0
/* The rules of write protection on files, as the state table of the design has them. */
#include <string.h>

#include "model.h"

const char *const op_names[NR_OPS] = {
	[READ] = "READ", [WRITE] = "WRITE", [WP] = "WP", [UNWP] = "UNWP", [DONTNEED] = "DONTNEED",
	[REMOVE] = "REMOVE", [PUNCH] = "PUNCH", [TRUNCATE] = "TRUNCATE", [FD_WRITE] = "FD_WRITE",
	[COPY] = "COPY", [COPY_WP] = "COPY_WP", [ZEROPAGE] = "ZEROPAGE", [PAGEOUT] = "PAGEOUT",
	[SQUEEZE] = "SQUEEZE", [SWAPOFF] = "SWAPOFF", [MIGRATE] = "MIGRATE", [COLLAPSE] = "COLLAPSE",
	[MPROTECT] = "MPROTECT", [CLEAR_REFS] = "CLEAR_REFS", [FORK] = "FORK", [MREMAP] = "MREMAP",
	[REMAP] = "REMAP", [UNREGISTER] = "UNREGISTER", [DROP_WP] = "DROP_WP",
};

static bool is_private(int map)
{
	return map == 1;
}

void model_init(struct model *m)
{
	memset(m, 0, sizeof(*m));
	m->size = MODEL_WHOLE;
}

uint64_t model_value(const struct model *m, int map, size_t page)
{
	const struct mpage *p = &m->map[map][page];

	return p->own == OWN_COPY ? p->value : p->own == OWN_ZERO ? 0 : m->file[page];
}

struct op model_legal(struct op op)
{
	op.kind %= NR_OPS;
	op.map %= MODEL_MAPS;
	if (op.kind == TRUNCATE)
		op.first %= MODEL_PAGES + 1;
	else
		op.first %= MODEL_PAGES;
	if (op.kind == REMOVE && is_private(op.map))	/* refused with EACCES */
		op.map = 0;
	if (op.pages < 1 || op.kind == READ || op.kind == WRITE || op.kind == COPY || op.kind == COPY_WP ||
	    op.kind == ZEROPAGE || op.kind == FD_WRITE)
		op.pages = 1;
	if (op.kind != TRUNCATE && op.first + op.pages > MODEL_PAGES)
		op.pages = MODEL_PAGES - op.first;
	return op;
}

/* MISSING comes first: a page that is not there can be filled. Beyond the end there is nothing to fill. */
static enum outcome expects_fill(const struct model *m, struct op op)
{
	const struct mpage *p = &m->map[op.map][op.first];

	if (op.first >= m->size)
		return FAULTS;
	if (m->huge)
		return FINE_OR_EXISTS;
	if (!is_private(op.map))
		return m->cached[op.first] == YES ? EXISTS : m->cached[op.first] == NO ? FINE : FINE_OR_EXISTS;
	if (op.kind == ZEROPAGE && p->wp)	/* not even over a marker */
		return EXISTS;
	return p->at == PRESENT ? EXISTS : p->at == ABSENT ? FINE : FINE_OR_EXISTS;
}

enum outcome model_expects(const struct model *m, struct op op)
{
	if (op.kind == COPY || op.kind == COPY_WP || op.kind == ZEROPAGE)
		return expects_fill(m, op);
	if (op.kind != READ && op.kind != WRITE)
		return FINE;
	if (op.first >= m->size)
		return BUS_ERROR;
	return op.kind == WRITE && m->map[op.map][op.first].wp ? TRAPS : FINE;
}

/* The page table entry goes; protection stays. */
static void zap(struct mpage *p)
{
	p->at = ABSENT;
	p->own = FROM_FILE;
}

/* A hole in the file: all that is mapped of it goes. A COWed page is not of the file. */
static void punch(struct model *m, size_t page)
{
	m->file[page] = 0;
	m->cached[page] = NO;
	for (int map = 0; map < MODEL_MAPS; map++)
		if (m->map[map][page].own != OWN_COPY)
			zap(&m->map[map][page]);
}

static void truncate_to(struct model *m, size_t size)
{
	for (size_t page = size; page < MODEL_PAGES; page++) {
		for (int map = 0; map < MODEL_MAPS; map++)
			zap(&m->map[map][page]);
		punch(m, page);
	}
	m->size = size == MODEL_PAGES ? MODEL_WHOLE : size;
}

static void reclaim(struct model *m, size_t page)
{
	if (!m->file[page] && m->cached[page] == YES)
		m->cached[page] = MAYBE;
}

static void reclaim_all(struct model *m)
{
	for (size_t page = 0; page < MODEL_PAGES; page++)
		reclaim(m, page);
}

static void forget_present(struct model *m)
{
	for (int map = 0; map < MODEL_MAPS; map++)
		for (size_t page = 0; page < MODEL_PAGES; page++)
			if (m->map[map][page].at == PRESENT)
				m->map[map][page].at = UNKNOWN;
}

/* The file page comes in where the access is to it. */
static void touched(struct model *m, struct op op)
{
	struct mpage *p = &m->map[op.map][op.first];

	if (p->own == FROM_FILE)
		m->cached[op.first] = YES;
	p->at = PRESENT;
}

static void written(struct model *m, struct op op, uint64_t value)
{
	struct mpage *p = &m->map[op.map][op.first];

	touched(m, op);
	p->wp = false;	/* un-WP'd, if it was protected */
	if (is_private(op.map)) {
		p->own = OWN_COPY;
		p->value = value;
	} else {
		m->file[op.first] = value;
	}
}

static void filled(struct model *m, struct op op, uint64_t value)
{
	struct mpage *p = &m->map[op.map][op.first];

	if (!is_private(op.map)) {
		m->file[op.first] = value;
		m->cached[op.first] = YES;
	} else {
		p->own = op.kind == ZEROPAGE ? OWN_ZERO : OWN_COPY;
		p->value = value;
	}
	p->wp = op.kind == COPY_WP;
	p->at = PRESENT;
}

static void unprotect(struct mpage *p)
{
	p->wp = false;
}

static void apply_to_page(struct model *m, struct op op, size_t page)
{
	struct mpage *p = &m->map[op.map][page];

	switch (op.kind) {
	case WP:
		p->wp = true;
		if (m->huge && p->at == PRESENT)	/* a huge page is split for it */
			p->at = UNKNOWN;
		break;
	case UNWP:
	case UNREGISTER:
		unprotect(p);
		break;
	case DROP_WP:
		if (!m->drop_keeps)
			unprotect(p);
		break;
	case DONTNEED:
		zap(p);
		break;
	case REMOVE:
	case PUNCH:
		punch(m, page);
		break;
	case PAGEOUT:
		reclaim(m, page);
		if (p->at == PRESENT)
			p->at = UNKNOWN;
		break;
	case REMAP:
		zap(p);
		unprotect(p);
		break;
	case FORK:	/* the child has read it, in all the mappings of its process */
		if (page < m->size)
			m->cached[page] = YES;
		break;
	}
}

static void apply_to_all(struct model *m, struct op op, uint64_t value)
{
	switch (op.kind) {
	case TRUNCATE:
		truncate_to(m, op.first);
		break;
	case FD_WRITE:
		if (op.first < m->size) {
			m->file[op.first] = value;
			m->cached[op.first] = YES;
		}
		break;
	case SQUEEZE:
	case SWAPOFF:
		reclaim_all(m);
		forget_present(m);
		break;
	case COLLAPSE:
		m->huge = true;
		break;
	case MREMAP:
		for (size_t page = 0; page < MODEL_PAGES; page++)
			unprotect(&m->map[op.map][page]);
		break;
	}
}

void model_apply(struct model *m, struct op op, enum outcome came, uint64_t value)
{
	if (m->huge)
		forget_present(m);
	if (came == BUS_ERROR || came == EXISTS || came == FAULTS)
		return;
	if (op.kind == READ)
		touched(m, op);
	else if (op.kind == WRITE)
		written(m, op, value);
	else if (op.kind == COPY || op.kind == COPY_WP || op.kind == ZEROPAGE)
		filled(m, op, value);
	else
		for (size_t page = op.first; page < (size_t)op.first + op.pages && page < MODEL_PAGES; page++)
			apply_to_page(m, op, page);
	apply_to_all(m, op, value);
	if (m->huge && op.kind == COLLAPSE)
		forget_present(m);
}
