// SPDX-License-Identifier: GPL-2.0
/*
 * Operations that meet: both processes and the manager work on the same pages at once, each on a short list
 * of its own. Then all stop, and what is there must be what some order of the operations leaves.
 *
 * For each page, every order of what concerns it is tried on the model, as long as it keeps to the lists. An
 * access is two steps, its fault and what it loads or stores, for others may come between them; a hole is
 * two, for what comes to the file while it is made may be taken, too (shmem_undo_range() looks again). The
 * page is as it should be if one of the orders leaves it so, in which each access and fill comes to what it
 * did. Where several do, the model goes on with what they have in common; what a private page
 * holds is read.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "access.h"
#include "ktap.h"
#include "model_world.h"
#include "oracle.h"
#include "peer.h"
#include "uffd.h"

#define ACTORS 3		/* process 0, process 1, the manager */
#define MANAGER 2
#define LIST 2			/* operations of each */
#define ALL (ACTORS * LIST)
#define MEETING_PAGES 3		/* that they meet on */
#define MAX_STATES 256		/* that orders leave of a page */

struct act {
	struct op op;
	struct came came;
};

static struct act acts[ALL];	/* those of actor i from i * LIST on */

/* ---- drawing ---- */

static const enum op_kind process_ops[] = {
	READ, READ, READ, WRITE, WRITE, WRITE, WRITE, DONTNEED, DONTNEED, REMOVE, PAGEOUT, MIGRATE, MIGRATE, MPROTECT,
	FORK,
};

static const enum op_kind manager_ops[] = {
	WP, WP, WP, WP, UNWP, UNWP, PUNCH, PUNCH, FD_WRITE, COPY, COPY_WP, ZEROPAGE, REG_END, REG_WP, REG_WP,
};

#define PICK(list, random) (list)[(random) % (sizeof(list) / sizeof(*(list)))]

/* Accesses of one process to the same page would be one message's too many. */
static bool same_access(struct op a, struct op b)
{
	return a.map == b.map && a.first == b.first && (a.kind == READ || a.kind == WRITE) &&
	       (b.kind == READ || b.kind == WRITE);
}

static struct op draw_for(int actor, uint64_t *state)
{
	struct op op;

	op.kind = actor == MANAGER ? PICK(manager_ops, model_random(state)) : PICK(process_ops, model_random(state));
	op.map = actor == 0 ? model_random(state) % 2 : actor == 1 ? 2 : model_random(state) % MODEL_MAPS;
	op.first = model_random(state) % MEETING_PAGES;
	op.pages = 1 + model_random(state) % MEETING_PAGES;
	if (op.kind == REMOVE && op.map == 1)
		op.kind = DONTNEED;
	if (op.kind == FORK && op.map == 1)	/* whose own pages are not of the file */
		op.map = 0;
	return model_legal(op);
}

static void draw_round(uint64_t *state)
{
	for (int i = 0; i < ALL; i++) {
		acts[i] = (struct act){ .op = draw_for(i / LIST, state), .came = { .value = fresh_value() } };
		if (acts[i].op.kind == ZEROPAGE)
			acts[i].came.value = 0;
		if (i % LIST && same_access(acts[i].op, acts[i - 1].op))
			i--;
	}
}

/* ---- doing ---- */

/* Answers messages while the others are at work. */
struct handler {
	pthread_t thread;
	int stop;		/* an eventfd */
};

/* The access that a message is about: of the process whose mapping it is. */
static struct came *came_of(int map, uint64_t address)
{
	int actor = map == 2;

	for (int i = actor * LIST; i < (actor + 1) * LIST; i++)
		if (acts[i].op.map == map && acts[i].op.kind == WRITE && (uintptr_t)addr_of(acts[i].op) == address)
			return &acts[i].came;
	return NULL;
}

/* The registration may have ended meanwhile, and with it the wait. */
static void release(int map, const struct uffd_msg *msg)
{
	struct came *came = came_of(map, msg->arg.pagefault.address);
	int err;

	if (!is_wp_write(msg) || !came)
		differ("wrong message to the userfaultfd of mapping %d: event %#x, flags %#llx, address %#llx", map,
		       msg->event, (unsigned long long)msg->arg.pagefault.flags,
		       (unsigned long long)msg->arg.pagefault.address);
	came->bits |= TRAPS;
	err = uffd_writeprotect(maps[map].uffd, (void *)(uintptr_t)msg->arg.pagefault.address, PAGE, 0);
	if (err && err != -ENOENT)
		differ("un-WP: %s", strerror(-err));
}

static void *handle(void *arg)
{
	struct handler *h = arg;
	struct pollfd fds[MODEL_MAPS + 1];
	struct uffd_msg msg;

	for (;;) {
		for (int i = 0; i < MODEL_MAPS; i++) {
			fds[i] = (struct pollfd){ .fd = maps[i].uffd, .events = POLLIN };
			while (uffd_next(maps[i].uffd, &msg))
				release(i, &msg);
		}
		fds[MODEL_MAPS] = (struct pollfd){ .fd = h->stop, .events = POLLIN };
		poll(fds, MODEL_MAPS + 1, -1);
		if (fds[MODEL_MAPS].revents)
			return NULL;
	}
}

static void handler_start(struct handler *h)
{
	h->stop = eventfd(0, EFD_CLOEXEC);
	SETUP(h->stop >= 0);
	SETUP(!pthread_create(&h->thread, NULL, handle, h));
}

static void handler_end(struct handler *h)
{
	uint64_t one = 1;

	SETUP(write(h->stop, &one, sizeof(one)) == sizeof(one));
	pthread_join(h->thread, NULL);
	close(h->stop);
}

/* One page at a time: the range may lie in several vmas, and what is not registered is refused. */
static void protect(struct op op)
{
	for (size_t i = op.first; i < (size_t)op.first + op.pages; i++) {
		int err = uffd_writeprotect(maps[op.map].uffd, maps[op.map].addr + i * PAGE, PAGE,
					    op.kind == WP ? UFFDIO_WRITEPROTECT_MODE_WP : 0);

		if (err && err != -ENOENT)
			differ("WRITEPROTECT: %s", strerror(-err));
	}
}

static unsigned int fill(const struct act *act)
{
	uint64_t page[PAGE / 8] = { act->came.value };
	int uffd = maps[act->op.map].uffd, err;

	if (act->op.kind == ZEROPAGE)
		err = uffd_zeropage(uffd, addr_of(act->op), PAGE, 0);
	else
		err = uffd_copy(uffd, addr_of(act->op), page, PAGE,
				act->op.kind == COPY_WP ? UFFDIO_COPY_MODE_WP : 0, NULL);
	return !err ? 0 : err == -EEXIST ? EXISTS : err == -ENOENT ? UNREGISTERED : err == -EINVAL ? INVALID : FAULTS;
}

static void do_managers(struct act *act)
{
	struct op op = act->op;
	int err = 0;

	switch (op.kind) {
	case WP:
	case UNWP:
		protect(op);
		break;
	case PUNCH:
		err = fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)(op.first * PAGE),
				(off_t)(op.pages * PAGE));
		break;
	case FD_WRITE:
		err = pwrite(file, &act->came.value, 8, (off_t)(op.first * PAGE)) != 8;
		break;
	case REG_END:
		err = uffd_unregister(maps[op.map].uffd, addr_of(op), op.pages * PAGE);
		break;
	case REG_WP:
		err = uffd_register(maps[op.map].uffd, addr_of(op), op.pages * PAGE, UFFDIO_REGISTER_MODE_WP, NULL);
		break;
	default:
		act->came.bits = fill(act);
	}
	if (err)
		differ("%s of the manager is refused: %d, errno %d", op_names[op.kind], err, errno);
}

static void hand_out(int actor)
{
	struct list *list = &orders->lists[actor];

	list->n = LIST;
	for (int i = 0; i < LIST; i++) {
		list->ops[i] = acts[actor * LIST + i].op;
		list->came[i] = acts[actor * LIST + i].came;
	}
	peer_post(&peers[actor], order_list, NULL, (uint64_t)actor);
}

/* What was read. The bits are the handler's. */
static void take_in(int actor)
{
	uint64_t wrong = answer(&peers[actor]);

	if (wrong)
		differ("operations of process %d: error %llu, or in the child of a fork: %s", actor,
		       (unsigned long long)wrong, fork_text(wrong));
	progress->moved += (long)orders->lists[actor].moved;
	for (int i = 0; i < LIST; i++)
		if (acts[actor * LIST + i].op.kind == READ)
			acts[actor * LIST + i].came.value = orders->lists[actor].came[i].value;
}

static void do_round(void)
{
	struct handler handler;

	handler_start(&handler);
	hand_out(0);
	hand_out(1);
	for (int i = MANAGER * LIST; i < ALL; i++)
		do_managers(&acts[i]);
	take_in(0);
	take_in(1);
	handler_end(&handler);
}

/* ---- comparing ---- */

/* All that the model knows of a page. */
struct state {
	uint64_t file;
	enum cached cached;
	struct mpage map[MODEL_MAPS];
};

static void get_state(const struct model *m, size_t page, struct state *s)
{
	memset(s, 0, sizeof(*s));
	s->file = m->file[page];
	s->cached = m->cached[page];
	for (int map = 0; map < MODEL_MAPS; map++)
		s->map[map] = m->map[map][page];
}

static void put_state(struct model *m, size_t page, const struct state *s)
{
	m->file[page] = s->file;
	m->cached[page] = s->cached;
	for (int map = 0; map < MODEL_MAPS; map++)
		m->map[map][page] = s->map[map];
}

/* A step of an operation, as far as it concerns the page that is looked at. */
struct step {
	struct act act;
	bool fault;		/* the first step of an access */
	bool elsewhere;		/* a fault of another page, around which this one may be mapped */
};

/* The search through the orders of one page. */
struct search {
	size_t page;
	const struct model *before;
	struct model now;
	struct step steps[ACTORS][2 * LIST];
	size_t n[ACTORS], at[ACTORS];
	bool trapped[ACTORS];	/* the access under way has met protection */
	struct state found[MAX_STATES];
	size_t nr_found;
};

static bool is_access(struct op op)
{
	return op.kind == READ || op.kind == WRITE;
}

static void add_step(struct search *s, int actor, struct act act, bool fault, bool elsewhere)
{
	if (!elsewhere && !is_access(act.op)) {	/* no more than this page of it */
		act.op.first = (uint8_t)s->page;
		act.op.pages = 1;
	}
	s->steps[actor][s->n[actor]++] = (struct step){ act, fault, elsewhere };
}

static void add_act(struct search *s, int actor, const struct act *act)
{
	bool here = act->op.first <= s->page && s->page < (size_t)act->op.first + act->op.pages;

	if (act->op.kind == READ && !here)
		add_step(s, actor, *act, true, true);
	if (is_access(act->op) && here)
		add_step(s, actor, *act, true, false);
	if ((act->op.kind == PUNCH || act->op.kind == REMOVE) && here)
		add_step(s, actor, *act, false, false);
	if (here)
		add_step(s, actor, *act, false, false);
}

/*
 * Reclaim passes by a page that others map, too; but they may come to map it while it is on its way
 * out, and then it leaves them as well.
 */
static void forget_mapped(struct model *m, size_t page)
{
	for (int map = 0; map < MODEL_MAPS; map++)
		if (m->map[map][page].at == PRESENT)
			m->map[map][page].at = UNKNOWN;
}

static bool traps_now(const struct model *m, struct op op)
{
	return model_expects(m, op).must & TRAPS;
}

/* Whether the last step of an operation, here and now, comes to what it came to. */
static bool fits(const struct search *s, int actor, const struct act *act)
{
	struct op op = act->op;
	bool trapped = act->came.bits & TRAPS, traps = traps_now(&s->now, op);

	if (op.kind == READ)
		return act->came.value == model_value(&s->now, op.map, op.first);
	if (op.kind == WRITE)	/* it may have waited, and have been let go by something else */
		return trapped ? traps || s->trapped[actor] : !traps;
	return as_expected(model_expects(&s->now, op), act->came.bits);
}

/* Take a step. Returns whether it is one that can have been. */
static bool take(struct search *s, int actor, const struct step *step)
{
	struct op op = step->act.op;

	if (step->elsewhere) {	/* whatever that page is registered for by then */
		map_with_others(&s->now, op.map, s->page);
		return true;
	}
	if (step->fault) {
		s->trapped[actor] = traps_now(&s->now, op);
		model_fault(&s->now, op);
		return true;
	}
	if (!fits(s, actor, &step->act))
		return false;
	model_apply(&s->now, op, step->act.came);
	if (op.kind == PAGEOUT)
		forget_mapped(&s->now, s->page);
	return true;
}

static void add_found(struct search *s)
{
	struct state state;

	get_state(&s->now, s->page, &state);
	for (size_t i = 0; i < s->nr_found; i++)
		if (!memcmp(&s->found[i], &state, sizeof(state)))
			return;
	SETUP_MSG(s->nr_found < MAX_STATES, "too many states of a page");
	s->found[s->nr_found++] = state;
}

static void try_orders(struct search *s)
{
	bool last = true;

	for (int actor = 0; actor < ACTORS; actor++) {
		bool was_trapped = s->trapped[actor];
		struct state state;

		if (s->at[actor] == s->n[actor])
			continue;
		last = false;
		get_state(&s->now, s->page, &state);
		if (take(s, actor, &s->steps[actor][s->at[actor]++]))
			try_orders(s);
		s->at[actor]--;
		s->trapped[actor] = was_trapped;
		put_state(&s->now, s->page, &state);
	}
	if (last)
		add_found(s);
}

static void search_page(struct search *s, size_t page, const struct model *before)
{
	memset(s, 0, sizeof(*s));
	s->page = page;
	s->now = *before;
	for (int i = 0; i < ALL; i++)
		add_act(s, i / LIST, &acts[i]);
	try_orders(s);
}

/* What is there now. */
struct view {
	uint64_t entries[MODEL_MAPS][MODEL_PAGES];
	uint64_t values[MODEL_PAGES];
};

static void look(struct view *v)
{
	for (int map = 0; map < MODEL_MAPS; map++)
		read_entries(map, v->entries[map]);
	read_file(v->values);
}

static bool agrees(const struct state *state, size_t page, const struct view *v)
{
	for (int map = 0; map < MODEL_MAPS; map++)
		if (!entry_agrees(&state->map[map], v->entries[map][page]))
			return false;
	return state->file == v->values[page];
}

/* Those of the states that are there; all states stay where none is. Returns how many are. */
static size_t keep_agreeing(struct search *s, const struct view *v)
{
	size_t kept = 0;

	for (size_t i = 0; i < s->nr_found; i++)
		if (agrees(&s->found[i], s->page, v))
			s->found[kept++] = s->found[i];
	s->nr_found = kept ? kept : s->nr_found;
	return kept;
}

/* No order leaves what is there. */
static void __attribute__((noreturn)) no_order(const struct search *s, const struct model *before, const struct view *v)
{
	char text[500] = "";
	size_t used = 0;

	for (int i = 0; i < ALL && used < sizeof(text) - 60; i++)
		used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s %d %d %d (%#x)",
					 i % LIST ? ", " : i ? "; " : "", op_names[acts[i].op.kind], acts[i].op.map,
					 acts[i].op.first, acts[i].op.pages, acts[i].came.bits);
	ktap_diag("at once: %s", text);
	*model = *before;
	for (int map = 0; map < MODEL_MAPS; map++)
		ktap_diag("before, but for pagemap: %s", page_text(map, s->page));
	ktap_diag("before: the file has %s, value %#llx", model->cached[s->page] == YES ? "this page" :
		  model->cached[s->page] == NO ? "no page there" : "a page of zeros there, or none",
		  (unsigned long long)model->file[s->page]);
	differ("no order leaves page %zu so: pagemap %#llx %#llx %#llx, the file %#llx", s->page,
	       (unsigned long long)v->entries[0][s->page], (unsigned long long)v->entries[1][s->page],
	       (unsigned long long)v->entries[2][s->page], (unsigned long long)v->values[s->page]);
}

/* Two states differ in what the private page holds. */
static bool private_is_open(const struct search *s)
{
	const struct mpage *x = &s->found[0].map[1];

	for (size_t i = 1; i < s->nr_found; i++) {
		const struct mpage *y = &s->found[i].map[1];

		if (x->own != y->own || (x->own == OWN_COPY && x->value != y->value))
			return true;
	}
	return false;
}

/* Read the private page, and keep the states that it shows: a page of its own, or of the file. */
static size_t ask_private(struct search *s)
{
	uint64_t value = ask(maps[1].peer, peer_get, maps[1].addr + s->page * PAGE, 0), entries[MODEL_PAGES];
	struct op op = { .kind = READ, .map = 1, .first = (uint8_t)s->page, .pages = 1 };
	size_t kept = 0;

	read_entries(1, entries);
	for (size_t i = 0; i < s->nr_found; i++) {
		bool of_file = s->found[i].map[1].own == FROM_FILE;

		put_state(model, s->page, &s->found[i]);
		if (model_value(model, 1, s->page) != value || of_file != !!(entries[s->page] & PM_FILE))
			continue;
		model_apply(model, op, (struct came){ 0 });
		get_state(model, s->page, &s->found[kept++]);
	}
	s->nr_found = kept;
	return kept;
}

/* What the states have in common. */
static void settle(const struct search *s)
{
	struct state state = s->found[0];

	for (size_t i = 1; i < s->nr_found; i++) {
		if (state.cached != s->found[i].cached)
			state.cached = MAYBE;
		for (int map = 0; map < MODEL_MAPS; map++)
			if (state.map[map].at != s->found[i].map[map].at)
				state.map[map].at = UNKNOWN;
	}
	put_state(model, s->page, &state);
}

/* Look for an order that leaves the page as it is; something may still be on its way. */
static void explain_page(struct search *s, size_t page, const struct model *before)
{
	struct view v;
	int tries = 0;

	search_page(s, page, before);
	do {
		look(&v);
		if (keep_agreeing(s, &v))
			return;
		usleep(1000);
	} while (++tries < LOOK_AGAIN);
	no_order(s, before, &v);
}

/* Go on with what is known of the page now. Reading it maps what is around it. */
static bool settle_page(struct search *s, const struct model *before)
{
	struct view v;
	bool open = private_is_open(s);

	if (open && !ask_private(s)) {
		look(&v);
		no_order(s, before, &v);
	}
	settle(s);
	return open;
}

/* Operations are about the first pages; the others may have been mapped around a fault. */
#define CONCERNED (2 * MEETING_PAGES)

static void compare_round(void)
{
	static struct search searches[CONCERNED];
	struct model before = *model;
	bool asked[CONCERNED];

	for (size_t page = 0; page < CONCERNED; page++)
		explain_page(&searches[page], page, &before);
	for (size_t page = 0; page < CONCERNED; page++)
		asked[page] = settle_page(&searches[page], &before);
	for (int i = 0; i < ALL; i++)
		for (size_t page = CONCERNED; acts[i].op.kind == READ && page < MODEL_PAGES; page++)
			map_with_others(model, acts[i].op.map, page);
	for (size_t page = 0; page < CONCERNED; page++)
		if (asked[page])
			map_around(model, (struct op){ .kind = READ, .map = 1, .first = (uint8_t)page, .pages = 1 });
	compare_all();
}

/* Between the rounds: one thing after the other, so that they begin with all kinds of states. */
static struct op draw_between(uint64_t *state)
{
	static const enum op_kind kinds[] = {
		READ, WRITE, WP, WP, UNWP, DONTNEED, PUNCH, PAGEOUT, REMAP, UNREGISTER, REG_END, REG_WP, REG_WP, SPLIT, MERGE,
		BESIDE, MREMAP, CLOSE, SWAPOFF,
	};
	struct op op = { .kind = PICK(kinds, model_random(state)), .map = model_random(state) % MODEL_MAPS };

	if (op.kind == SWAPOFF && model_random(state) % 16)	/* which takes long */
		op.kind = REG_WP;
	op.first = model_random(state) % MEETING_PAGES;
	op.pages = 1 + model_random(state) % (2 * MEETING_PAGES);
	return model_legal(op);
}

void model_meet(uint64_t seed, size_t rounds, struct differences known, struct progress *p)
{
	world_set_up(known, p);
	for (p->done = 0; p->done < rounds; p->done++) {
		for (uint64_t n = model_random(&seed) % 4; n; n--)
			model_step(draw_between(&seed));
		draw_round(&seed);
		do_round();
		compare_round();
		p->met += ALL;
	}
	world_end();
}
