// SPDX-License-Identifier: GPL-2.0
/*
 * R15: random operations on three mappings of one file in two processes; after each, pagemap, data
 * and trapping are compared with the reference model (model.c). In -meet, two processes and a manager are
 * at work at once, and what they leave is compared when all have stopped (model_meet.c).
 *
 * A sequence that differs is cut down to a short one, each trial in a new process, and printed
 * twice: as text for the replay, and as C to keep in known[] below.
 *	R15_OPS="WP 0 3 4; DONTNEED 0 3 4" ./uffd-race -r R15_model-replay
 *	R15_SEED=7000036 ./uffd-race -r R15_model-replay	(a whole sequence; with R15_HUGE=1 one of -huge)
 *
 * Needs: REGISTER(WP) on shmem, a swap device, MEMCG, two NUMA nodes; R15_model-fuzz-huge
 * TRANSPARENT_HUGEPAGE.
 * Fails on a kernel that differs from the state table, in any order of events the seed finds.
 * Known differences, found by probing: mainline keeps protection when a registration drops WP (L15), and
 * ends the registration of the neighbour when mremap() moves something beside it (L20); 7.3 refuses the
 * registration that drops WP.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "access.h"
#include "backing.h"
#include "force.h"
#include "khugepaged.h"
#include "ktap.h"
#include "model_run.h"
#include "proc.h"
#include "settings.h"
#include "uffd.h"

#define MAX_OPS 400
#define OPS_PER_RUN 120
#define RESERVE 10	/* seconds kept back for an operation that hangs */
#define IDLE 0.6		/* of the limit of a case: an operation hangs that has all its tasks asleep for longer */
#define BUSY 0.8		/* the same of CPU time that it uses */
#define SHRINK_LIMIT 6	/* seconds for all of the shrinking, and the last trial */

/* How often each operation is drawn, of about a thousand. */
static const int weights[NR_OPS] = {
	[READ] = 150, [WRITE] = 220, [WP] = 130, [UNWP] = 50, [DONTNEED] = 70, [REMOVE] = 25, [PUNCH] = 30,
	[TRUNCATE] = 25, [FD_WRITE] = 30, [COPY] = 25, [COPY_WP] = 25, [ZEROPAGE] = 15, [PAGEOUT] = 70,
	[SQUEEZE] = 1, [SWAPOFF] = 3, [MIGRATE] = 40, [COLLAPSE] = 0, [MPROTECT] = 30, [CLEAR_REFS] = 10,
	[FORK] = 12, [MREMAP] = 12, [REMAP] = 20, [UNREGISTER] = 20, [DROP_WP] = 10, [REG_END] = 20, [REG_WP] = 40,
	[REG_MISSING] = 10, [REG_BOTH] = 20, [CLOSE] = 5, [SPLIT] = 10, [MERGE] = 15, [BESIDE] = 15,
};

static struct progress *progress;
static struct differences known_differences;

uint64_t model_random(uint64_t *state)
{
	*state += 0x9E3779B97F4A7C15ULL;
	uint64_t z = *state;

	z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9ULL;
	z = (z ^ z >> 27) * 0x94D049BB133111EBULL;
	return z ^ z >> 31;
}

static struct op draw(uint64_t *state, int collapse_weight)
{
	int total = collapse_weight, pick, kind;
	struct op op;

	for (kind = 0; kind < NR_OPS; kind++)
		total += weights[kind];
	pick = (int)(model_random(state) % total);
	for (kind = 0; kind < NR_OPS - 1; kind++) {
		pick -= weights[kind] + (kind == COLLAPSE ? collapse_weight : 0);
		if (pick < 0)
			break;
	}
	op.kind = (uint8_t)kind;
	op.map = model_random(state) % MODEL_MAPS;
	/* Few pages, so that the operations meet: mostly the first ones. */
	op.first = model_random(state) % (model_random(state) % 4 ? 8 : MODEL_PAGES);
	op.pages = 1 + model_random(state) % (model_random(state) % 8 ? 6 : MODEL_PAGES);
	if (op.kind == TRUNCATE && model_random(state) % 2)
		op.first = MODEL_PAGES;
	return model_legal(op);
}

static void draw_sequence(struct op *ops, uint64_t seed, int collapse_weight)
{
	for (size_t i = 0; i < OPS_PER_RUN; i++)
		ops[i] = draw(&seed, collapse_weight);
}

/* How an operation goes on, from one look to the next. */
struct pulse {
	size_t op;
	double cpu, cpu_at_begin;	/* seconds of all tasks of the run */
	double since;			/* when anything was last seen to move */
};

/*
 * Whether nothing moves any more, or everything without end. A machine that is slow to run a task shows it
 * as runnable, and not as asleep: however long it takes, that is no hang.
 */
static bool hangs(struct pulse *p)
{
	bool asleep;
	double cpu = ktap_others(&asleep);

	if (p->op != progress->done || cpu < p->cpu_at_begin)
		*p = (struct pulse){ progress->done, cpu, cpu, ktap_now() };
	if (!asleep || cpu != p->cpu) {
		p->cpu = cpu;
		p->since = ktap_now();
	}
	return ktap_now() - p->since > IDLE * ktap_limit() || cpu - p->cpu_at_begin > BUSY * ktap_limit();
}

/* Wait for the process of a sequence; end it if an operation hangs, and say where its tasks sleep. */
static bool await(pid_t pid, int *status)
{
	struct pulse pulse = { .op = SIZE_MAX };
	sigset_t chld;
	pid_t got;

	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	while (!(got = waitpid(pid, status, WNOHANG))) {
		if (hangs(&pulse)) {
			ktap_diag("operation %zu hangs; the tasks of the case:", progress->done);
			ktap_dump_tasks();
			SETUP(!kill(pid, SIGKILL));
			got = waitpid(pid, status, 0);
			SETUP(got == pid);
			return false;
		}
		sigtimedwait(&chld, NULL, &(struct timespec){ 0, 500000000 });
	}
	SETUP(got == pid);
	return true;
}

static void block_sigchld(void)
{
	sigset_t chld;

	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	SETUP(!sigprocmask(SIG_BLOCK, &chld, NULL));
}

/* Wait for the process of a run. Returns whether it agreed with the model to its end. */
static bool agreed(pid_t pid)
{
	bool ended;
	int status;

	ended = await(pid, &status);
	if (!status)
		return true;
	if (!progress->differs)
		snprintf(progress->text, sizeof(progress->text), "%s", ended ? "the run ended early" : "it hangs");
	return false;
}

/* A process of its own for a run: returns 0 in it. */
static pid_t start_run(void)
{
	pid_t pid;

	block_sigchld();
	progress->done = 0;
	progress->differs = false;
	progress->text[0] = 0;
	pid = fork();
	SETUP(pid >= 0);
	if (!pid)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	return pid;
}

/* Run a sequence. Returns whether it agreed with the model to its end. */
static bool agrees(const struct op *ops, size_t n)
{
	pid_t pid = start_run();

	if (!pid) {
		model_run(ops, n, known_differences, progress);
		_exit(0);
	}
	return agreed(pid);
}

/* The same of rounds in which operations meet. */
static bool meets(uint64_t seed, size_t rounds)
{
	pid_t pid = start_run();

	if (!pid) {
		model_meet(seed, rounds, known_differences, progress);
		_exit(0);
	}
	return agreed(pid);
}

static size_t without(struct op *to, const struct op *from, size_t n, size_t at, size_t count)
{
	memcpy(to, from, at * sizeof(*to));
	memcpy(to + at, from + at + count, (n - at - count) * sizeof(*to));
	return n - count;
}

/* Take @trial for the sequence if it fails, too; cut off what comes after the failure. */
static bool take_if_fails(struct op *ops, size_t *n, const struct op *trial, size_t trial_n)
{
	if (!trial_n || agrees(trial, trial_n))
		return false;
	*n = progress->done + 1 < trial_n ? progress->done + 1 : trial_n;
	memmove(ops, trial, *n * sizeof(*ops));
	return true;
}

static void shrink(struct op *ops, size_t *n, double end)
{
	struct op trial[MAX_OPS];

	for (size_t count = *n / 2; count; count /= 2)
		for (size_t at = 0; at + count <= *n && ktap_now() < end;)
			if (!take_if_fails(ops, n, trial, without(trial, ops, *n, at, count)))
				at += count;
	for (size_t i = 0; i < *n && ktap_now() < end; i++) {
		memcpy(trial, ops, *n * sizeof(*ops));
		if (trial[i].pages == 1)
			continue;
		trial[i].pages = 1;
		take_if_fails(ops, n, trial, *n);
	}
}

static void print_ops(const struct op *ops, size_t n)
{
	char text[800] = "";
	size_t used = 0;

	for (size_t i = 0; i < n && used < sizeof(text) - 40; i++)
		used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s %d %d %d", i ? "; " : "",
					 op_names[ops[i].kind], ops[i].map, ops[i].first, ops[i].pages);
	ktap_diag("replay: R15_OPS=\"%s\" uffd-race -r R15_model-replay", text);
	ktap_diag("as C:");
	for (size_t i = 0; i < n; i++)
		ktap_diag("\t{ %s, %d, %d, %d },", op_names[ops[i].kind], ops[i].map, ops[i].first, ops[i].pages);
}

/* It must fail once more to be shrunk: what happened only once is printed as it was. */
static void report(struct op *ops, size_t n, uint64_t seed)
{
	double end = ktap_now() + SHRINK_LIMIT;
	char first[sizeof(progress->text)];
	size_t at = progress->done;

	memcpy(first, progress->text, sizeof(first));
	n = at + 1 < n ? at + 1 : n;
	EXPECT_MSG(false, "operation %zu (%s %d %d %d): %s", at, op_names[ops[n - 1].kind], ops[n - 1].map,
		   ops[n - 1].first, ops[n - 1].pages, first);
	ktap_diag("seed of the sequence: %llu, %zu operations", (unsigned long long)seed, n);
	shrink(ops, &n, end);
	if (ktap_now() >= end)
		ktap_diag("there was no time to shrink it further");
	else if (agrees(ops, n))
		ktap_diag("the sequence that is left does not fail every time");
	else
		ktap_diag("the short sequence: %s", progress->text);
	print_ops(ops, n);
}

/* Whether protection survives a registration without WP here (L15). */
static bool probe_drop_keeps(void)
{
	struct area a;
	bool keeps;

	area_arm(&a, &memfd_shared, 1, 0);
	SETUP(!area_wp(&a, 0, 1));
	SETUP(!uffd_register(a.uffd, a.map, PAGE, UFFDIO_REGISTER_MODE_MISSING, NULL));
	SETUP(!uffd_register(a.uffd, a.map, PAGE, UFFDIO_REGISTER_MODE_WP, NULL));
	keeps = pm(a.map) & PM_UFFD_WP;
	area_close(&a);
	return keeps;
}

/* Whether a page that comes back to its neighbour ends the registration of that, too (L20). */
static bool probe_beside_ends(void)
{
	struct area a, spare;
	bool ends;

	area_arm(&a, &memfd_shared, 2, 0);
	area_open(&spare, &anon, 1);
	SETUP(mremap(a.map, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, spare.map) == spare.map);
	SETUP(!uffd_register(a.uffd, spare.map, PAGE, UFFDIO_REGISTER_MODE_WP, NULL));
	SETUP(mremap(spare.map, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, a.map) == a.map);
	ends = area_wp(&a, 1, 1);
	area_close(&a);
	return ends;
}

/* Whether the error of a fill beyond the end of the file is another one (C12). */
static bool probe_beyond_enomem(void)
{
	uint64_t page[PAGE / 8] = { 0 };
	struct area a;
	int err;

	area_arm(&a, &memfd_shared, 1, 0);
	SETUP(!ftruncate(a.fd, 0));
	err = uffd_copy(a.uffd, a.map, page, PAGE, 0, NULL);
	area_close(&a);
	return err == -ENOMEM;
}

static void probe(void)
{
	known_differences.drop_refused = !may_drop_wp();
	if (known_differences.drop_refused)
		ktap_diag("this kernel refuses a registration that drops WP");
	known_differences.drop_keeps = !known_differences.drop_refused && probe_drop_keeps();
	if (known_differences.drop_keeps)
		ktap_diag("this kernel keeps protection when a registration drops WP (L15)");
	known_differences.beyond_enomem = probe_beyond_enomem();
	if (known_differences.beyond_enomem)
		ktap_diag("on this kernel a fill beyond the end of a file is ENOMEM (C12)");
	known_differences.beside_ends = probe_beside_ends();
	if (known_differences.beside_ends)
		ktap_diag("this kernel ends the registration of the neighbour of what mremap() moves (L20)");
}

static void prepare(void)
{
	need_shmem_wp();
	need_swap();
	cgroup_enter();
	probe();
	progress = mmap(NULL, sizeof(*progress), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	SETUP(progress != MAP_FAILED);
}

/* Whether what the sequences are to meet has happened: reclaim, since @swapped pages were out, migration, collapse. */
static bool has_met_all(long swapped, int collapse_weight)
{
	return vmstat("pswpout") > swapped && progress->moved && (!collapse_weight || progress->collapsed);
}

static void fuzz(int collapse_weight)
{
	long swapped = vmstat("pswpout"), sequences = 0, operations = 0;
	/* What is left of the time is for a sequence that hangs, and for shrinking it. */
	double end = ktap_now() + (ktap_budget() > 3 * RESERVE ? ktap_budget() - RESERVE : ktap_budget());
	double last = end + 2 * ktap_budget();	/* a slow host has few sequences in that time */
	struct op ops[MAX_OPS];

	for (; ktap_now() < end || (ktap_now() < last && !has_met_all(swapped, collapse_weight)); sequences++) {
		uint64_t seed = ktap_seed() * 1000003 + sequences;

		draw_sequence(ops, seed, collapse_weight);
		if (!agrees(ops, OPS_PER_RUN)) {
			report(ops, OPS_PER_RUN, seed);
			return;
		}
		operations += (long)progress->done;
		ktap_held();
	}
	ktap_diag("%ld sequences, %ld operations; %ld pages went to swap, %ld moved, %ld huge pages made", sequences,
		  operations, vmstat("pswpout") - swapped, progress->moved, progress->collapsed);
	SETUP_MSG(vmstat("pswpout") > swapped, "nothing went to swap");
	SETUP_MSG(progress->moved, "no page moved");
	SETUP_MSG(!collapse_weight || progress->collapsed, "no huge page was made");
}

static void fuzz_small(void)
{
	prepare();
	fuzz(0);
}
CASE_BUDGET("R15_model-fuzz", fuzz_small);

#define COLLAPSE_WEIGHT 12

static void prepare_huge(void)
{
	khugepaged_eager();
	set_file("/sys/kernel/mm/transparent_hugepage/enabled", "madvise");
	set_file("/sys/kernel/mm/transparent_hugepage/shmem_enabled", "advise");
}

static void fuzz_huge(void)
{
	prepare();
	prepare_huge();
	fuzz(COLLAPSE_WEIGHT);
}
CASE_BUDGET("R15_model-fuzz-huge", fuzz_huge);

/* How many rounds with one seed. */
#define ROUNDS 40

/* What meets depends on the moment: it is printed as it was, and may not come again with its seed. */
static void fuzz_meet(void)
{
	double end = ktap_now() + (ktap_budget() > 3 * RESERVE ? ktap_budget() - RESERVE : ktap_budget());
	double last = end + ktap_limit() / 2;
	long swapped = vmstat("pswpout"), runs = 0;

	prepare();
	for (; ktap_now() < end || (ktap_now() < last && !has_met_all(swapped, 0)); runs++) {
		uint64_t seed = ktap_seed() * 1000003 + (uint64_t)runs;
		bool good = meets(seed, ROUNDS);

		EXPECT_MSG(good, "seed %llu, round %zu: %s", (unsigned long long)seed, progress->done, progress->text);
		if (!good) {
			ktap_diag("replay: R15_MEET=%llu uffd-race -r R15_model-replay", (unsigned long long)seed);
			return;
		}
	}
	ktap_diag("%ld runs of %d rounds, %ld operations at once; %ld pages went to swap, %ld moved", runs, ROUNDS,
		  progress->met, vmstat("pswpout") - swapped, progress->moved);
	SETUP_MSG(vmstat("pswpout") > swapped, "nothing went to swap");
	SETUP_MSG(progress->moved, "no page moved");
}
CASE_BUDGET("R15_model-fuzz-meet", fuzz_meet);

/* Sequences that have found something, and one that uses everything. */
struct sequence {
	const char *name;
	size_t n;
	struct op ops[40];
};

static const struct sequence known[] = {
	{ "zaps of protected pages", 10, {
		{ WRITE, 0, 0, 1 }, { READ, 2, 0, 1 }, { WP, 0, 0, 4 }, { DONTNEED, 0, 0, 2 }, { DONTNEED, 0, 0, 2 },
		{ PUNCH, 0, 0, 4 }, { READ, 0, 1, 1 }, { TRUNCATE, 0, 0, 1 }, { TRUNCATE, 0, 64, 1 }, { WRITE, 0, 1, 1 },
	} },
	{ "private pages", 12, {
		{ WRITE, 1, 0, 1 }, { WP, 1, 0, 3 }, { PAGEOUT, 1, 0, 3 }, { PUNCH, 1, 0, 3 }, { READ, 1, 0, 1 },
		{ DONTNEED, 1, 0, 1 }, { WRITE, 1, 0, 1 }, { ZEROPAGE, 1, 2, 1 }, { FORK, 1, 0, 4 }, { WP, 1, 0, 2 },
		{ TRUNCATE, 1, 0, 1 }, { WRITE, 1, 0, 1 },
	} },
	{ "registrations", 24, {
		{ FD_WRITE, 0, 0, 1 }, { WRITE, 0, 1, 1 }, { WP, 0, 0, 8 }, { REG_END, 0, 2, 2 }, { WRITE, 0, 2, 1 },
		{ READ, 0, 3, 1 }, { REG_BOTH, 0, 4, 4 }, { WRITE, 0, 4, 1 }, { READ, 0, 5, 1 }, { REG_MISSING, 0, 0, 2 },
		{ WRITE, 0, 0, 1 }, { REG_WP, 0, 0, 8 }, { WP, 0, 0, 8 }, { SPLIT, 0, 1, 3 }, { BESIDE, 0, 2, 1 },
		{ WRITE, 0, 3, 1 }, { MERGE, 0, 0, 64 }, { CLOSE, 0, 0, 1 }, { WRITE, 0, 6, 1 }, { REG_WP, 0, 0, 64 },
		{ WRITE, 0, 7, 1 }, { WP, 0, 0, 4 }, { MREMAP, 0, 0, 1 }, { WRITE, 0, 3, 1 },
	} },
	{ "every operation", 26, {
		{ FD_WRITE, 0, 0, 1 }, { WP, 0, 0, 8 }, { READ, 0, 0, 1 }, { WRITE, 2, 0, 1 }, { MPROTECT, 0, 0, 4 },
		{ MPROTECT, 0, 1, 3 }, { CLEAR_REFS, 0, 3, 1 }, { MIGRATE, 0, 0, 2 }, { PAGEOUT, 0, 0, 8 }, { SQUEEZE, 0, 0, 1 },
		{ SWAPOFF, 0, 0, 1 }, { COPY, 0, 5, 1 }, { COPY_WP, 0, 6, 1 }, { ZEROPAGE, 0, 7, 1 }, { REMOVE, 2, 0, 3 },
		{ FORK, 0, 0, 8 }, { UNREGISTER, 0, 2, 2 }, { UNWP, 0, 4, 1 }, { REMAP, 0, 3, 4 }, { WP, 2, 0, 64 },
		{ MREMAP, 2, 0, 1 }, { DROP_WP, 0, 0, 1 }, { WRITE, 0, 1, 1 }, { WRITE, 2, 1, 1 }, { TRUNCATE, 0, 3, 1 },
		{ WRITE, 0, 3, 1 },
	} },
};

static bool parse_op(const char *text, struct op *op)
{
	unsigned int map, first, pages;
	char name[20];

	if (sscanf(text, " %19[A-Z_] %u %u %u", name, &map, &first, &pages) != 4)
		return false;
	for (int kind = 0; kind < NR_OPS; kind++)
		if (!strcmp(name, op_names[kind])) {
			*op = model_legal((struct op){ (uint8_t)kind, (uint8_t)map, (uint8_t)first, (uint8_t)pages });
			return true;
		}
	return false;
}

static size_t parse_ops(char *text, struct op *ops)
{
	size_t n = 0;

	for (char *part = strtok(text, ";"); part; part = strtok(NULL, ";")) {
		SETUP_MSG(n < MAX_OPS && parse_op(part, &ops[n]), "R15_OPS: not an operation: '%s'", part);
		n++;
	}
	return n;
}

static void replay_one(const char *name, const struct op *ops, size_t n)
{
	bool good = agrees(ops, n);

	EXPECT_MSG(good, "%s: operation %zu (%s %d %d %d): %s", name, progress->done,
		   op_names[ops[progress->done].kind], ops[progress->done].map, ops[progress->done].first,
		   ops[progress->done].pages, progress->text);
}

static void replay(void)
{
	char *text = getenv("R15_OPS"), *seed = getenv("R15_SEED"), *huge = getenv("R15_HUGE"), *meet = getenv("R15_MEET");
	struct op ops[MAX_OPS];

	prepare();
	if (huge)
		prepare_huge();
	if (meet) {
		bool good = meets(strtoull(meet, NULL, 0), ROUNDS);

		EXPECT_MSG(good, "round %zu: %s", progress->done, progress->text);
		return;
	}
	if (seed) {
		draw_sequence(ops, strtoull(seed, NULL, 0), huge ? COLLAPSE_WEIGHT : 0);
		replay_one("R15_SEED", ops, OPS_PER_RUN);
		return;
	}
	if (text) {
		replay_one("R15_OPS", ops, parse_ops(strdup(text), ops));
		return;
	}
	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
		replay_one(known[i].name, known[i].ops, known[i].n);
}
CASE("R15_model-replay", replay);
