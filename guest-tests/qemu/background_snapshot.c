// SPDX-License-Identifier: GPL-2.0
/*
 * QEMU takes a snapshot of a guest that goes on writing (background-snapshot), and the snapshot is of one moment.
 *
 * The inner guest is a few instructions in place of a BIOS. Round after round it writes the number of the round, in
 * EBX, to one page after the other, EDI: memory and registers fit together at each moment, and at no two the same way.
 * QEMU protects the memory with userfaultfd and saves each page before it is written to. A write that goes by
 * unnoticed puts the number of a later round into the snapshot. A guest that wrote nothing while it was saved is no
 * test, and an error.
 *
 * Usage: background-snapshot QEMU; KTAP on standard output.
 * A kernel that cannot protect such memory makes QEMU refuse: skipped.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "module.h"

#define PAGE 4096UL
#define START 0x100000UL	/* what the inner guest writes: from 1 MB to the end */
#define END 0x2000000UL		/* of its 32 MB */
#define BIOS_SIZE 0x10000
#define BIOS "inner.bin"
#define SNAPSHOT "inner.snapshot"
#define MEMORY "inner.memory"
#define SNAPSHOT_ON "{\"capabilities\":[{\"capability\":\"background-snapshot\",\"state\":true}]}"
#define POOL "/proc/sys/vm/nr_hugepages"

static const struct backing {
	const char *name;
	const char *object;	/* of QEMU */
	bool huge;
} backings[] = {
	{ "anon", "memory-backend-ram,id=ram,size=32M", false },
	{ "memfd", "memory-backend-memfd,id=ram,size=32M,share=on", false },
	{ "memfd-private", "memory-backend-memfd,id=ram,size=32M,share=off", false },
	{ "hugetlb", "memory-backend-memfd,id=ram,size=32M,share=on,hugetlb=on,hugetlbsize=2M", true },
};

#define BACKINGS (sizeof(backings) / sizeof(*backings))

/* ---- the inner guest ---- */

static const uint8_t real_mode[] = {
	0xfa,						/* cli */
	0xe4, 0x92, 0x0c, 0x02, 0xe6, 0x92,		/* A20 on */
	0x2e, 0x66, 0x0f, 0x01, 0x16, 0x80, 0x00,	/* lgdt cs:[0x80] */
	0x0f, 0x20, 0xc0, 0x0c, 0x01, 0x0f, 0x22, 0xc0,	/* protected mode on */
	0x66, 0xea, 0x40, 0x00, 0x0f, 0x00, 0x08, 0x00,	/* ljmp 8:0xf0040 */
};

static const uint8_t protected_mode[] = {		/* at 0x40 */
	0x66, 0xb8, 0x10, 0x00, 0x8e, 0xd8,		/* mov ds, 16 */
	0x31, 0xdb,					/* xor ebx, ebx */
	0x43,						/* round: inc ebx */
	0xbf, 0x00, 0x00, 0x10, 0x00,			/* mov edi, START */
	0x89, 0x1f,					/* page: mov [edi], ebx */
	0x81, 0xc7, 0x00, 0x10, 0x00, 0x00,		/* add edi, PAGE */
	0x81, 0xff, 0x00, 0x00, 0x00, 0x02,		/* cmp edi, END */
	0x72, 0xf0,					/* jb page */
	0xeb, 0xe8,					/* jmp round */
};

static const uint8_t gdt[] = {				/* at 0x80: its limit and address, then flat segments */
	0x17, 0x00, 0x90, 0x00, 0x0f, 0x00, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
	0, 0, 0, 0, 0, 0, 0, 0,
	0xff, 0xff, 0x00, 0x00, 0x00, 0x9a, 0xcf, 0x00,
	0xff, 0xff, 0x00, 0x00, 0x00, 0x92, 0xcf, 0x00,
};

static const uint8_t reset_vector[] = { 0xea, 0x00, 0x00, 0x00, 0xf0 };	/* ljmp 0xf000:0 */

static void write_bios(void)
{
	static uint8_t image[BIOS_SIZE];
	FILE *file = fopen(BIOS, "w");

	memcpy(image, real_mode, sizeof(real_mode));
	memcpy(image + 0x40, protected_mode, sizeof(protected_mode));
	memcpy(image + 0x80, gdt, sizeof(gdt));
	memcpy(image + BIOS_SIZE - 16, reset_vector, sizeof(reset_vector));
	if (!file || fwrite(image, sizeof(image), 1, file) != 1 || fclose(file)) {
		perror(BIOS);
		exit(2);
	}
}

/* ---- QEMU's module ---- */

#ifdef MODULE
#define MODULE_FILE "accel-tcg-x86_64.so"

asm(".section .rodata; module_start: .incbin \"" MODULE "\"; module_end: .previous");

static void write_module(void)
{
	FILE *file = fopen(MODULE_FILE, "w");
	size_t size = module_end - module_start;
	char here[256];

	if (!file || fwrite(module_start, 1, size, file) != size || fclose(file) || !getcwd(here, sizeof(here))) {
		perror(MODULE_FILE);
		exit(2);
	}
	setenv("QEMU_MODULE_DIR", here, 1);
}
#else
static void write_module(void)
{
}
#endif

/* ---- one QEMU and its monitor ---- */

struct vm {
	pid_t pid;
	FILE *to, *from;
};

static char answer[65536];	/* the line that answered the last command */
static char words[256];		/* what QEMU said last that is no JSON: why it ended */

/* Why the case ends; NULL while nothing is wrong. */
static char verdict[1024];
static bool refused, untested;

static bool wrong(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static bool wrong(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(verdict, sizeof(verdict), fmt, args);
	va_end(args);
	return false;
}

/* Send a command and read its answer; events are passed by. */
static bool command(struct vm *vm, const char *text)
{
	fprintf(vm->to, "%s\n", text);
	fflush(vm->to);
	while (fgets(answer, sizeof(answer), vm->from)) {
		answer[strcspn(answer, "\r\n")] = 0;
		if (!strncmp(answer, "{\"return\"", 9))
			return true;
		if (!strncmp(answer, "{\"error\"", 8))
			return wrong("%.60s: %.400s", text, answer);
		if (answer[0] != '{')
			snprintf(words, sizeof(words), "%.250s", answer);
	}
	return wrong("QEMU ended in %.60s: %s", text, words);
}

static bool start(struct vm *vm, const char *qemu, const struct backing *b, bool incoming)
{
	int in[2], out[2];

	if (pipe(in) || pipe(out))
		return wrong("pipe: %s", strerror(errno));
	vm->pid = fork();
	if (!vm->pid) {
		dup2(in[0], 0);
		dup2(out[1], 1);
		dup2(1, 2);
		close(in[1]);
		close(out[0]);
		execl(qemu, qemu, "-nodefaults", "-display", "none", "-accel", "tcg", "-M", "pc,memory-backend=ram",
		      "-object", b->object, "-m", "32M", "-bios", BIOS, "-qmp", "stdio",
		      incoming ? "-incoming" : NULL, "defer", NULL);
		perror(qemu);
		_exit(127);
	}
	close(in[0]);
	close(out[1]);
	vm->to = fdopen(in[1], "w");
	vm->from = fdopen(out[0], "r");
	return command(vm, "{\"execute\":\"qmp_capabilities\"}");
}

static void stop(struct vm *vm)
{
	if (vm->pid <= 0)
		return;
	kill(vm->pid, SIGKILL);
	waitpid(vm->pid, NULL, 0);
	fclose(vm->to);
	fclose(vm->from);
	vm->pid = 0;
}

static bool hmp(struct vm *vm, const char *line)
{
	char text[160];

	snprintf(text, sizeof(text),
		 "{\"execute\":\"human-monitor-command\",\"arguments\":{\"command-line\":\"%s\"}}", line);
	return command(vm, text);
}

/* The hexadecimal number behind a word of the last answer. */
static bool number_after(const char *word, unsigned long *number)
{
	char *at = strstr(answer, word);

	if (!at)
		return wrong("no %s in %.200s", word, answer);
	*number = strtoul(at + strlen(word), NULL, 16);
	return true;
}

/* What the inner guest has written last, to its last page. */
static bool last_round(struct vm *vm, unsigned long *round)
{
	char line[32];

	snprintf(line, sizeof(line), "xp /1wx %#lx", END - PAGE);
	return hmp(vm, line) && number_after(": 0x", round);
}

static bool wait_for_round(struct vm *vm, unsigned long round)
{
	unsigned long now;

	do {
		usleep(10000);
		if (!last_round(vm, &now))
			return false;
	} while (now < round);
	return true;
}

/* The round, and the page that is written next. */
struct place {
	unsigned long ebx, edi;
};

static bool place_of(struct vm *vm, struct place *place)
{
	return hmp(vm, "info registers") && number_after("EBX=", &place->ebx) && number_after("EDI=", &place->edi);
}

static long pages_between(const struct place *from, const struct place *to)
{
	const long round = (END - START) / PAGE;

	return (long)(to->ebx - from->ebx) * round + ((long)to->edi - (long)from->edi) / (long)PAGE;
}

/* @seen, if asked for: where the guest was when the migration had not ended yet. */
static bool wait_for_migration(struct vm *vm, struct place *seen)
{
	unsigned int pause = 1000;	/* it may be soon; but who asks all the time holds it up */
	struct place now;

	for (;;) {
		usleep(pause);
		if (pause < 16000)
			pause *= 2;
		if (seen && !place_of(vm, &now))
			return false;
		if (!command(vm, "{\"execute\":\"query-migrate\"}"))
			return false;
		if (strstr(answer, "\"failed\"") || strstr(answer, "\"cancelled\""))
			return wrong("the migration failed: %.400s", answer);
		if (strstr(answer, "\"completed\""))
			return true;
		if (seen)
			*seen = now;
	}
}

/* ---- the snapshot ---- */

static bool take(struct vm *vm, struct place *seen)
{
	unsigned long after;

	if (!command(vm, "{\"execute\":\"migrate-set-capabilities\",\"arguments\":" SNAPSHOT_ON "}"))
		return !(refused = true);
	if (!command(vm, "{\"execute\":\"migrate\",\"arguments\":{\"uri\":\"exec:cat > " SNAPSHOT "\"}}") ||
	    !wait_for_migration(vm, seen) || !last_round(vm, &after))
		return false;
	/* And it goes on writing, protected no more. */
	return wait_for_round(vm, after + 3);
}

/* Memory as it is at the moment at which the registers are. */
static bool is_one_moment(const struct place *saved)
{
	const unsigned long ebx = saved->ebx, edi = saved->edi;
	FILE *memory = fopen(MEMORY, "r");
	bool good = memory;
	uint32_t round;

	for (unsigned long at = START; good && at < END; at += PAGE) {
		good = !fseek(memory, (long)(at - START), SEEK_SET) && fread(&round, sizeof(round), 1, memory) == 1;
		if (!good)
			break;
		if (round != ebx && round != ebx - 1)
			return wrong("page %#lx is of round %u, the registers are of %lu", at, round, ebx);
		if (edi < END && at != edi && round != (at < edi ? ebx : ebx - 1))
			return wrong("page %#lx is of round %u, and the guest was at %#lx of %lu", at, round, edi, ebx);
	}
	if (memory)
		fclose(memory);
	return good || wrong("%s: %s", MEMORY, strerror(errno));
}

/* @seen: where the guest was last before all of it was saved. */
static bool restore(struct vm *vm, const struct place *seen)
{
	struct place saved;
	unsigned long now;
	char text[160];

	if (!command(vm, "{\"execute\":\"stop\"}") ||
	    !command(vm, "{\"execute\":\"migrate-incoming\",\"arguments\":{\"uri\":\"exec:cat " SNAPSHOT "\"}}") ||
	    !wait_for_migration(vm, NULL) || !command(vm, "{\"execute\":\"stop\"}") || !place_of(vm, &saved))
		return false;
	snprintf(text, sizeof(text), "{\"execute\":\"pmemsave\",\"arguments\":{\"val\":%lu,\"size\":%lu,\"filename\":\""
		 MEMORY "\"}}", START, END - START);
	if (!command(vm, text) || !is_one_moment(&saved))
		return false;
	printf("# restored at page %#lx of round %lu: %ld pages were written until all was saved\n", saved.edi, saved.ebx,
	       pages_between(&saved, seen));
	if (!command(vm, "{\"execute\":\"cont\"}") || !wait_for_round(vm, saved.ebx + 2) || !last_round(vm, &now))
		return false;
	if (pages_between(&saved, seen) > 0)
		return true;
	untested = true;
	return wrong("the guest wrote nothing while it was saved");
}

static bool snapshot(const char *qemu, const struct backing *b)
{
	struct vm first = { 0 }, second = { 0 };
	struct place seen = { 0, START };
	bool good;

	good = start(&first, qemu, b, false) && wait_for_round(&first, 3) && take(&first, &seen);
	stop(&first);
	good = good && start(&second, qemu, b, true) && restore(&second, &seen);
	stop(&second);
	unlink(SNAPSHOT);
	unlink(MEMORY);
	return good;
}

static bool pool(const char *pages)
{
	int fd = open(POOL, O_WRONLY);
	bool good = fd >= 0 && write(fd, pages, strlen(pages)) == (ssize_t)strlen(pages);

	if (fd >= 0)
		close(fd);
	return good;
}

int main(int argc, char **argv)
{
	int failed = 0;

	if (argc != 2)
		return 2;
	signal(SIGPIPE, SIG_IGN);
	setvbuf(stdout, NULL, _IOLBF, 0);
	write_bios();
	write_module();
	printf("KTAP version 1\n1..%zu\n", BACKINGS);
	for (size_t i = 0; i < BACKINGS; i++) {
		const struct backing *b = &backings[i];
		bool good;

		refused = untested = false;
		if (b->huge && !pool("32")) {
			printf("ok %zu %s # SKIP CONFIG_HUGETLBFS: %s: %s\n", i + 1, b->name, POOL, strerror(errno));
			continue;
		}
		good = snapshot(argv[1], b);
		if (!good && !refused)
			printf("# %s\n", verdict);
		printf("%sok %zu %s%s%s\n", good || refused ? "" : "not ", i + 1, b->name,
		       refused ? " # SKIP QEMU refuses: " : untested ? " # ERROR " : "",
		       refused || untested ? verdict : "");
		failed += !good && !refused;
	}
	return failed > 0;
}
