// SPDX-License-Identifier: GPL-2.0
/* Run operations against the kernel, and compare it with the model after each. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "force.h"
#include "ktap.h"
#include "model_run.h"
#include "peer.h"

#define MAP_SIZE (MODEL_WHOLE * PAGE)
#define SLOTS 2			/* places that a mapping moves between */
#define COLLAPSE_WAIT 0.3	/* seconds */
#define LOOK_AGAIN 50		/* times, for what may be on its way (a migration) */

/* One of the mappings. Its process is a peer; this process has its userfaultfd, too. */
struct mapping {
	struct peer *peer;
	char *slot[SLOTS];
	char *addr;
	int uffd, pagemap;
};

static struct model *model;	/* shared with the peers: their children read it */
static struct progress *progress;
static struct mapping maps[MODEL_MAPS];
static struct peer peers[2];
static int file;

/* The kernel and the model differ: say how, and end this run. */
static void __attribute__((noreturn, format(printf, 1, 2))) differ(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(progress->text, sizeof(progress->text), fmt, args);
	va_end(args);
	progress->differs = true;
	_exit(1);
}

static const char *page_text(int map, size_t page)
{
	static char text[120];
	const struct mpage *p = &model->map[map][page];
	uint64_t entry = 0;

	if (pread(maps[map].pagemap, &entry, 8, ((uintptr_t)maps[map].addr / PAGE + page) * 8) != 8)
		entry = 0;
	snprintf(text, sizeof(text), "mapping %d page %zu: pagemap %#llx, model: %s, %s, %s", map, page,
		 (unsigned long long)entry, p->wp ? "protected" : "not protected",
		 p->at == ABSENT ? "not mapped" : p->at == PRESENT ? "mapped" : "mapped or not",
		 p->own == OWN_COPY ? "own page" : p->own == OWN_ZERO ? "zero page" : "page of the file");
	return text;
}

/* ---- orders to the peers: addresses are theirs, values are packed ---- */

static uint64_t result(int err)
{
	return err ? (uint64_t)errno : 0;
}

static uint64_t do_advise(void *addr, uint64_t how)
{
	return result(madvise(addr, how >> 8 << 12, (int)(how & 255)));
}

static uint64_t advice(size_t pages, int what)
{
	return pages << 8 | what;
}

static uint64_t do_mprotect(void *addr, uint64_t how)
{
	size_t size = how >> 1 << 12;

	if (mprotect(addr, size, how & 1 ? PROT_NONE : PROT_READ))
		return errno;
	return result(mprotect(addr, size, PROT_READ | PROT_WRITE));
}

/* Returns how many pages moved. */
static uint64_t do_migrate(void *addr, uint64_t pages)
{
	void *addrs[MODEL_PAGES];
	int now[MODEL_PAGES], want[MODEL_PAGES], then[MODEL_PAGES];
	uint64_t moved = 0;

	for (size_t i = 0; i < pages; i++)
		addrs[i] = (char *)addr + i * PAGE;
	if (syscall(SYS_move_pages, 0, pages, addrs, NULL, now, 0))
		return 0;
	for (size_t i = 0; i < pages; i++) {
		want[i] = now[i] != 1;
		then[i] = -1;
	}
	syscall(SYS_move_pages, 0, pages, addrs, want, then, MPOL_MF_MOVE_ALL);
	for (size_t i = 0; i < pages; i++)
		moved += now[i] >= 0 && then[i] == want[i] && now[i] != want[i];
	return moved;
}

static uint64_t do_clear_refs(void *unused, uint64_t what)
{
	char text[] = { '1' + what % 5, 0 };

	(void)unused;
	return !file_write("/proc/self/clear_refs", text);
}

static uint64_t do_remap(void *addr, uint64_t how)
{
	size_t size = (how >> 16 & 0xffff) * PAGE, offset = (how & 0xffff) * PAGE;
	int flags = (how >> 32 ? MAP_PRIVATE : MAP_SHARED) | MAP_FIXED | MAP_NORESERVE;

	if (munmap(addr, size))
		return errno;
	return result(mmap(addr, size, PROT_READ | PROT_WRITE, flags, file, (off_t)offset) == MAP_FAILED);
}

static uint64_t do_mremap(void *addr, uint64_t to)
{
	void *hole;

	if (mremap(addr, MAP_SIZE, MAP_SIZE, MREMAP_MAYMOVE | MREMAP_FIXED, (void *)to) == MAP_FAILED)
		return errno;
	/* Keep the place for the way back. */
	hole = mmap(addr, MAP_SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
	return result(hole == MAP_FAILED);
}

/* What a child without userfaultfd sees: nothing protected, no marker, the right data. 0, or what differs where. */
#define CHILD_PROTECTED 1
#define CHILD_DATA (1 + MODEL_PAGES)
#define CHILD_WRITE (1 + 2 * MODEL_PAGES)

static uint64_t child_differs(int map, size_t first, size_t pages, const char *addr)
{
	for (size_t i = first; i < first + pages; i++) {
		uint64_t entry = pm(addr + i * PAGE);

		if ((entry & PM_UFFD_WP) || ((entry & PM_SWAP) && model->map[map][i].own != OWN_COPY))
			return CHILD_PROTECTED + i;
	}
	for (size_t i = first; i < first + pages; i++)
		if (i < model->size && touch_read(addr + i * PAGE) != model_value(model, map, i))
			return CHILD_DATA + i;
	if (map == 1 && first < model->size && touch_once(WRITES, (char *)addr + first * PAGE, 1) != COMPLETED)
		return CHILD_WRITE + first;
	return 0;
}

struct fork_order {
	int first_map, last_map;
	size_t first, pages;
	char *addr[MODEL_MAPS];
};
static struct fork_order *fork_order;	/* shared */

static uint64_t do_fork(void *unused, uint64_t unused2)
{
	const struct fork_order *o = fork_order;
	int status;
	pid_t pid = fork();

	(void)unused, (void)unused2;
	if (pid < 0)
		return 1000;
	if (!pid) {
		uint64_t differs = 0;

		for (int map = o->first_map; map <= o->last_map && !differs; map++)
			differs = child_differs(map, o->first, o->pages, o->addr[map]);
		_exit((int)differs);
	}
	if (waitpid(pid, &status, 0) != pid)
		return 1001;
	return WIFEXITED(status) ? (uint64_t)WEXITSTATUS(status) : 2000 + (uint64_t)WTERMSIG(status);
}

static uint64_t do_arm(void *addr, uint64_t unused)
{
	int fd = uffd_create(0);

	(void)unused;
	if (fd < 0 || uffd_api(fd, 0, NULL) || uffd_register(fd, addr, MAP_SIZE, UFFDIO_REGISTER_MODE_WP, NULL))
		return UINT64_MAX;
	return fd;
}

/* ---- asking them ---- */

static uint64_t answer(struct peer *p)
{
	uint64_t value;

	if (read(p->answers, &value, sizeof(value)) != sizeof(value))
		differ("process %d died", p->pid);
	return value;
}

static uint64_t ask(struct peer *p, peer_fn fn, void *addr, uint64_t value)
{
	peer_post(p, fn, addr, value);
	return answer(p);
}

static void ask_fine(struct op op, peer_fn fn, void *addr, uint64_t value)
{
	uint64_t err = ask(maps[op.map].peer, fn, addr, value);

	if (err)
		differ("%s in the process: error %llu (%s)", op_names[op.kind], (unsigned long long)err, strerror((int)err));
}

static char *addr_of(struct op op)
{
	return maps[op.map].addr + op.first * PAGE;
}

/* A range that lies in more than one vma may have to be done in pieces (before 6.4). */
static void writeprotect(struct op op, __u64 mode)
{
	int uffd = maps[op.map].uffd, err = uffd_writeprotect(uffd, addr_of(op), op.pages * PAGE, mode);

	for (size_t i = 0; err == -ENOENT && i < op.pages; i++)
		if (uffd_writeprotect(uffd, addr_of(op) + i * PAGE, PAGE, mode))
			differ("WRITEPROTECT of page %zu is refused", op.first + i);
	if (err && err != -ENOENT)
		differ("WRITEPROTECT: %s", strerror(-err));
}

static void reregister(struct op op, __u64 mode)
{
	int err = uffd_register(maps[op.map].uffd, addr_of(op), op.pages * PAGE, mode, NULL);

	if (err)
		differ("REGISTER: %s", strerror(-err));
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

static bool right_message(const struct uffd_msg *msg, struct op op)
{
	const __u64 flags = UFFD_PAGEFAULT_FLAG_WP | UFFD_PAGEFAULT_FLAG_WRITE;

	return msg->event == UFFD_EVENT_PAGEFAULT && (msg->arg.pagefault.flags & flags) == flags &&
	       msg->arg.pagefault.address == (uintptr_t)addr_of(op);
}

static uint64_t file_at(size_t page)
{
	uint64_t value = 0;

	if (pread(file, &value, sizeof(value), (off_t)(page * PAGE)) != sizeof(value))
		differ("the file has no page %zu", page);
	return value;
}

/* Serve the messages of an access until it has ended. Returns whether it trapped. */
static bool serve_access(struct op op, uint64_t value)
{
	struct peer *p = maps[op.map].peer;
	struct uffd_msg msg;
	bool trapped = false;
	int from;

	while ((from = message_or_answer(p, &msg)) >= 0) {
		if (from != op.map || op.kind != WRITE || !right_message(&msg, op))
			differ("wrong message to the userfaultfd of mapping %d: event %#x, flags %#llx, address %#llx",
			       from, msg.event, (unsigned long long)msg.arg.pagefault.flags,
			       (unsigned long long)msg.arg.pagefault.address);
		if (peer_answered(p))
			differ("the writer did not stay blocked: %s", page_text(op.map, op.first));
		if (op.first < model->size && file_at(op.first) == value)
			differ("the value is in the file before un-WP: %s", page_text(op.map, op.first));
		trapped = true;
		writeprotect(op, 0);
	}
	return trapped;
}

static enum outcome access_page(struct op op, uint64_t value)
{
	struct peer *p = maps[op.map].peer;
	enum ending ending;
	bool trapped;

	peer_post(p, op.kind == WRITE ? peer_write : peer_read, addr_of(op), value);
	trapped = serve_access(op, value);
	ending = (enum ending)answer(p);
	if (ending == GOT_SIGBUS)
		return trapped ? TRAPS : BUS_ERROR;
	if (ending != COMPLETED)
		differ("the access ended in a signal: %s", page_text(op.map, op.first));
	return trapped ? TRAPS : FINE;
}

static const char *outcome_text(enum outcome outcome)
{
	static const char *const text[] = { "completes", "traps", "SIGBUS", "EEXIST", "EFAULT", "completes or EEXIST" };

	return text[outcome];
}

static enum outcome fill(struct op op, uint64_t value)
{
	uint64_t page[PAGE / 8] = { value };
	int uffd = maps[op.map].uffd, err;

	if (op.kind == ZEROPAGE)
		err = uffd_zeropage(uffd, addr_of(op), PAGE, 0);
	else
		err = uffd_copy(uffd, addr_of(op), page, PAGE, op.kind == COPY_WP ? UFFDIO_COPY_MODE_WP : 0, NULL);
	if (err && err != -EEXIST && err != -EFAULT)
		differ("%s: %s", op_names[op.kind], strerror(-err));
	return !err ? FINE : err == -EEXIST ? EXISTS : FAULTS;
}

/* ---- the other operations ---- */

static void run_fork(struct op op)
{
	uint64_t differs;

	*fork_order = (struct fork_order){ .first_map = op.map == 2 ? 2 : 0, .last_map = op.map == 2 ? 2 : 1,
					   .first = op.first, .pages = op.pages };
	for (int i = 0; i < MODEL_MAPS; i++)
		fork_order->addr[i] = maps[i].addr;
	differs = ask(maps[op.map].peer, do_fork, NULL, 0);
	if (differs >= 1000)
		differ("the child of a fork: error or signal %llu", (unsigned long long)differs % 1000);
	if (differs)
		differ("the child of a fork: page %llu %s", (unsigned long long)(differs - 1) % MODEL_PAGES,
		       differs >= CHILD_WRITE ? "cannot be written" :
		       differs >= CHILD_DATA ? "has wrong data" : "has protection, or a marker");
}

/* A mapping in several pieces that do not merge cannot move: then nothing has happened. */
static bool run_mremap(struct op op)
{
	struct mapping *m = &maps[op.map];
	char *to = m->addr == m->slot[0] ? m->slot[1] : m->slot[0];
	uint64_t err = ask(m->peer, do_mremap, m->addr, (uintptr_t)to);

	if (err == EFAULT)
		return false;
	if (err)
		differ("mremap: %s", strerror((int)err));
	m->addr = to;
	if (uffd_register(m->uffd, m->addr, MAP_SIZE, UFFDIO_REGISTER_MODE_WP, NULL))
		differ("REGISTER after mremap is refused");
	return true;
}

/* khugepaged does not scan at all where no mapping is whole enough: it need not make a huge page. */
static void run_collapse(struct op op)
{
	double end = ktap_now() + COLLAPSE_WAIT;
	long before = khugepaged_collapsed();

	for (int i = 0; i < 2; i++)	/* 5.10 looks at the flag that the call before has set */
		ask_fine(op, do_advise, maps[op.map].addr, advice(MODEL_WHOLE, MADV_HUGEPAGE));
	while (ktap_now() < end && khugepaged_collapsed() == before)
		usleep(2000);
	if (op.pages % 2)
		ask_fine(op, do_advise, maps[op.map].addr, advice(MODEL_WHOLE, MADV_NOHUGEPAGE));
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

static void squeeze(void)
{
	cgroup_set("memory.high", "0");
	cgroup_set("memory.high", "max");
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
		ask_fine(op, do_advise, addr_of(op), advice(op.pages, MADV_DONTNEED));
		break;
	case REMOVE:
		ask_fine(op, do_advise, addr_of(op), advice(op.pages, MADV_REMOVE));
		break;
	case PUNCH:
	case TRUNCATE:
	case FD_WRITE:
		run_file_op(op, value);
		break;
	case PAGEOUT:
		ask_fine(op, do_advise, addr_of(op), advice(op.pages, MADV_PAGEOUT));
		break;
	case SQUEEZE:
		squeeze();
		break;
	case SWAPOFF:
		swap_off_and_on();
		break;
	case MIGRATE:
		progress->moved += (long)ask(maps[op.map].peer, do_migrate, addr_of(op), op.pages);
		break;
	case COLLAPSE:
		run_collapse(op);
		break;
	case MPROTECT:
		ask_fine(op, do_mprotect, addr_of(op), (uint64_t)op.pages << 1 | op.pages % 2);
		break;
	case CLEAR_REFS:
		ask(maps[op.map].peer, do_clear_refs, NULL, op.first);
		break;
	case FORK:
		run_fork(op);
		break;
	case MREMAP:
		return run_mremap(op);
	case REMAP:
		ask_fine(op, do_remap, addr_of(op), (uint64_t)(op.map == 1) << 32 | (uint64_t)op.pages << 16 | op.first);
		reregister(op, UFFDIO_REGISTER_MODE_WP);
		break;
	case UNREGISTER:
		if (uffd_unregister(maps[op.map].uffd, addr_of(op), op.pages * PAGE))
			differ("UNREGISTER is refused");
		reregister(op, UFFDIO_REGISTER_MODE_WP);
		break;
	case DROP_WP:
		reregister(op, UFFDIO_REGISTER_MODE_MISSING);
		reregister(op, UFFDIO_REGISTER_MODE_WP);
		break;
	}
	return true;
}

/* ---- comparing ---- */

/* What the model knows of a page, and pagemap says. A marker shows as swapped. */
static bool entry_agrees(const struct mpage *p, uint64_t entry)
{
	if (!!(entry & PM_UFFD_WP) != p->wp)
		return false;
	if (p->at == PRESENT)	/* khugepaged may take it away again at once */
		return (entry & PM_PRESENT) || model->huge;
	if (p->at == ABSENT && (!model->huge || p->wp))
		return !(entry & PM_PRESENT) && !!(entry & PM_SWAP) == p->wp;
	return true;
}

static void compare_map(int map)
{
	uint64_t entries[MODEL_PAGES];
	size_t page = 0;

	for (int tries = 0; tries < LOOK_AGAIN; tries++) {
		if (pread(maps[map].pagemap, entries, sizeof(entries), (uintptr_t)maps[map].addr / PAGE * 8) !=
		    sizeof(entries))
			differ("pagemap cannot be read");
		for (page = 0; page < MODEL_PAGES; page++)
			if (!entry_agrees(&model->map[map][page], entries[page]))
				break;
		if (page == MODEL_PAGES)
			return;
		usleep(1000);
	}
	differ("%s", page_text(map, page));
}

static void compare_file(void)
{
	static char text[MODEL_PAGES * PAGE];
	size_t pages = model->size < MODEL_PAGES ? model->size : MODEL_PAGES;

	if (pread(file, text, pages * PAGE, 0) != (ssize_t)(pages * PAGE))
		differ("the file cannot be read");
	for (size_t i = 0; i < pages; i++)
		if (*(uint64_t *)(text + i * PAGE) != model->file[i])
			differ("page %zu of the file is %#llx, in the model %#llx", i,
			       (unsigned long long)*(uint64_t *)(text + i * PAGE), (unsigned long long)model->file[i]);
}

static bool came_as_expected(enum outcome came, enum outcome expected)
{
	return came == expected || (expected == FINE_OR_EXISTS && (came == FINE || came == EXISTS || came == FAULTS));
}

static void run_op(struct op op)
{
	enum outcome expected = model_expects(model, op), came = FINE;
	uint64_t value = op.kind == ZEROPAGE ? 0 : fresh_value();
	bool done = true;

	if (op.kind == READ || op.kind == WRITE)
		came = access_page(op, value);
	else if (op.kind == COPY || op.kind == COPY_WP || op.kind == ZEROPAGE)
		came = fill(op, value);
	else
		done = run_other(op, value);
	if (!came_as_expected(came, expected))
		differ("it %s; in the model it %s: %s", outcome_text(came), outcome_text(expected),
		       page_text(op.map, op.first));
	if (!done)
		return;
	model_apply(model, op, came, value);
	if ((op.kind == READ || op.kind == WRITE) && came != BUS_ERROR) {
		uint64_t seen = ask(maps[op.map].peer, peer_get, addr_of(op), 0);

		if (seen != model_value(model, op.map, op.first))
			differ("it reads %#llx, in the model %#llx: %s", (unsigned long long)seen,
			       (unsigned long long)model_value(model, op.map, op.first), page_text(op.map, op.first));
	}
	for (int map = 0; map < MODEL_MAPS; map++)
		compare_map(map);
	compare_file();
}

/* ---- setting up ---- */

static void *shared_memory(size_t size)
{
	void *map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	SETUP(map != MAP_FAILED);
	return map;
}

static char *aligned_hole(void)
{
	char *map = mmap(NULL, MAP_SIZE + 2 * HUGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	SETUP(map != MAP_FAILED);
	return (char *)(((uintptr_t)map + HUGE - 1) / HUGE * HUGE);
}

static int take_descriptor(pid_t pid, int fd)
{
	int pidfd = (int)syscall(SYS_pidfd_open, pid, 0), mine;

	SETUP(pidfd >= 0);
	mine = (int)syscall(SYS_pidfd_getfd, pidfd, fd, 0);
	SETUP(mine >= 0);
	close(pidfd);
	return mine;
}

static void set_up_map(int i)
{
	struct mapping *m = &maps[i];
	uint64_t fd;
	char path[40];

	m->peer = &peers[i == 2];
	m->addr = m->slot[0];
	SETUP(!ask(m->peer, do_remap, m->addr, (uint64_t)(i == 1) << 32 | (uint64_t)MODEL_WHOLE << 16));
	fd = ask(m->peer, do_arm, m->addr, 0);
	SETUP_MSG(fd != UINT64_MAX, "REGISTER in process %d is refused", m->peer->pid);
	m->uffd = take_descriptor(m->peer->pid, (int)fd);
	snprintf(path, sizeof(path), "/proc/%d/pagemap", m->peer->pid);
	m->pagemap = open(path, O_RDONLY | O_CLOEXEC);
	SETUP(m->pagemap >= 0);
}

static void set_up(bool drop_keeps)
{
	model = shared_memory(sizeof(*model));
	fork_order = shared_memory(sizeof(*fork_order));
	model_init(model);
	model->drop_keeps = drop_keeps;
	file = memfd_create("model", MFD_CLOEXEC);
	SETUP(file >= 0);
	SETUP(!ftruncate(file, MAP_SIZE));
	for (int i = 0; i < MODEL_MAPS; i++)
		for (int slot = 0; slot < SLOTS; slot++)
			maps[i].slot[slot] = aligned_hole();
	peer_start(&peers[0]);
	peer_start(&peers[1]);
	for (int i = 0; i < MODEL_MAPS; i++)
		set_up_map(i);
}

void model_run(const struct op *ops, size_t n, bool drop_keeps, struct progress *p)
{
	progress = p;
	set_up(drop_keeps);
	for (p->done = 0; p->done < n; p->done++) {
		p->began = ktap_now();
		run_op(ops[p->done]);
	}
	peer_kill(&peers[0]);
	peer_kill(&peers[1]);
}
