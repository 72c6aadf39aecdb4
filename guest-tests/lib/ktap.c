// SPDX-License-Identifier: GPL-2.0
/* The runner of ktap.h: options, the plan, a child and a watchdog for each case, the result lines. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "ktap.h"

#define MAX_RUNS 4096
#define MAX_PATTERNS 512
#define MAX_UNDOS 32
#define LOOK_US 500000		/* for the host to see a line on the console and to stop the guest */
#define WORD 13			/* 12 hexadecimal digits and their end */

/* From good to bad: the worst of several runs of a case is its result. */
enum outcome { PASSED, SKIPPED, ERRED, FAILED, TIMED_OUT };

/* One case, on one variant if it has some. */
struct run {
	const struct ktap_case *kase;
	const void *variant;
	char id[120];
};

/* A file that a case changed, and what to write back. */
struct undo {
	char path[128];
	char text[128];
};

/* What a case tells the runner, in memory that both share. */
struct verdict {
	pid_t pid;
	int checks;
	int failures;
	enum outcome outcome;
	bool finished;
	char reason[256];
	int nr_undos;
	struct undo undos[MAX_UNDOS];
};

/*
 * The one-time words with which our markers are written, see docs/protocol.md. They come
 * on the descriptor that WPCI_MARKERS names; without it markers have none. A case must not
 * have those of others: its child wipes them.
 */
static char words[2 * MAX_RUNS * WORD];
static int nr_words, next_word;

extern const struct ktap_case *const __start_ktap_cases[];
extern const struct ktap_case *const __stop_ktap_cases[];

static struct verdict *verdict;
static double timeout_seconds = 20;
static double budget_seconds = 10;
static uint64_t seed = 1;
static int repeats = 1;
static bool stop_early;
static const char *patterns[MAX_PATTERNS];
static int nr_patterns;

double ktap_budget(void)
{
	return budget_seconds;
}

double ktap_limit(void)
{
	return timeout_seconds;
}

uint64_t ktap_seed(void)
{
	return seed;
}

double ktap_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec + now.tv_nsec / 1e9;
}

/* One write a line, so that lines of threads and children do not mix. */
static void print_line(const char *prefix, const char *fmt, va_list args)
{
	char line[1024];
	int used, more;

	used = snprintf(line, sizeof(line), "%s", prefix);
	more = vsnprintf(line + used, sizeof(line) - used - 1, fmt, args);
	used += more < (int)sizeof(line) - used - 1 ? more : (int)sizeof(line) - used - 2;
	line[used++] = '\n';
	for (char *at = line; used > 0;) {
		ssize_t n = write(STDOUT_FILENO, at, used);

		if (n < 0 && errno != EINTR)
			return;
		if (n > 0)
			at += n, used -= n;
	}
}

static void __attribute__((format(printf, 1, 2))) say(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	print_line("", fmt, args);
	va_end(args);
}

void ktap_diag(const char *fmt, ...)
{
	int saved = errno;
	va_list args;

	va_start(args, fmt);
	print_line("# ", fmt, args);
	va_end(args);
	errno = saved;
}

/* Checks, called in the child of a case or in its threads and children. */

bool ktap_check(bool good)
{
	__atomic_fetch_add(&verdict->checks, 1, __ATOMIC_RELAXED);
	return good;
}

static void worsen(enum outcome outcome)
{
	if (verdict->outcome < outcome)
		verdict->outcome = outcome;
}

/* A reason that came first stays, and that of a failed check is in the diagnostics. */
static __attribute__((noreturn)) void end_with(enum outcome outcome, const char *reason)
{
	if (verdict->outcome < outcome)
		snprintf(verdict->reason, sizeof(verdict->reason), "%s", reason);
	worsen(outcome);
	ktap_stop();
}

void ktap_failed(const char *file, int line, const char *fmt, ...)
{
	char text[512];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	ktap_diag("%s:%d: %s", file, line, text);
	worsen(FAILED);
	__atomic_fetch_add(&verdict->failures, 1, __ATOMIC_RELAXED);
}

void ktap_stop(void)
{
	if (getpid() != verdict->pid)
		kill(verdict->pid, SIGKILL);
	_exit(0);
}

void ktap_error(const char *file, int line, int errnum, const char *fmt, ...)
{
	char text[160], reason[256];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	snprintf(reason, sizeof(reason), "%s:%d: %s%s%s", file, line, text,
		 errnum ? ": " : "", errnum ? strerror(errnum) : "");
	ktap_diag("%s", reason);
	end_with(ERRED, reason);
}

void ktap_skip(const char *fmt, ...)
{
	char reason[256];
	va_list args;

	va_start(args, fmt);
	vsnprintf(reason, sizeof(reason), fmt, args);
	va_end(args);
	end_with(SKIPPED, reason);
}

void ktap_restore(const char *path, const char *text)
{
	struct undo *undo = &verdict->undos[verdict->nr_undos];

	SETUP_MSG(verdict->nr_undos < MAX_UNDOS, "too many files to restore");
	snprintf(undo->path, sizeof(undo->path), "%s", path);
	snprintf(undo->text, sizeof(undo->text), "%s", text);
	verdict->nr_undos++;
}

/* The runner. */

static void read_words(void)
{
	const char *name = getenv("WPCI_MARKERS");
	int fd = name ? atoi(name) : -1;
	int size = 0;
	ssize_t n;

	if (fd <= STDERR_FILENO)
		return;
	while (size < (int)sizeof(words) && (n = read(fd, words + size, sizeof(words) - size)) > 0)
		size += n;
	close(fd);
	unsetenv("WPCI_MARKERS");
	nr_words = size / WORD;
	for (int i = 0; i < nr_words; i++)
		words[i * WORD + WORD - 1] = 0;
}

static void wipe_words(void)
{
	explicit_bzero(words, nr_words * WORD);
}

/* The next word with a blank behind it, or nothing where there is none. */
static const char *take_word(void)
{
	static char word[WORD + 1];

	word[0] = 0;
	if (next_word < nr_words)
		snprintf(word, sizeof(word), "%s ", words + WORD * next_word++);
	return word;
}

/* Opened for each line, because /dev/kmsg limits the rate of each open file. */
static void mark(const char *word, const char *what, const char *id)
{
	int fd = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);
	char line[256];
	int length = snprintf(line, sizeof(line), "wpci: %s%s %s\n", word, what, id);

	if (fd < 0)
		return;
	/* No dprintf(): it seeks first, and gives up on the EBADF of 5.10 */
	if (write(fd, line, length) != length)
		ktap_diag("the kernel log does not take the marker %s", line);
	close(fd);
}

static void dump_file(const char *dir, const char *tid, const char *name)
{
	char path[300], text[4096], *line, *rest = text;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "%s/%s/%s", dir, tid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n <= 0)
		return;
	text[n] = 0;
	if (!strcmp(name, "stat") && strrchr(text, ')'))	/* up to the state */
		strrchr(text, ')')[3] = 0;
	while ((line = strsep(&rest, "\n")))
		if (*line)
			ktap_diag("  %s %s: %s", tid, name, line);
}

/* Print where every task of a process sleeps. */
static void dump_tasks(int pid)
{
	char dir[64];
	struct dirent *entry;
	DIR *tasks;

	snprintf(dir, sizeof(dir), "/proc/%d/task", pid);
	tasks = opendir(dir);
	while (tasks && (entry = readdir(tasks))) {
		if (entry->d_name[0] == '.')
			continue;
		dump_file(dir, entry->d_name, "stat");
		dump_file(dir, entry->d_name, "wchan");
		dump_file(dir, entry->d_name, "syscall");
		dump_file(dir, entry->d_name, "stack");
	}
	if (tasks)
		closedir(tasks);
}

/* What a stat file of /proc says after the name of the task. NULL if there is none. */
static const char *read_stat(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;
	char *end;

	if (fd < 0)
		return NULL;
	n = read(fd, text, size - 1);
	close(fd);
	text[n > 0 ? n : 0] = 0;
	end = strrchr(text, ')');
	return end ? end + 1 : NULL;
}

/* Parent and process group of a process. */
static bool family(const char *pid, int *parent, int *group)
{
	char path[64], text[512];
	const char *stat;

	snprintf(path, sizeof(path), "/proc/%.20s/stat", pid);
	stat = read_stat(path, text, sizeof(text));
	return stat && sscanf(stat, " %*c %d %d", parent, group) == 2;
}

/* Call @fn for every process of @group, and for every child of this process: orphans come here. */
static void with_each_left(int group, void (*fn)(int pid))
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	int parent, of;

	while (proc && (entry = readdir(proc)))
		if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9' && family(entry->d_name, &parent, &of) &&
		    (of == group || parent == getpid()))
			fn(atoi(entry->d_name));
	if (proc)
		closedir(proc);
}

/* In a case, which leads its process group. */
void ktap_dump_tasks(void)
{
	with_each_left(getpgrp(), dump_tasks);
}

/* State, and user and system time in clock ticks, of a task by its stat file. */
static bool stat_of(const char *path, char *state, long *ticks)
{
	unsigned long user, system;
	char text[512];
	const char *stat = read_stat(path, text, sizeof(text));

	if (!stat || sscanf(stat, " %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", state, &user, &system) != 3)
		return false;
	*ticks = (long)(user + system);
	return true;
}

/* The tasks that ktap_others() has looked at so far. */
static long others_ticks;
static bool others_asleep;

static void add_other(int pid)
{
	char path[300], state;
	struct dirent *entry;
	long ticks;
	DIR *tasks;

	if (pid == getpid())
		return;
	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	tasks = opendir(path);
	while (tasks && (entry = readdir(tasks))) {
		snprintf(path, sizeof(path), "/proc/%d/task/%.20s/stat", pid, entry->d_name);
		if (entry->d_name[0] == '.' || !stat_of(path, &state, &ticks))
			continue;
		others_ticks += ticks;
		others_asleep = others_asleep && state != 'R';
	}
	if (tasks)
		closedir(tasks);
}

double ktap_others(bool *asleep)
{
	others_ticks = 0;
	others_asleep = true;
	with_each_left(getpgrp(), add_other);
	*asleep = others_asleep;
	return (double)others_ticks / (double)sysconf(_SC_CLK_TCK);
}

static void kill_task(int pid)
{
	kill(pid, SIGKILL);
}

/* Wait for @pid, or for all children if 0, until the deadline. Return whether it came. */
static bool reap(int pid, int *status, double deadline)
{
	sigset_t chld;

	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	for (;;) {
		int got, left, any;

		while ((got = waitpid(-1, &any, WNOHANG)) > 0)
			if (got == pid) {
				*status = any;
				return true;
			}
		if (got < 0 && errno == ECHILD)
			return !pid;
		left = (int)((deadline - ktap_now()) * 1000);
		if (left <= 0)
			return false;
		sigtimedwait(&chld, NULL, &(struct timespec){ left / 1000, left % 1000 * 1000000L });
	}
}

/* Kill what a case left behind, with the children that those leave. Return whether all are gone. */
static bool end_all(int group)
{
	double deadline = ktap_now() + timeout_seconds;
	int status;

	do {
		kill(-group, SIGKILL);
		with_each_left(group, kill_task);
		if (reap(0, &status, ktap_now() + 0.2))
			return true;
	} while (ktap_now() < deadline);
	return false;
}

static void run_child(const struct run *run)
{
	sigset_t none;

	wipe_words();
	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	verdict->pid = getpid();
	if (run->variant)
		run->kase->on(run->variant);
	else
		run->kase->plain();
	verdict->finished = true;
	_exit(0);
}

/* What a child that has ended said, with the guilty readings of what it did not say. */
static void judge(int status)
{
	if (verdict->outcome == PASSED && WIFSIGNALED(status)) {
		worsen(FAILED);
		snprintf(verdict->reason, sizeof(verdict->reason), "killed by signal %d (%s)",
			 WTERMSIG(status), strsignal(WTERMSIG(status)));
	} else if (verdict->outcome == PASSED && !verdict->finished) {
		worsen(FAILED);
		snprintf(verdict->reason, sizeof(verdict->reason), "the case ended early, exit status %d",
			 WEXITSTATUS(status));
	} else if (verdict->outcome == PASSED && !verdict->checks) {
		worsen(ERRED);
		snprintf(verdict->reason, sizeof(verdict->reason), "the case checked nothing");
	}
}

/* Put back what the case changed, the last change first. */
static void undo_all(void)
{
	while (verdict->nr_undos) {
		const struct undo *undo = &verdict->undos[--verdict->nr_undos];
		int fd = open(undo->path, O_WRONLY | O_TRUNC | O_CLOEXEC);

		if (fd < 0 || write(fd, undo->text, strlen(undo->text)) < 0)
			ktap_diag("cannot restore %s: %s", undo->path, strerror(errno));
		if (fd >= 0)
			close(fd);
	}
}

static void run_once(const struct run *run)
{
	double limit = timeout_seconds + (run->kase->kind == KTAP_BUDGET ? budget_seconds : 0);
	int status = 0;
	pid_t pid;

	memset(verdict, 0, sizeof(*verdict));
	pid = fork();
	if (!pid)
		run_child(run);
	if (pid < 0) {
		worsen(ERRED);
		snprintf(verdict->reason, sizeof(verdict->reason), "fork: %s", strerror(errno));
		return;
	}
	setpgid(pid, pid);
	if (reap(pid, &status, ktap_now() + limit)) {
		judge(status);
	} else {
		worsen(TIMED_OUT);
		if (nr_words) {
			/* The host holds the guest still once it reads that, and has a look */
			mark("", "late", run->id);
			usleep(LOOK_US);
		}
		ktap_diag("no end after %g seconds; the tasks of the case:", limit);
		with_each_left(pid, dump_tasks);
	}
	if (!end_all(pid)) {
		ktap_diag("tasks of the case do not die:");
		with_each_left(pid, dump_tasks);
		worsen(FAILED);
	}
	undo_all();
}

static void print_result(int number, const char *id, enum outcome outcome, const char *reason)
{
	switch (outcome) {
	case PASSED:
		say("ok %d %s", number, id);
		break;
	case SKIPPED:
		say("ok %d %s # SKIP %s", number, id, reason);
		break;
	case ERRED:
		say("not ok %d %s # ERROR %s", number, id, reason);
		break;
	case FAILED:
		say("not ok %d %s%s%s", number, id, *reason ? " # " : "", reason);
		break;
	case TIMED_OUT:
		say("not ok %d %s # TIMEOUT", number, id);
		break;
	}
}

static enum outcome run_case(int number, const struct run *run)
{
	static const char *const words[] = { "passed", "skipped", "in error", "failed", "timed out" };
	enum outcome worst = PASSED;
	uint64_t first_seed = seed;
	double begin = ktap_now();
	char reason[256] = "";
	int count[TIMED_OUT + 1] = { 0 };
	const char *word;

	word = take_word();
	ktap_diag(*word ? "wpci: %sbegin %s" : "%sbegin: %s", word, run->id);
	mark(word, "begin", run->id);
	for (int i = 0; i < repeats; i++, seed++) {
		run_once(run);
		count[verdict->outcome]++;
		if (verdict->outcome > worst) {
			worst = verdict->outcome;
			memcpy(reason, verdict->reason, sizeof(reason));
		}
	}
	seed = first_seed;
	word = take_word();
	mark(word, "end", run->id);
	if (*word)
		ktap_diag("wpci: %send %s", word, run->id);
	for (int i = SKIPPED; repeats > 1 && i <= TIMED_OUT; i++)
		if (count[i])
			ktap_diag("%d of %d runs %s", count[i], repeats, words[i]);
	ktap_diag("seconds: %.3f", ktap_now() - begin);
	print_result(number, run->id, worst, reason);
	return worst;
}

static int by_id(const void *a, const void *b)
{
	const struct run *x = a, *y = b;

	return strcmp(x->id, y->id);
}

/* Expand the registered cases over their variants, in the order of their ids. */
static int expand(struct run *runs)
{
	int n = 0;

	for (const struct ktap_case *const *entry = __start_ktap_cases; entry < __stop_ktap_cases; entry++) {
		const struct ktap_case *kase = *entry;

		if (kase->plain && n < MAX_RUNS) {
			runs[n].kase = kase;
			snprintf(runs[n++].id, sizeof(runs->id), "%s", kase->name);
		}
		for (int i = 0; kase->variants && kase->variants[i] && n < MAX_RUNS; i++) {
			runs[n].kase = kase;
			runs[n].variant = kase->variants[i];
			snprintf(runs[n++].id, sizeof(runs->id), "%s.%s", kase->name,
				 kase->variant_name(kase->variants[i]));
		}
	}
	qsort(runs, n, sizeof(*runs), by_id);
	return n;
}

static bool matches(const char *pattern, const char *id)
{
	return !strcmp(pattern, id) || !fnmatch(pattern, id, 0);
}

/* Keep what the patterns pick. Return how many are left, or -1 if a pattern picks nothing. */
static int pick(struct run *runs, int n)
{
	bool used[MAX_PATTERNS] = { false };
	int kept = 0;

	if (!nr_patterns)
		return n;
	for (int i = 0; i < n; i++) {
		bool wanted = false;

		for (int p = 0; p < nr_patterns; p++)
			if (matches(patterns[p], runs[i].id))
				wanted = used[p] = true;
		if (wanted)
			runs[kept++] = runs[i];
	}
	for (int p = 0; p < nr_patterns; p++)
		if (!used[p]) {
			fprintf(stderr, "no such case: %s\n", patterns[p]);
			return -1;
		}
	return kept;
}

static void usage(const char *name)
{
	fprintf(stderr, "usage: %s [-l] [-r PATTERN]... [-t SECONDS] [-n N] [-b SECONDS] [-s SEED] [-x]\n", name);
	exit(2);
}

static double positive(const char *name, const char *text)
{
	char *end;
	double value = strtod(text, &end);

	if (*end || end == text || !(value > 0))
		usage(name);
	return value;
}

/* Read the options. Return whether the ids are only to be listed. */
static bool read_options(int argc, char **argv)
{
	bool list = false;
	int option;

	while ((option = getopt(argc, argv, "lr:t:n:b:s:x")) != -1) {
		if (option == 'l')
			list = true;
		else if (option == 'r' && nr_patterns < MAX_PATTERNS)
			patterns[nr_patterns++] = optarg;
		else if (option == 't')
			timeout_seconds = positive(argv[0], optarg);
		else if (option == 'n')
			repeats = (int)positive(argv[0], optarg);
		else if (option == 'b')
			budget_seconds = positive(argv[0], optarg);
		else if (option == 's')
			seed = strtoull(optarg, NULL, 0);
		else if (option == 'x')
			stop_early = true;
		else
			usage(argv[0]);
	}
	if (optind != argc || repeats < 1)
		usage(argv[0]);
	return list;
}

static void prepare(void)
{
	sigset_t chld;

	verdict = mmap(NULL, sizeof(*verdict), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (verdict == MAP_FAILED) {
		perror("mmap");
		exit(2);
	}
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	sigprocmask(SIG_BLOCK, &chld, NULL);
}

int main(int argc, char **argv)
{
	static struct run runs[MAX_RUNS];
	bool list = read_options(argc, argv);
	int n, bad = 0;

	n = pick(runs, expand(runs));
	if (n < 0)
		return 2;
	for (int i = 0; list && i < n; i++)
		say("%s", runs[i].id);
	if (list)
		return 0;
	prepare();
	read_words();
	say("KTAP version 1");
	say("1..%d", n);
	ktap_diag("seed: %llu", (unsigned long long)seed);
	for (int i = 0; i < n && !(stop_early && bad); i++)
		bad += run_case(i + 1, &runs[i]) > SKIPPED;
	return !!bad;
}
