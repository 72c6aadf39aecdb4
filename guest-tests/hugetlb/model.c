// SPDX-License-Identifier: GPL-2.0
/*
 * Random operations on a few huge pages, and a model of what each page must show after each of them.
 * Needs: REGISTER(WP) on hugetlbfs, huge pages; where there are two NUMA nodes pages move between them.
 * Fails on a kernel on which some order of operations loses protection or data. -s gives other orders.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "access.h"
#include "backing.h"
#include "force.h"
#include "ktap.h"
#include "proc.h"
#include "trap.h"
#include "uffd.h"

#define PAGES 6

struct page {
	bool wp;
	bool own;		/* a private copy, or a private page of its own where the file has none */
	bool in_file;
	uint64_t value, file;	/* of the own page, and of the file */
};

struct world {
	struct area a;
	struct page pages[PAGES];
	uint64_t random;
	const char *last;	/* what was done last, for whoever reads a failure */
	size_t first, count;	/* to which pages */
};

static uint64_t draw(struct world *w, uint64_t below)
{
	w->random ^= w->random << 13;
	w->random ^= w->random >> 7;
	w->random ^= w->random << 17;
	return w->random % below;
}

static uint64_t value_of(const struct page *p)
{
	return p->own ? p->value : p->file;
}

/* What a read or a write leaves behind it where nothing was mapped. */
static void mapped(struct world *w, struct page *p)
{
	bool private = !w->a.backing->shared;

	if (private && !p->own && !p->in_file) {
		p->own = true;
		p->value = 0;
	}
	if (!private)
		p->in_file = true;
}

/* Mappings of hugetlbfs that were split are not merged again, and before 6.4 a range may lie in one only. */
static void change(struct world *w, bool wp)
{
	int (*call)(const struct area *a, size_t first, size_t pages) = wp ? area_wp : area_unwp;
	int err = call(&w->a, w->first, w->count);

	for (size_t i = w->first; i < w->first + w->count; i++) {
		if (err == -ENOENT)
			REQUIRE_EQ(call(&w->a, i, 1), 0);
		w->pages[i].wp = wp;
	}
	REQUIRE(err == -ENOENT || !err);
}

static void do_wp(struct world *w)
{
	change(w, true);
}

static void do_unwp(struct world *w)
{
	change(w, false);
}

static void do_read(struct world *w)
{
	struct page *p = &w->pages[w->first];

	EXPECT_READS(&w->a, area_page(&w->a, w->first));
	mapped(w, p);
}

static void do_write(struct world *w)
{
	struct page *p = &w->pages[w->first];
	char *addr = area_page(&w->a, w->first);

	if (p->wp)
		EXPECT_TRAPS(&w->a, addr);
	else
		EXPECT_NO_TRAP(&w->a, addr);
	p->wp = false;
	if (w->a.backing->shared) {
		p->file = touch_read(addr);
	} else {	/* the oracle has looked at the file, which gave it a page */
		p->own = true;
		p->value = touch_read(addr);
	}
	p->in_file = true;
}

static void gone(struct page *p)
{
	p->own = false;
	p->in_file = false;
	p->file = 0;
}

static void do_punch(struct world *w)
{
	SETUP(!fallocate(w->a.fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)(w->first * w->a.page),
			 (off_t)(w->count * w->a.page)));
	for (size_t i = 0; i < w->count; i++)
		gone(&w->pages[w->first + i]);
}

static void do_truncate(struct world *w)
{
	SETUP(!ftruncate(w->a.fd, (off_t)(w->first * w->a.page)));
	SETUP(!ftruncate(w->a.fd, (off_t)w->a.size));
	for (size_t i = w->first; i < PAGES; i++)
		gone(&w->pages[i]);
}

static void do_mprotect(struct world *w)
{
	char *addr = area_page(&w->a, w->first);

	SETUP(!mprotect(addr, w->count * w->a.page, draw(w, 2) ? PROT_READ : PROT_NONE));
	SETUP(!mprotect(addr, w->count * w->a.page, PROT_READ | PROT_WRITE));
}

static void do_move(struct world *w)
{
	void *addr = area_page(&w->a, w->first);
	int target, status;

	if (access("/sys/devices/system/node/node1", F_OK) || !(pm(addr) & PM_PRESENT))
		return;
	target = !node_of(addr);
	syscall(SYS_move_pages, 0, 1, &addr, &target, &status, MPOL_MF_MOVE_ALL);
}

static void do_store_elsewhere(struct world *w)
{
	struct page *p = &w->pages[w->first];

	p->file = fresh_value();
	p->in_file = true;
	alias_set(&w->a, area_page(&w->a, w->first), p->file);
}

/* A child sees the same, is not watched, and leaves its parent alone. */
static void do_fork(struct world *w)
{
	pid_t pid = fork();
	int status;

	SETUP(pid >= 0);
	if (!pid) {
		for (size_t i = 0; i < PAGES; i++)
			if (touch_read(area_page(&w->a, i)) != value_of(&w->pages[i]) ||
			    (pm(area_page(&w->a, i)) & PM_UFFD_WP))
				_exit(1 + (int)i);
		_exit(0);
	}
	SETUP(waitpid(pid, &status, 0) == pid);
	EXPECT_MSG(WIFEXITED(status) && !WEXITSTATUS(status), "a child sees another page %d: status %#x",
		   WEXITSTATUS(status) - 1, status);
	for (size_t i = 0; w->a.backing->shared && i < PAGES; i++)
		w->pages[i].in_file = true;
}

static void do_register_again(struct world *w)
{
	REQUIRE_EQ(uffd_unregister(w->a.uffd, w->a.map, w->a.size), 0);
	REQUIRE_EQ(uffd_register(w->a.uffd, w->a.map, w->a.size, UFFDIO_REGISTER_MODE_WP, NULL), 0);
	for (size_t i = 0; i < PAGES; i++)
		w->pages[i].wp = false;
}

static const struct op {
	const char *name;
	void (*run)(struct world *w);
	int weight;
} ops[] = {
	{ "write-protect", do_wp, 6 },
	{ "lift", do_unwp, 3 },
	{ "read", do_read, 4 },
	{ "write", do_write, 6 },
	{ "punch", do_punch, 3 },
	{ "truncate and extend", do_truncate, 2 },
	{ "mprotect there and back", do_mprotect, 2 },
	{ "move", do_move, 3 },
	{ "store through another mapping", do_store_elsewhere, 3 },
	{ "fork", do_fork, 2 },
	{ "unregister and register", do_register_again, 1 },
};

static const struct op *choose(struct world *w)
{
	int total = 0, at;

	for (size_t i = 0; i < sizeof(ops) / sizeof(*ops); i++)
		total += ops[i].weight;
	at = (int)draw(w, total);
	for (const struct op *op = ops;; op++) {
		at -= op->weight;
		if (at < 0)
			return op;
	}
}

static void judge(struct world *w, long step)
{
	for (size_t i = 0; i < PAGES; i++) {
		const struct page *p = &w->pages[i];
		char *addr = area_page(&w->a, i);
		uint64_t entry = pm(addr);

		REQUIRE_MSG(!(entry & PM_UFFD_WP) == !p->wp, "step %ld, %s of %zu+%zu: page %zu has pagemap %#llx",
			    step, w->last, w->first, w->count, i, (unsigned long long)entry);
		/* A look at what is not there would change it. */
		REQUIRE_MSG(!(entry & PM_PRESENT) || touch_read(addr) == value_of(p),
			    "step %ld, %s of %zu+%zu: page %zu reads %#llx, not %#llx",
			    step, w->last, w->first, w->count, i,
			    (unsigned long long)touch_read(addr), (unsigned long long)value_of(p));
	}
}

static void model(const struct backing *b)
{
	double end = ktap_now() + ktap_budget();
	struct world w = { .random = ktap_seed() * 7919 + 13 };
	long step = 0;

	area_arm(&w.a, b, PAGES, 0);
	for (; ktap_now() < end || step < 50; step++) {
		const struct op *op = choose(&w);

		w.first = draw(&w, PAGES);
		w.count = 1 + draw(&w, PAGES - w.first);
		w.last = op->name;
		op->run(&w);
		judge(&w, step);
	}
	ktap_diag("%ld steps", step);
}
CASE_BUDGET_ON(BACKINGS_HUGETLB, "H21_model", model);
