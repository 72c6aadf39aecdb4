// SPDX-License-Identifier: GPL-2.0
/* Accesses made by a thread of their own, and the oracle that says whether one trapped. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "access.h"
#include "backing.h"
#include "ktap.h"
#include "oracle.h"
#include "proc.h"
#include "trap.h"

static __thread sigjmp_buf *escape;

/* A failed access of a touch ends that touch; any other one is a crash of the test. */
static void on_fault(int sig)
{
	if (escape)
		siglongjmp(*escape, sig);
	signal(sig, SIG_DFL);
	raise(sig);
}

static void catch_faults(void)
{
	struct sigaction action = { .sa_handler = on_fault, .sa_flags = SA_NODEFER };

	sigaction(SIGBUS, &action, NULL);
	sigaction(SIGSEGV, &action, NULL);
}

static void signal_fd(int fd)
{
	uint64_t one = 1;

	SETUP(write(fd, &one, sizeof(one)) == sizeof(one));
}

static enum ending access_once(struct touch *t)
{
	sigjmp_buf here;
	int sig = sigsetjmp(here, 1);

	if (!sig) {
		escape = &here;
		if (t->access == WRITES)
			*t->addr = t->value;
		else if (t->access == READS)
			t->value = *t->addr;
		else
			t->result = t->call(t->arg);
		t->error = errno;
	}
	escape = NULL;
	return !sig ? COMPLETED : sig == SIGBUS ? GOT_SIGBUS : GOT_SIGSEGV;
}

static void *touch_main(void *arg)
{
	struct touch *t = arg;

	t->tid = (pid_t)syscall(SYS_gettid);
	signal_fd(t->tid_ready);
	__atomic_store_n(&t->ending, access_once(t), __ATOMIC_RELEASE);
	signal_fd(t->done);
	return NULL;
}

/* Start what @t describes, and wait until its thread is there. */
static void start(struct touch *t)
{
	uint64_t count;

	catch_faults();
	t->tid_ready = eventfd(0, EFD_CLOEXEC);
	t->done = eventfd(0, EFD_CLOEXEC);
	SETUP(t->tid_ready >= 0 && t->done >= 0);
	SETUP(!pthread_create(&t->thread, NULL, touch_main, t));
	SETUP(read(t->tid_ready, &count, sizeof(count)) == sizeof(count));
}

void touch_start(struct touch *t, enum access access, void *addr, uint64_t value)
{
	*t = (struct touch){ .access = access, .addr = addr, .value = value };
	start(t);
}

void touch_call(struct touch *t, long (*call)(void *arg), void *arg)
{
	*t = (struct touch){ .access = CALLS, .call = call, .arg = arg };
	start(t);
}

bool touch_ended(const struct touch *t)
{
	return __atomic_load_n(&t->ending, __ATOMIC_ACQUIRE) != RUNNING;
}

enum ending touch_end(struct touch *t)
{
	pthread_join(t->thread, NULL);
	close(t->tid_ready);
	close(t->done);
	return t->ending;
}

uint64_t touch_cpu(const struct touch *t)
{
	struct timespec used;
	clockid_t clock;

	if (pthread_getcpuclockid(t->thread, &clock) || clock_gettime(clock, &used))
		return UINT64_MAX;
	return used.tv_sec * 1000000000ULL + used.tv_nsec;
}

static void breathe(void)
{
	nanosleep(&(struct timespec){ 0, 1000000 }, NULL);
}

/* S in a fault of user space; D where the kernel faults for another reason, as process_vm_writev does. */
static bool sleeps(const struct touch *t)
{
	char state = task_state(t->tid);

	return state == 'S' || state == 'D';
}

/*
 * A sleeping task's CPU clock stands still, exactly. A fault may be retried a few times before
 * the thread settles, so look again, until it has used a second of CPU: a machine that is slow
 * to run it does not make it a spinner.
 */
bool touch_asleep(const struct touch *t)
{
	const uint64_t enough = touch_ended(t) ? 0 : touch_cpu(t) + 1000000000ULL;

	while (!touch_ended(t) && touch_cpu(t) < enough) {
		uint64_t before = touch_cpu(t);
		bool slept = sleeps(t);

		breathe();
		breathe();
		if (slept && sleeps(t) && touch_cpu(t) == before && !touch_ended(t))
			return true;
	}
	return false;
}

/*
 * Whether the thread goes on using CPU time: its access faults, and faults again. To clear a page of
 * 1 GB is seconds of work where a processor is emulated: 10 ns for a byte.
 */
static bool spins(const struct touch *t, size_t page)
{
	const uint64_t enough = touch_ended(t) ? 0 : touch_cpu(t) + 1000000000ULL + 10 * page;

	while (!touch_ended(t) && !sleeps(t)) {
		if (touch_cpu(t) >= enough)
			return !touch_ended(t);
		breathe();
	}
	return false;
}

enum ending touch_once(enum access access, void *addr, uint64_t value)
{
	struct touch t = { .access = access, .addr = addr, .value = value };

	catch_faults();
	return access_once(&t);
}

static const char *ending_text(enum ending ending)
{
	return ending == GOT_SIGBUS ? "ended in SIGBUS" : ending == GOT_SIGSEGV ? "ended in SIGSEGV" : "completed";
}

static bool fail(const char *file, int line, const struct area *a, const volatile void *addr, const char *what)
{
	ktap_check(false);
	ktap_failed(file, line, "page %zd of %s: %s; pagemap %#llx",
		    ((const char *)addr - a->map) / (ssize_t)a->page, a->backing->name, what,
		    (unsigned long long)pm((const void *)addr));
	return false;
}

static bool judge_message(const struct area *a, const struct trap *t)
{
	char text[160];

	if (is_wp_message(a, &t->msg, t->touch.addr))
		return true;
	snprintf(text, sizeof(text), "not a WP message for it: event %#x, flags %#llx, address %#llx, wanted %#lx",
		 t->msg.event, (unsigned long long)t->msg.arg.pagefault.flags,
		 (unsigned long long)t->msg.arg.pagefault.address, (uintptr_t)t->touch.addr & ~(a->page - 1));
	return fail(t->file, t->line, a, t->touch.addr, text);
}

/*
 * Where the kernel can print stacks, the sleeper's must show that it waits for a fault handler. A
 * task that is about to sleep says S before it does, and the stack of one that runs is an old one:
 * look again, as long as it has not ended.
 */
static bool waits_for_handler(const struct touch *t)
{
	char path[48], stack[4096];

	snprintf(path, sizeof(path), "/proc/self/task/%d/stack", t->tid);
	while (file_read(path, stack, sizeof(stack)) && !strstr(stack, "handle_userfault")) {
		if (touch_ended(t))
			return false;
		breathe();
	}
	return true;
}

bool trap_begin_at(const struct area *a, void *addr, struct trap *t, const char *file, int line)
{
	t->file = file;
	t->line = line;
	touch_start(&t->touch, WRITES, addr, fresh_value());
	if (!message_or_end(a->uffd, t->touch.done, &t->msg)) {
		char text[80];

		snprintf(text, sizeof(text), "the write did not trap: it %s", ending_text(touch_end(&t->touch)));
		return fail(file, line, a, addr, text);
	}
	if (!judge_message(a, t))
		ktap_stop();
	if (!touch_asleep(&t->touch))
		fail(file, line, a, addr, touch_ended(&t->touch) ? "the writer did not stay blocked"
								 : "the blocked writer burns CPU");
	else if (task_state(t->touch.tid) != 'S')
		fail(file, line, a, addr, "the blocked writer cannot be interrupted");
	else if (!waits_for_handler(&t->touch))
		fail(file, line, a, addr, "the writer sleeps, but not in handle_userfault");
	else if (in_file(a, addr) == t->touch.value)
		fail(file, line, a, addr, "the value is visible before un-WP");
	else if (touch_ended(&t->touch))
		fail(file, line, a, addr, "the writer ended before un-WP");
	else
		return true;
	ktap_stop();
}

/* The write has landed: in this mapping, and in the file if it is shared. */
static bool judge_landing(const struct area *a, const struct trap *t)
{
	void *addr = (void *)t->touch.addr;
	const char *fault;

	if (t->touch.ending != COMPLETED)
		return fail(t->file, t->line, a, addr, ending_text(t->touch.ending));
	fault = landing_fault(a, t->touch.value, touch_read(addr), in_file(a, addr));
	if (fault)
		return fail(t->file, t->line, a, addr, fault);
	ktap_held();
	return true;
}

/* A fault may be announced twice; a later message of the same page is answered the same way. */
bool trap_end_at(const struct area *a, struct trap *t, bool unwp)
{
	struct uffd_msg msg;

	if (unwp && unwp_page(a, t->touch.addr))
		return fail(t->file, t->line, a, t->touch.addr, "un-WP is refused");
	while (message_or_end(a->uffd, t->touch.done, &msg)) {
		if (!is_wp_message(a, &msg, t->touch.addr)) {
			fail(t->file, t->line, a, t->touch.addr, "a message that is not about it, after un-WP");
			ktap_stop();
		}
		unwp_page(a, t->touch.addr);
	}
	touch_end(&t->touch);
	return judge_landing(a, t);
}

bool traps_at(const struct area *a, void *addr, const char *file, int line)
{
	struct trap t;

	return trap_begin_at(a, addr, &t, file, line) && trap_end_at(a, &t, true);
}

bool no_trap_at(const struct area *a, void *addr, enum access access, const char *file, int line)
{
	struct trap t = { .file = file, .line = line };

	touch_start(&t.touch, access, addr, fresh_value());
	if (spins(&t.touch, a->page)) {
		fail(file, line, a, addr, "the access faults for ever");
		unwp_page(a, addr);
		ktap_stop();
	}
	if (message_or_end(a->uffd, t.touch.done, &t.msg)) {
		fail(file, line, a, addr, access == WRITES ? "a write trapped that must not" : "a read trapped");
		unwp_page(a, addr);
		ktap_stop();
	}
	touch_end(&t.touch);
	if (access == WRITES)
		return judge_landing(a, &t);
	if (t.touch.ending != COMPLETED)
		return fail(file, line, a, addr, ending_text(t.touch.ending));
	ktap_held();
	return true;
}
