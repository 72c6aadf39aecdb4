// SPDX-License-Identifier: GPL-2.0
/* What the processes of the model do when they are told to. */
#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "access.h"
#include "model_orders.h"
#include "proc.h"
#include "trap.h"
#include "uffd.h"

struct orders *orders;

static uint64_t result(int err)
{
	return err ? (uint64_t)errno : 0;
}

uint64_t order_advise(void *addr, uint64_t how)
{
	return result(madvise(addr, how >> 8 << 12, (int)(how & 255)));
}

uint64_t advice(size_t pages, int what)
{
	return pages << 8 | what;
}

uint64_t order_mprotect(void *addr, uint64_t how)
{
	size_t size = how >> 1 << 12;

	if (mprotect(addr, size, how & 1 ? PROT_NONE : PROT_READ))
		return errno;
	return result(mprotect(addr, size, PROT_READ | PROT_WRITE));
}

uint64_t order_migrate(void *addr, uint64_t pages)
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

uint64_t order_clear_refs(void *unused, uint64_t what)
{
	char text[] = { '1' + what % 5, 0 };

	(void)unused;
	return !file_write("/proc/self/clear_refs", text);
}

uint64_t order_remap(void *addr, uint64_t how)
{
	size_t size = (how >> 16 & 0xffff) * PAGE, offset = (how & 0xffff) * PAGE;
	int flags = (how >> 32 ? MAP_PRIVATE : MAP_SHARED) | MAP_FIXED | MAP_NORESERVE;

	if (munmap(addr, size))
		return errno;
	return result(mmap(addr, size, PROT_READ | PROT_WRITE, flags, orders->file, (off_t)offset) == MAP_FAILED);
}

uint64_t remapping(bool private, size_t first, size_t pages)
{
	return (uint64_t)private << 32 | (uint64_t)pages << 16 | first;
}

static uint64_t move(char *addr, char *to, size_t size)
{
	void *hole;

	if (mremap(addr, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, to) == MAP_FAILED)
		return (uint64_t)errno;
	/* Keep the place for the way back. */
	hole = mmap(addr, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
	return result(hole == MAP_FAILED);
}

uint64_t order_move(void *addr, uint64_t to)
{
	return move(addr, (char *)to, MAP_SIZE);
}

/* An address of a page has room for a number below the size of one. */
uint64_t moving(const char *to, size_t pages)
{
	return (uintptr_t)to | pages;
}

uint64_t order_move_pages(void *addr, uint64_t how)
{
	return move(addr, (char *)(how & ~(PAGE - 1)), (how & (PAGE - 1)) * PAGE);
}

/* What a child without userfaultfd sees: nothing protected, no marker, the right data. 0, or what differs where. */
#define CHILD_PROTECTED 1
#define CHILD_DATA (1 + MODEL_PAGES)
#define CHILD_WRITE (1 + 2 * MODEL_PAGES)

static uint64_t child_differs(int map, size_t first, size_t pages, const char *addr)
{
	for (size_t i = first; i < first + pages; i++) {
		uint64_t entry = pm(addr + i * PAGE);

		if ((entry & PM_UFFD_WP) || ((entry & PM_SWAP) && orders->model.map[map][i].own != OWN_COPY))
			return CHILD_PROTECTED + i;
	}
	for (size_t i = first; i < first + pages; i++)
		if (i < orders->model.size && touch_read(addr + i * PAGE) != model_value(&orders->model, map, i))
			return CHILD_DATA + i;
	if (map == 1 && first < orders->model.size && touch_once(WRITES, (char *)addr + first * PAGE, 1) != COMPLETED)
		return CHILD_WRITE + first;
	return 0;
}

/* Of the mappings of this process: those that @fork names, and its twin in the same process. */
static uint64_t child_of_fork(void)
{
	const struct op *o = &orders->fork;
	int first = o->map == 2 ? 2 : 0, last = o->map == 2 ? 2 : 1;
	uint64_t differs = 0;

	for (int map = first; map <= last && !differs; map++)
		differs = child_differs(map, o->first, o->pages, orders->addr[map]);
	return differs;
}

/* What a child says, as its parent gets to know it. */
static uint64_t reap_child(pid_t pid)
{
	int status;

	if (waitpid(pid, &status, 0) != pid)
		return 1001;
	return WIFEXITED(status) ? (uint64_t)WEXITSTATUS(status) : 2000 + (uint64_t)WTERMSIG(status);
}

uint64_t order_fork(void *unused, uint64_t unused2)
{
	pid_t pid = fork();

	(void)unused, (void)unused2;
	if (pid < 0)
		return 1000;
	if (!pid)
		_exit((int)child_of_fork());
	return reap_child(pid);
}

const char *fork_text(uint64_t differs)
{
	static char text[80];

	if (differs >= 1000)
		snprintf(text, sizeof(text), "error or signal %llu", (unsigned long long)differs % 1000);
	else
		snprintf(text, sizeof(text), "page %llu %s", (unsigned long long)(differs - 1) % MODEL_PAGES,
			 differs >= CHILD_WRITE ? "cannot be written" :
			 differs >= CHILD_DATA ? "has wrong data" : "has protection, or a marker");
	return text;
}

uint64_t order_uffd(void *unused, uint64_t unused2)
{
	int fd = uffd_create(0);

	(void)unused, (void)unused2;
	return fd < 0 || uffd_api(fd, 0, NULL) ? UINT64_MAX : (uint64_t)fd;
}

uint64_t order_close(void *unused, uint64_t fd)
{
	(void)unused;
	return result(close((int)fd));
}

/* A child that nobody watches, while others are at work: it has no protection, and can read. */
static uint64_t fork_meanwhile(struct op op, const char *addr)
{
	pid_t pid = fork();

	if (pid < 0)
		return 1000;
	if (!pid) {
		for (size_t i = 0; i < op.pages; i++)
			if (pm(addr + i * PAGE) & PM_UFFD_WP)
				_exit((int)(CHILD_PROTECTED + op.first + i));
		for (size_t i = 0; i < op.pages; i++)
			touch_read(addr + i * PAGE);
		_exit(0);
	}
	return reap_child(pid);
}

/* One operation of a list. Returns 0, or what went wrong. */
static uint64_t do_one(struct list *list, size_t i)
{
	struct came *came = &list->came[i];
	struct op op = list->ops[i];
	char *addr = orders->addr[op.map] + op.first * PAGE;

	switch (op.kind) {
	case READ:
		came->value = touch_read(addr);
		return 0;
	case WRITE:
		touch_write(addr, came->value);
		return 0;
	case DONTNEED:
		return order_advise(addr, advice(op.pages, MADV_DONTNEED));
	case REMOVE:
		return order_advise(addr, advice(op.pages, MADV_REMOVE));
	case PAGEOUT:
		return order_advise(addr, advice(op.pages, MADV_PAGEOUT));
	case MPROTECT:
		return order_mprotect(addr, (uint64_t)op.pages << 1 | op.pages % 2);
	case MIGRATE:
		list->moved += order_migrate(addr, op.pages);
		return 0;
	case FORK:
		return fork_meanwhile(op, addr);
	default:
		return ENOSYS;
	}
}

uint64_t order_list(void *unused, uint64_t index)
{
	struct list *list = &orders->lists[index];
	uint64_t wrong = 0;

	(void)unused;
	list->moved = 0;
	for (size_t i = 0; i < list->n && !wrong; i++)
		wrong = do_one(list, i);
	return wrong;
}
