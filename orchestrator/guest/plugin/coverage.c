/*
 * Notes which pieces of a kernel's text run: a plugin of QEMU's code generator (TCG). The kernel is as it is.
 *
 * The file that the host hands over (data=PATH, docs/how-to-see-which-lines-ran.md) names the pieces. Each has a flag
 * beside it, which is set where an instruction of the piece runs. Whenever the guest writes to /dev/kmsg, as it does for
 * each marker, the flags are put down as one record and cleared: what ran between two markers is a record.
 *
 * Debian ships no header for plugins, so that the prototypes stand here. API is the version for which this is compiled:
 * QEMU refuses a plugin made for one that it does not have any more, or not yet. What is used is the same up to
 * version 6 (QEMU 4.2 to 11.0); since 7 (QEMU 11.1) a callback that sees what was translated gets no id, but user data.
 */
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct qemu_plugin_tb;
struct qemu_plugin_insn;

size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb, size_t index);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *insn);
#if API >= 7
#define TRANSLATED	struct qemu_plugin_tb *tb, void *data
void qemu_plugin_register_vcpu_tb_trans_cb(uint64_t id, void (*translated)(TRANSLATED), void *data);
#define register_translated(id, callback)	qemu_plugin_register_vcpu_tb_trans_cb(id, callback, NULL)
#else
#define TRANSLATED	uint64_t id, struct qemu_plugin_tb *tb
void qemu_plugin_register_vcpu_tb_trans_cb(uint64_t id, void (*translated)(TRANSLATED));
#define register_translated(id, callback)	qemu_plugin_register_vcpu_tb_trans_cb(id, callback)
#endif
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *insn, void (*ran)(unsigned int vcpu, void *data),
					    int registers, void *data);

#define NO_REGISTERS	0
#define MAGIC		0x31564f4349435057ull	/* "WPCICOV1" */

/* The head of the file, then the pieces, the flags (padded to 8 bytes), and the records. */
struct head {
	uint64_t magic, pieces, writer, capacity, stride, loaded;
	_Atomic uint64_t records;
	uint64_t unused;
};

struct piece {
	uint64_t start, end;
};

__attribute__((visibility("default"))) int qemu_plugin_version = API;

static struct head *head;
static const struct piece *pieces;
static _Atomic uint8_t *flags;
static uint8_t *records;
static atomic_flag busy = ATOMIC_FLAG_INIT;

static void piece_ran(unsigned int vcpu, void *flag)
{
	(void)vcpu;
	atomic_store_explicit((_Atomic uint8_t *)flag, 1, memory_order_relaxed);
}

/* Put down what ran since the last record. Where there is no room the flags stay: the host sees the count. */
static void marker_written(unsigned int vcpu, void *data)
{
	uint64_t number;

	(void)vcpu, (void)data;
	while (atomic_flag_test_and_set_explicit(&busy, memory_order_acquire))
		;
	number = atomic_load(&head->records);
	for (uint64_t i = 0; number < head->capacity && i < head->pieces; i++)
		if (atomic_load_explicit(flags + i, memory_order_relaxed) && atomic_exchange(flags + i, 0))
			records[number * head->stride + i / 8] |= 1 << i % 8;
	atomic_store(&head->records, number + 1);
	atomic_flag_clear_explicit(&busy, memory_order_release);
}

/* The piece in which an address lies, or -1. They are sorted, and none overlaps another. */
static int64_t piece_of(uint64_t address)
{
	int64_t low = 0, high = (int64_t)head->pieces - 1;

	while (low <= high) {
		int64_t middle = (low + high) / 2;

		if (address < pieces[middle].start)
			high = middle - 1;
		else if (address >= pieces[middle].end)
			low = middle + 1;
		else
			return middle;
	}
	return -1;
}

static void translated(TRANSLATED)
{
	size_t count = qemu_plugin_tb_n_insns(tb);
	int64_t last = -1;

	for (size_t i = 0; i < count; i++) {
		struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
		uint64_t address = qemu_plugin_insn_vaddr(insn);
		int64_t piece = piece_of(address);

		if (piece >= 0 && piece != last)
			qemu_plugin_register_vcpu_insn_exec_cb(insn, piece_ran, NO_REGISTERS, (void *)(flags + piece));
		if (address == head->writer)
			qemu_plugin_register_vcpu_insn_exec_cb(insn, marker_written, NO_REGISTERS, NULL);
		last = piece;
	}
}

static bool is_whole(uint64_t size)
{
	if (size < sizeof(*head) || head->magic != MAGIC || head->pieces > size || head->capacity > size)
		return false;
	return head->stride >= (head->pieces + 7) / 8 && head->stride <= size &&
	       size == sizeof(*head) + head->pieces * sizeof(*pieces) + (head->pieces + 7) / 8 * 8 +
			       head->capacity * head->stride;
}

static bool map(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);
	struct stat file;

	if (fd < 0 || fstat(fd, &file))
		return false;
	head = mmap(NULL, file.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	return head != MAP_FAILED && is_whole(file.st_size);
}

__attribute__((visibility("default"))) int qemu_plugin_install(uint64_t id, const void *info, int argc, char **argv)
{
	(void)info;
	if (argc != 1 || strncmp(argv[0], "data=", 5) || !map(argv[0] + 5))
		return 1;
	pieces = (const struct piece *)(head + 1);
	flags = (_Atomic uint8_t *)(pieces + head->pieces);
	records = (uint8_t *)flags + (head->pieces + 7) / 8 * 8;
	register_translated(id, translated);
	head->loaded = 1;
	return 0;
}
