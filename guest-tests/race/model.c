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
	[REMAP] = "REMAP", [UNREGISTER] = "UNREGISTER", [DROP_WP] = "DROP_WP", [REG_END] = "REG_END",
	[REG_WP] = "REG_WP", [REG_MISSING] = "REG_MISSING", [REG_BOTH] = "REG_BOTH", [CLOSE] = "CLOSE",
	[SPLIT] = "SPLIT", [MERGE] = "MERGE", [BESIDE] = "BESIDE",
};

static bool is_private(int map)
{
	return map == 1;
}

void model_init(struct model *m)
{
	memset(m, 0, sizeof(*m));
	m->size = MODEL_WHOLE;
	for (int map = 0; map < MODEL_MAPS; map++)
		for (size_t page = 0; page < MODEL_PAGES; page++)
			m->map[map][page].mode = FOR_WP;
}

uint64_t model_value(const struct model *m, int map, size_t page)
{
	const struct mpage *p = &m->map[map][page];

	return p->own == OWN_COPY ? p->value : p->own == OWN_ZERO ? 0 : m->file[page];
}

bool model_can_protect(const struct model *m, int map, size_t page)
{
	return m->map[map][page].mode & FOR_WP;
}

static bool is_fill(enum op_kind kind)
{
	return kind == COPY || kind == COPY_WP || kind == ZEROPAGE;
}

static bool is_access(enum op_kind kind)
{
	return kind == READ || kind == WRITE;
}

bool op_of_one_page(enum op_kind kind)
{
	return is_access(kind) || is_fill(kind) || kind == FD_WRITE;
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
	if (op.pages < 1 || op_of_one_page(op.kind))
		op.pages = 1;
	if (op.kind != TRUNCATE && op.first + op.pages > MODEL_PAGES)
		op.pages = MODEL_PAGES - op.first;
	return op;
}

/* MISSING comes first: a page that is not there can be filled. Beyond the end there is nothing to fill. */
static struct expected expects_fill(const struct model *m, struct op op)
{
	const struct mpage *p = &m->map[op.map][op.first];
	const struct expected exists = { EXISTS, 0 }, fine = { 0, 0 }, either = { 0, EXISTS };

	if (!p->mode)
		return (struct expected){ UNREGISTERED, 0 };
	if (op.kind == COPY_WP && !(p->mode & FOR_WP))
		return (struct expected){ INVALID, 0 };
	if (op.first >= m->size)
		return (struct expected){ FAULTS, 0 };
	if (m->huge)
		return (struct expected){ 0, EXISTS | FAULTS };
	if (!is_private(op.map))
		return m->cached[op.first] == YES ? exists : m->cached[op.first] == NO ? fine : either;
	if (p->at == PRESENT)
		return exists;
	if (op.kind == ZEROPAGE && p->wp)	/* refused, or as protected as the marker was: C11 */
		return either;
	return p->at == ABSENT ? fine : either;
}

/* The page of the file is asked for, and there is none. */
static struct expected expects_miss(const struct model *m, struct op op)
{
	const struct mpage *p = &m->map[op.map][op.first];

	if (!(p->mode & FOR_MISSING) || p->own != FROM_FILE || m->cached[op.first] == YES)
		return (struct expected){ 0, 0 };
	if (m->huge || m->cached[op.first] == MAYBE)
		return (struct expected){ 0, MISSES };
	return (struct expected){ MISSES, 0 };
}

struct expected model_expects(const struct model *m, struct op op)
{
	const struct mpage *p = &m->map[op.map][op.first];
	struct expected expected;

	if (is_fill(op.kind))
		return expects_fill(m, op);
	if (!is_access(op.kind))
		return (struct expected){ 0, 0 };
	if (op.first >= m->size)
		return (struct expected){ BUS_ERROR, 0 };
	expected = expects_miss(m, op);
	if (op.kind == WRITE && p->wp && p->mode & FOR_WP)
		expected.must |= TRAPS;
	return expected;
}

bool as_expected(struct expected expected, unsigned int came)
{
	return (came & expected.must) == expected.must && !(came & ~(expected.must | expected.may));
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

void map_with_others(struct model *m, int map, size_t page)
{
	if (!(m->map[map][page].mode & FOR_WP) && m->map[map][page].at == ABSENT)
		m->map[map][page].at = UNKNOWN;
}

/* Where nothing is protected, a fault for reading maps what is around it, too, and before it fails. */
void map_around(struct model *m, struct op op)
{
	if (op.kind != READ || m->map[op.map][op.first].mode & FOR_WP)
		return;
	for (size_t page = 0; page < MODEL_PAGES; page++)
		map_with_others(m, op.map, page);
}

/* The file page comes in where the access is to it. */
static void touched(struct model *m, struct op op)
{
	struct mpage *p = &m->map[op.map][op.first];

	if (p->own == FROM_FILE)
		m->cached[op.first] = YES;
	p->at = PRESENT;
}

void model_fault(struct model *m, struct op op)
{
	struct mpage *p = &m->map[op.map][op.first];
	uint64_t value = model_value(m, op.map, op.first);

	map_around(m, op);
	if (op.first >= m->size)
		return;
	touched(m, op);
	if (op.kind == WRITE && is_private(op.map) && !(p->wp && p->mode & FOR_WP)) {
		p->own = OWN_COPY;
		p->value = value;
	}
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

/* The page is filled, and protected from now on, or not. */
static void filled(struct model *m, struct op op, uint64_t value, bool wp)
{
	struct mpage *p = &m->map[op.map][op.first];

	if (!is_private(op.map)) {
		m->file[op.first] = value;
		m->cached[op.first] = YES;
	} else {
		p->own = op.kind == ZEROPAGE ? OWN_ZERO : OWN_COPY;
		p->value = value;
	}
	p->wp = wp;
	p->at = PRESENT;
}

static void apply_fill(struct model *m, struct op op, uint64_t value)
{
	bool stays = op.kind == ZEROPAGE && is_private(op.map) && m->map[op.map][op.first].wp;

	filled(m, op, value, op.kind == COPY_WP || stays);
}

/* A page that was missing has been filled for it, as protected as the hole was. */
static void apply_access(struct model *m, struct op op, struct came came)
{
	if (came.bits & MISSES)
		filled(m, op, came.filled, m->map[op.map][op.first].wp);
	if (op.kind == READ)
		touched(m, op);
	else
		written(m, op, came.value);
}

static void unprotect(struct mpage *p)
{
	p->wp = false;
}

static void end_registration(struct mpage *p)
{
	unprotect(p);
	p->mode = 0;
}

/* What is registered for all that is asked for stays as it is. */
static void reregister(struct mpage *p, uint8_t mode)
{
	if ((p->mode & mode) == mode)
		return;
	if (!(mode & FOR_WP))
		unprotect(p);
	p->mode = mode;
}

static void drop_wp(const struct model *m, struct mpage *p)
{
	bool was = p->wp;

	if (m->known.drop_refused)
		end_registration(p);
	reregister(p, FOR_MISSING);
	reregister(p, FOR_WP);
	p->wp = p->wp || (was && m->known.drop_keeps);
}

static void apply_to_page(struct model *m, struct op op, size_t page)
{
	struct mpage *p = &m->map[op.map][page];

	switch (op.kind) {
	case WP:
		p->wp = p->mode & FOR_WP;
		if (m->huge && p->at == PRESENT)	/* a huge page is split for it */
			p->at = UNKNOWN;
		break;
	case UNWP:
		if (p->mode & FOR_WP)
			unprotect(p);
		break;
	case UNREGISTER:
		end_registration(p);
		reregister(p, FOR_WP);
		break;
	case DROP_WP:
		drop_wp(m, p);
		break;
	case REG_END:
	case BESIDE:
		end_registration(p);
		break;
	case REG_WP:
		reregister(p, FOR_WP);
		break;
	case REG_MISSING:
		if (m->known.drop_keeps || m->known.drop_refused)	/* model_run.c */
			end_registration(p);
		reregister(p, FOR_MISSING);
		break;
	case REG_BOTH:
		reregister(p, FOR_WP | FOR_MISSING);
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
		end_registration(p);
		reregister(p, FOR_WP);
		break;
	case FORK:	/* the child has read it, in all the mappings of its process */
		if (page < m->size)
			m->cached[page] = YES;
		break;
	}
}

static void end_all(struct model *m, int map, uint8_t mode)
{
	for (size_t page = 0; page < MODEL_PAGES; page++) {
		end_registration(&m->map[map][page]);
		m->map[map][page].mode = mode;
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
		end_all(m, op.map, FOR_WP);
		break;
	case CLOSE:
		end_all(m, op.map, 0);
		break;
	}
}

#define REFUSED (BUS_ERROR | EXISTS | FAULTS | UNREGISTERED | INVALID)

void model_apply(struct model *m, struct op op, struct came came)
{
	if (m->huge)
		forget_present(m);
	map_around(m, op);
	if (came.bits & REFUSED)
		return;
	if (is_access(op.kind))
		apply_access(m, op, came);
	else if (is_fill(op.kind))
		apply_fill(m, op, came.value);
	else
		for (size_t page = op.first; page < (size_t)op.first + op.pages && page < MODEL_PAGES; page++)
			apply_to_page(m, op, page);
	apply_to_all(m, op, came.value);
	if (m->huge && op.kind == COLLAPSE)
		forget_present(m);
}
