// SPDX-License-Identifier: GPL-2.0
/* The mappings and processes that the model is about: set up, asked, and compared with it. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "access.h"
#include "ktap.h"
#include "model_world.h"
#include "peer.h"
#include "uffd.h"

#define FEW ((size_t)MODEL_PAGES)	/* pages that a spare place has room for */

struct model *model;
struct mapping maps[MODEL_MAPS];
struct peer peers[2];
int file;
struct progress *progress;

void differ(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(progress->text, sizeof(progress->text), fmt, args);
	va_end(args);
	progress->differs = true;
	_exit(1);
}

static const char *mode_text(uint8_t mode)
{
	static const char *const text[] = { "not registered", "WP", "MISSING", "MISSING and WP" };

	return text[mode & (FOR_WP | FOR_MISSING)];
}

const char *page_text(int map, size_t page)
{
	static char text[200];
	const struct mpage *p = &model->map[map][page];
	uint64_t entry = 0;

	if (pread(maps[map].pagemap, &entry, 8, ((uintptr_t)maps[map].addr / PAGE + page) * 8) != 8)
		entry = 0;
	snprintf(text, sizeof(text), "mapping %d page %zu: pagemap %#llx, model: %s, %s, %s, %s", map, page,
		 (unsigned long long)entry, mode_text(p->mode), p->wp ? "protected" : "not protected",
		 p->at == ABSENT ? "not mapped" : p->at == PRESENT ? "mapped" : "mapped or not",
		 p->own == OWN_COPY ? "own page" : p->own == OWN_ZERO ? "zero page" : "page of the file");
	return text;
}

uint64_t answer(struct peer *p)
{
	uint64_t value;

	if (read(p->answers, &value, sizeof(value)) != sizeof(value))
		differ("process %d died", p->pid);
	return value;
}

uint64_t ask(struct peer *p, peer_fn fn, void *addr, uint64_t value)
{
	peer_post(p, fn, addr, value);
	return answer(p);
}

void ask_fine(struct op op, peer_fn fn, void *addr, uint64_t value)
{
	uint64_t err = ask(maps[op.map].peer, fn, addr, value);

	if (err)
		differ("%s in the process: error %llu (%s)", op_names[op.kind], (unsigned long long)err, strerror((int)err));
}

char *addr_of(struct op op)
{
	return maps[op.map].addr + op.first * PAGE;
}

/* What the model knows of a page, and pagemap says. A marker shows as swapped. */
bool entry_agrees(const struct mpage *p, uint64_t entry)
{
	if (!!(entry & PM_UFFD_WP) != p->wp)
		return false;
	if (p->at == PRESENT)	/* khugepaged may take it away again at once */
		return (entry & PM_PRESENT) || model->huge;
	if (p->at == ABSENT && (!model->huge || p->wp))
		return !(entry & PM_PRESENT) && !!(entry & PM_SWAP) == p->wp;
	return true;
}

void read_entries(int map, uint64_t *entries)
{
	const size_t size = MODEL_PAGES * sizeof(*entries);

	if (pread(maps[map].pagemap, entries, size, (off_t)((uintptr_t)maps[map].addr / PAGE * 8)) != (ssize_t)size)
		differ("pagemap cannot be read");
}

static void compare_map(int map)
{
	uint64_t entries[MODEL_PAGES];
	size_t page = 0;

	for (int tries = 0; tries < LOOK_AGAIN; tries++) {
		read_entries(map, entries);
		for (page = 0; page < MODEL_PAGES; page++)
			if (!entry_agrees(&model->map[map][page], entries[page]))
				break;
		if (page == MODEL_PAGES)
			return;
		usleep(1000);
	}
	differ("%s", page_text(map, page));
}

/* The first value of each page that the file has. */
void read_file(uint64_t *values)
{
	static char text[MODEL_PAGES * PAGE];
	size_t pages = model->size < MODEL_PAGES ? model->size : MODEL_PAGES;

	if (pread(file, text, pages * PAGE, 0) != (ssize_t)(pages * PAGE))
		differ("the file cannot be read");
	for (size_t i = 0; i < pages; i++)
		values[i] = *(uint64_t *)(text + i * PAGE);
}

static void compare_file(void)
{
	size_t pages = model->size < MODEL_PAGES ? model->size : MODEL_PAGES;
	uint64_t values[MODEL_PAGES];

	read_file(values);
	for (size_t i = 0; i < pages; i++)
		if (values[i] != model->file[i])
			differ("page %zu of the file is %#llx, in the model %#llx", i,
			       (unsigned long long)values[i], (unsigned long long)model->file[i]);
}

void compare_all(void)
{
	for (int map = 0; map < MODEL_MAPS; map++)
		compare_map(map);
	compare_file();
}

static void *shared_memory(size_t size)
{
	void *map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	SETUP(map != MAP_FAILED);
	return map;
}

static char *hole(size_t size)
{
	char *map = mmap(NULL, size + 2 * HUGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

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

void world_new_uffd(int map)
{
	struct mapping *m = &maps[map];
	uint64_t fd = ask(m->peer, order_uffd, NULL, 0);

	SETUP_MSG(fd != UINT64_MAX, "process %d gets no userfaultfd", m->peer->pid);
	m->their_uffd = (int)fd;
	m->uffd = take_descriptor(m->peer->pid, (int)fd);
}

static void set_up_map(int i)
{
	struct mapping *m = &maps[i];
	char path[40];

	m->peer = &peers[i == 2];
	orders->addr[i] = m->addr = m->slot[0];
	SETUP(!ask(m->peer, order_remap, m->addr, remapping(i == 1, 0, MODEL_WHOLE)));
	world_new_uffd(i);
	SETUP_MSG(!uffd_register(m->uffd, m->addr, MAP_SIZE, UFFDIO_REGISTER_MODE_WP, NULL),
		  "REGISTER in process %d is refused", m->peer->pid);
	snprintf(path, sizeof(path), "/proc/%d/pagemap", m->peer->pid);
	m->pagemap = open(path, O_RDONLY | O_CLOEXEC);
	SETUP(m->pagemap >= 0);
}

void world_set_up(struct differences known, struct progress *p)
{
	progress = p;
	orders = shared_memory(sizeof(*orders));
	model = &orders->model;
	model_init(model);
	model->known = known;
	file = memfd_create("model", MFD_CLOEXEC);
	SETUP(file >= 0);
	SETUP(!ftruncate(file, MAP_SIZE));
	orders->file = file;
	for (int i = 0; i < MODEL_MAPS; i++) {
		for (int slot = 0; slot < SLOTS; slot++)
			maps[i].slot[slot] = hole(MAP_SIZE);
		maps[i].spare = hole(FEW * PAGE);
	}
	peer_start(&peers[0]);
	peer_start(&peers[1]);
	for (int i = 0; i < MODEL_MAPS; i++)
		set_up_map(i);
}

void world_end(void)
{
	peer_kill(&peers[0]);
	peer_kill(&peers[1]);
}
