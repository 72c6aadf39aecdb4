// SPDX-License-Identifier: GPL-2.0
/* Run operations against the kernel, and compare it with the model after each. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "access.h"
#include "force.h"
#include "khugepaged.h"
#include "ktap.h"
#include "model_world.h"
#include "peer.h"
#include "trap.h"
#include "uffd.h"

#define COLLAPSE_WAIT 0.3	/* seconds */

static bool all_can_be_protected(struct op op)
{
	for (size_t i = op.first; i < (size_t)op.first + op.pages; i++)
		if (!model_can_protect(model, op.map, i))
			return false;
	return true;
}

/* Each page for itself: those that are registered for it, and no others, take it. */
static void writeprotect_each(struct op op, __u64 mode)
{
	for (size_t i = op.first; i < (size_t)op.first + op.pages; i++) {
		int err = uffd_writeprotect(maps[op.map].uffd, maps[op.map].addr + i * PAGE, PAGE, mode);

		if (err != (model_can_protect(model, op.map, i) ? 0 : -ENOENT))
			differ("WRITEPROTECT: %s: %s", err ? strerror(-err) : "not refused", page_text(op.map, i));
	}
}

/* A range that lies in more than one vma may have to be done in pieces (before 6.4). */
static void writeprotect(struct op op, __u64 mode)
{
	int err = -ENOENT;

	if (all_can_be_protected(op))
		err = uffd_writeprotect(maps[op.map].uffd, addr_of(op), op.pages * PAGE, mode);
	if (err == -ENOENT)
		writeprotect_each(op, mode);
	else if (err)
		differ("WRITEPROTECT: %s", strerror(-err));
}

static void reregister(struct op op, __u64 mode)
{
	int err = uffd_register(maps[op.map].uffd, addr_of(op), op.pages * PAGE, mode, NULL);

	if (err)
		differ("REGISTER: %s", strerror(-err));
}

static void unregister(struct op op)
{
	int err = uffd_unregister(maps[op.map].uffd, addr_of(op), op.pages * PAGE);

	if (err)
		differ("UNREGISTER: %s", strerror(-err));
}

/* ---- accesses ---- */

/* A message of any mapping (its index), or -1 when the process has answered. */
static int message_or_answer(const struct peer *p, struct uffd_msg *msg)
{
	struct pollfd fds[MODEL_MAPS + 1];

	for (;;) {
		for (int i = 0; i < MODEL_MAPS; i++) {
			fds[i] = (struct pollfd){ .fd = maps[i].uffd, .events = POLLIN };
			if (uffd_next(maps[i].uffd, msg))
				return i;
		}
		fds[MODEL_MAPS] = (struct pollfd){ .fd = p->answers, .events = POLLIN };
		poll(fds, MODEL_MAPS + 1, -1);
		if (fds[MODEL_MAPS].revents)
			return -1;
	}
}

static bool is_about(const struct uffd_msg *msg, struct op op)
{
	return msg->event == UFFD_EVENT_PAGEFAULT && msg->arg.pagefault.address == (uintptr_t)addr_of(op);
}

static bool is_for_protection(const struct uffd_msg *msg)
{
	return msg->arg.pagefault.flags & UFFD_PAGEFAULT_FLAG_WP;
}

static bool is_for_writing(const struct uffd_msg *msg)
{
	return msg->arg.pagefault.flags & UFFD_PAGEFAULT_FLAG_WRITE;
}

static uint64_t file_at(size_t page)
{
	uint64_t value = 0;

	if (pread(file, &value, sizeof(value), (off_t)(page * PAGE)) != sizeof(value))
		differ("the file has no page %zu", page);
	return value;
}

/* Fill the page that is missing, as protected as it is. A message may come twice. */
static void fill_missing(struct op op, struct came *came)
{
	uint64_t page[PAGE / 8] = { came->filled };
	bool wp = model->map[op.map][op.first].wp;
	int err = uffd_copy(maps[op.map].uffd, addr_of(op), page, PAGE, wp ? UFFDIO_COPY_MODE_WP : 0, NULL);

	if (err == -EEXIST)
		err = uffd_wake(maps[op.map].uffd, addr_of(op), PAGE);
	if (err)
		differ("the page that is missing cannot be filled: %s: %s", strerror(-err), page_text(op.map, op.first));
	came->bits |= MISSES;
}

static void release(struct op op, struct came *came)
{
	if (peer_answered(maps[op.map].peer))
		differ("the writer did not stay blocked: %s", page_text(op.map, op.first));
	if (op.first < model->size && file_at(op.first) == came->value)
		differ("the value is in the file before un-WP: %s", page_text(op.map, op.first));
	came->bits |= TRAPS;
	writeprotect(op, 0);
}

/* Serve the messages of an access until it has ended. */
static void serve_access(struct op op, struct came *came)
{
	struct uffd_msg msg;
	int from;

	while ((from = message_or_answer(maps[op.map].peer, &msg)) >= 0) {
		bool known = from == op.map && is_about(&msg, op);

		if (known && is_for_protection(&msg) && is_for_writing(&msg) && op.kind == WRITE)
			release(op, came);
		else if (known && !is_for_protection(&msg) && is_for_writing(&msg) == (op.kind == WRITE))
			fill_missing(op, came);
		else
			differ("wrong message to the userfaultfd of mapping %d: event %#x, flags %#llx, address %#llx",
			       from, msg.event, (unsigned long long)msg.arg.pagefault.flags,
			       (unsigned long long)msg.arg.pagefault.address);
	}
}

static void access_page(struct op op, struct came *came)
{
	struct peer *p = maps[op.map].peer;
	enum ending ending;

	peer_post(p, op.kind == WRITE ? peer_write : peer_read, addr_of(op), came->value);
	serve_access(op, came);
	ending = (enum ending)answer(p);
	if (ending == GOT_SIGBUS)
		came->bits |= BUS_ERROR;
	else if (ending != COMPLETED)
		differ("the access ended in a signal: %s", page_text(op.map, op.first));
}

static void fill(struct op op, struct came *came)
{
	uint64_t page[PAGE / 8] = { came->value };
	int uffd = maps[op.map].uffd, err;

	if (op.kind == ZEROPAGE)
		err = uffd_zeropage(uffd, addr_of(op), PAGE, 0);
	else
		err = uffd_copy(uffd, addr_of(op), page, PAGE, op.kind == COPY_WP ? UFFDIO_COPY_MODE_WP : 0, NULL);
	if (err == -ENOMEM && model->known.beyond_enomem && op.first >= model->size)
		err = -EFAULT;
	came->bits = !err ? 0 : err == -EEXIST ? EXISTS : err == -EFAULT ? FAULTS : err == -ENOENT ? UNREGISTERED :
		     err == -EINVAL ? INVALID : ~0u;
}

static const char *bits_text(unsigned int bits)
{
	static const char *const names[] = { "traps", "misses", "SIGBUS", "EEXIST", "EFAULT", "ENOENT", "EINVAL" };
	static char text[2][100];
	static int turn;
	char *to = text[turn++ % 2];
	size_t used = 0;

	strcpy(to, "completes");
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (bits & 1u << i)
			used += (size_t)snprintf(to + used, 100 - used, "%s%s", used ? ", " : "", names[i]);
	return to;
}

/* ---- the other operations ---- */

static void run_fork(struct op op)
{
	uint64_t differs;

	orders->fork = op;
	differs = ask(maps[op.map].peer, order_fork, NULL, 0);
	if (differs)
		differ("the child of a fork: %s", fork_text(differs));
}

static void moved_to(int map, char *to)
{
	orders->addr[map] = maps[map].addr = to;
}

/* Newer kernels (7.3) move piece by piece, up to one that is registered and not the first: half of it is moved. */
static bool would_be_halved(int map, size_t first, size_t pages)
{
	const struct mpage *page = &model->map[map][first];

	for (size_t i = 1; !page->mode && i < pages; i++)
		if (page[i].mode)
			return true;
	return false;
}

/* EFAULT where the pages are in several pieces that do not merge: nothing has happened then. */
static uint64_t move_pages(struct op op, size_t first, size_t pages, peer_fn how, char *from, uint64_t to)
{
	return would_be_halved(op.map, first, pages) ? EFAULT : ask(maps[op.map].peer, how, from, to);
}

static bool run_mremap(struct op op)
{
	struct mapping *m = &maps[op.map];
	char *to = m->addr == m->slot[0] ? m->slot[1] : m->slot[0];
	uint64_t err = move_pages(op, 0, MODEL_PAGES, order_move, m->addr, (uintptr_t)to);

	if (err == EFAULT)
		return false;
	if (err)
		differ("mremap: %s", strerror((int)err));
	moved_to(op.map, to);
	if (uffd_register(m->uffd, m->addr, MAP_SIZE, UFFDIO_REGISTER_MODE_WP, NULL))
		differ("REGISTER after mremap is refused");
	return true;
}

/* What comes back is registered and protected as its neighbours may be, so that it can merge with them. */
static bool run_beside(struct op op)
{
	struct mapping *m = &maps[op.map];
	uint64_t err = move_pages(op, op.first, op.pages, order_move_pages, addr_of(op), moving(m->spare, op.pages));

	if (err == EFAULT)
		return false;
	if (err)
		differ("mremap: %s", strerror((int)err));
	if (uffd_register(m->uffd, m->spare, op.pages * PAGE, UFFDIO_REGISTER_MODE_WP, NULL) ||
	    uffd_writeprotect(m->uffd, m->spare, op.pages * PAGE, UFFDIO_WRITEPROTECT_MODE_WP))
		differ("REGISTER or WRITEPROTECT after mremap is refused");
	err = ask(m->peer, order_move_pages, m->spare, moving(addr_of(op), op.pages));
	if (err)
		differ("mremap back: %s", strerror((int)err));
	return true;
}

static void run_close(struct op op)
{
	ask_fine(op, order_close, NULL, (uint64_t)maps[op.map].their_uffd);
	close(maps[op.map].uffd);
	world_new_uffd(op.map);
}

/* khugepaged does not scan at all where no mapping is whole enough: it need not make a huge page. */
static void run_collapse(struct op op)
{
	double end = ktap_now() + COLLAPSE_WAIT;
	long before = khugepaged_collapsed();

	for (int i = 0; i < 2; i++)	/* 5.10 looks at the flag that the call before has set */
		ask_fine(op, order_advise, maps[op.map].addr, advice(MODEL_WHOLE, MADV_HUGEPAGE));
	while (ktap_now() < end && khugepaged_collapsed() == before)
		usleep(2000);
	if (op.pages % 2)
		ask_fine(op, order_advise, maps[op.map].addr, advice(MODEL_WHOLE, MADV_NOHUGEPAGE));
	progress->collapsed += khugepaged_collapsed() - before;
}

static void run_file_op(struct op op, uint64_t value)
{
	size_t size = op.first == MODEL_PAGES ? MODEL_WHOLE : op.first;

	if (op.kind == TRUNCATE && ftruncate(file, (off_t)(size * PAGE)))
		differ("ftruncate: %s", strerror(errno));
	if (op.kind == PUNCH && fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
					  (off_t)(op.first * PAGE), (off_t)(op.pages * PAGE)))
		differ("fallocate: %s", strerror(errno));
	if (op.kind == FD_WRITE && op.first < model->size &&
	    pwrite(file, &value, sizeof(value), (off_t)(op.first * PAGE)) != sizeof(value))
		differ("pwrite: %s", strerror(errno));
}

/* Operations on a range of registrations. */
static bool run_registration(struct op op)
{
	switch (op.kind) {
	case UNREGISTER:
		unregister(op);
		reregister(op, UFFDIO_REGISTER_MODE_WP);
		break;
	case DROP_WP:
		if (model->known.drop_refused)
			unregister(op);
		reregister(op, UFFDIO_REGISTER_MODE_MISSING);
		reregister(op, UFFDIO_REGISTER_MODE_WP);
		break;
	case REG_END:
		unregister(op);
		break;
	case REG_WP:
		reregister(op, UFFDIO_REGISTER_MODE_WP);
		break;
	case REG_MISSING:
		if (model->known.drop_keeps || model->known.drop_refused)
			unregister(op);
		reregister(op, UFFDIO_REGISTER_MODE_MISSING);
		break;
	case REG_BOTH:
		reregister(op, UFFDIO_REGISTER_MODE_MISSING | UFFDIO_REGISTER_MODE_WP);
		break;
	case CLOSE:
		run_close(op);
		break;
	default:
		return false;
	}
	return true;
}

/* Returns whether the operation took place. */
static bool run_other(struct op op, uint64_t value)
{
	switch (op.kind) {
	case WP:
		writeprotect(op, UFFDIO_WRITEPROTECT_MODE_WP);
		break;
	case UNWP:
		writeprotect(op, 0);
		break;
	case DONTNEED:
		ask_fine(op, order_advise, addr_of(op), advice(op.pages, MADV_DONTNEED));
		break;
	case REMOVE:
		ask_fine(op, order_advise, addr_of(op), advice(op.pages, MADV_REMOVE));
		break;
	case PUNCH:
	case TRUNCATE:
	case FD_WRITE:
		run_file_op(op, value);
		break;
	case PAGEOUT:
		ask_fine(op, order_advise, addr_of(op), advice(op.pages, MADV_PAGEOUT));
		break;
	case SQUEEZE:
		cgroup_squeeze("0");
		break;
	case SWAPOFF:
		swap_off_and_on();
		break;
	case MIGRATE:
		progress->moved += (long)ask(maps[op.map].peer, order_migrate, addr_of(op), op.pages);
		break;
	case COLLAPSE:
		run_collapse(op);
		break;
	case MPROTECT:
		ask_fine(op, order_mprotect, addr_of(op), (uint64_t)op.pages << 1 | op.pages % 2);
		break;
	case CLEAR_REFS:
		ask(maps[op.map].peer, order_clear_refs, NULL, op.first);
		break;
	case FORK:
		run_fork(op);
		break;
	case MREMAP:
		return run_mremap(op);
	case REMAP:
		ask_fine(op, order_remap, addr_of(op), remapping(op.map == 1, op.first, op.pages));
		reregister(op, UFFDIO_REGISTER_MODE_WP);
		break;
	case SPLIT:
		ask_fine(op, order_advise, addr_of(op), advice(op.pages, MADV_RANDOM));
		break;
	case MERGE:
		ask_fine(op, order_advise, addr_of(op), advice(op.pages, MADV_NORMAL));
		break;
	case BESIDE:
		return run_beside(op);
	default:
		return run_registration(op);
	}
	return true;
}

/* What was read or written is what the process finds there afterwards. */
static void look_again(struct op op)
{
	uint64_t seen = ask(maps[op.map].peer, peer_get, addr_of(op), 0);

	if (seen != model_value(model, op.map, op.first))
		differ("it reads %#llx, in the model %#llx: %s", (unsigned long long)seen,
		       (unsigned long long)model_value(model, op.map, op.first), page_text(op.map, op.first));
}

/* A huge entry maps what lies beyond the end of the file, too, where nothing forbids huge entries. */
static bool is_beyond_huge(struct op op)
{
	return model->huge && op.first >= model->size && !model_can_protect(model, op.map, op.first);
}

void model_step(struct op op)
{
	struct came came = { .value = op.kind == ZEROPAGE ? 0 : fresh_value(), .filled = fresh_value() };
	struct expected expected = model_expects(model, op);
	bool done = true, access = op.kind == READ || op.kind == WRITE;

	if ((access && is_beyond_huge(op)) || (op.kind == BESIDE && model->known.beside_ends))
		return;
	if (access)
		access_page(op, &came);
	else if (op.kind == COPY || op.kind == COPY_WP || op.kind == ZEROPAGE)
		fill(op, &came);
	else
		done = run_other(op, came.value);
	if (!as_expected(expected, came.bits))
		differ("it %s; in the model it %s%s%s: %s", bits_text(came.bits), bits_text(expected.must),
		       expected.may ? ", or " : "", expected.may ? bits_text(expected.may) : "",
		       page_text(op.map, op.first));
	if (!done)
		return;
	model_apply(model, op, came);
	if (access && !(came.bits & BUS_ERROR))
		look_again(op);
	compare_all();
}

void model_run(const struct op *ops, size_t n, struct differences known, struct progress *p)
{
	world_set_up(known, p);
	for (p->done = 0; p->done < n; p->done++)
		model_step(ops[p->done]);
	world_end();
}
