// SPDX-License-Identifier: GPL-2.0
/* A second process under orders, and userfaultfd events. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "access.h"
#include "backing.h"
#include "ktap.h"
#include "oracle.h"
#include "peer.h"
#include "proc.h"
#include "trap.h"
#include "uffd.h"

struct order {
	peer_fn fn;
	void *addr;
	uint64_t value;
};

static void __attribute__((noreturn)) serve(int orders, int answers)
{
	struct order order;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (read(orders, &order, sizeof(order)) == sizeof(order) && order.fn) {
		uint64_t result = order.fn(order.addr, order.value);

		if (write(answers, &result, sizeof(result)) != sizeof(result))
			_exit(1);
	}
	_exit(0);
}

void peer_start(struct peer *p)
{
	int orders[2], answers[2];

	SETUP(!pipe2(orders, O_CLOEXEC));
	SETUP(!pipe2(answers, O_CLOEXEC));
	p->pid = fork();
	SETUP(p->pid >= 0);
	if (!p->pid) {
		close(orders[1]);
		close(answers[0]);
		serve(orders[0], answers[1]);
	}
	close(orders[0]);
	close(answers[1]);
	p->orders = orders[1];
	p->answers = answers[0];
}

void peer_post(struct peer *p, peer_fn fn, void *addr, uint64_t value)
{
	struct order order = { fn, addr, value };

	SETUP(write(p->orders, &order, sizeof(order)) == sizeof(order));
}

bool peer_answered(const struct peer *p)
{
	struct pollfd pfd = { .fd = p->answers, .events = POLLIN };

	return poll(&pfd, 1, 0) > 0;
}

uint64_t peer_result(struct peer *p)
{
	uint64_t result;
	ssize_t n;

	do
		n = read(p->answers, &result, sizeof(result));
	while (n < 0 && errno == EINTR);
	REQUIRE_MSG(n == sizeof(result), "process %d died instead of answering", p->pid);
	return result;
}

uint64_t peer_call(struct peer *p, peer_fn fn, void *addr, uint64_t value)
{
	peer_post(p, fn, addr, value);
	return peer_result(p);
}

int peer_reap(struct peer *p)
{
	int status;

	close(p->orders);
	close(p->answers);
	SETUP(waitpid(p->pid, &status, 0) == p->pid);
	return status;
}

/* By an order, not by closing the pipe: peers forked later have it open, too. */
int peer_end(struct peer *p)
{
	peer_post(p, NULL, NULL, 0);
	return peer_reap(p);
}

void peer_kill(struct peer *p)
{
	kill(p->pid, SIGKILL);
	peer_reap(p);
}

static char state_of(pid_t pid)
{
	char path[40], text[300], *end;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	if (!file_read(path, text, sizeof(text)))
		return 0;
	end = strrchr(text, ')');
	return end && end[1] ? end[2] : 0;
}

static uint64_t cpu_of(pid_t pid)
{
	struct timespec used;
	clockid_t clock;

	SETUP_MSG(!clock_getcpuclockid(pid, &clock), "no CPU clock of process %d", pid);
	SETUP(!clock_gettime(clock, &used));
	return used.tv_sec * 1000000000ULL + used.tv_nsec;
}

/* As in touch_asleep(): look until it has used a second of CPU. */
bool peer_asleep(const struct peer *p)
{
	const uint64_t enough = cpu_of(p->pid) + 1000000000ULL;

	while (!peer_answered(p) && cpu_of(p->pid) < enough) {
		uint64_t before = cpu_of(p->pid);
		bool slept = state_of(p->pid) == 'S';

		nanosleep(&(struct timespec){ 0, 2000000 }, NULL);
		if (slept && state_of(p->pid) == 'S' && cpu_of(p->pid) == before && !peer_answered(p))
			return true;
	}
	return false;
}

uint64_t peer_read(void *addr, uint64_t unused)
{
	return touch_once(READS, addr, unused);
}

uint64_t peer_write(void *addr, uint64_t value)
{
	return touch_once(WRITES, addr, value);
}

uint64_t peer_get(void *addr, uint64_t unused)
{
	(void)unused;
	return touch_read(addr);
}

uint64_t peer_pm(void *addr, uint64_t unused)
{
	(void)unused;
	return pm(addr);
}

uint64_t peer_status_kb(void *name, uint64_t unused)
{
	(void)unused;
	return status_kb(name);
}

uint64_t peer_dontneed(void *addr, uint64_t bytes)
{
	return madvise(addr, bytes, MADV_DONTNEED) ? errno : 0;
}

static bool fail(const char *file, int line, const struct peer *p, void *addr, const char *what)
{
	ktap_check(false);
	ktap_failed(file, line, "write of process %d to %p: %s; its pagemap %#llx", p->pid, addr, what,
		    (unsigned long long)pm_of(p->pid, addr));
	return false;
}

static bool judge_landing(struct peer *p, const struct area *a, void *addr, uint64_t value,
			  const char *file, int line)
{
	uint64_t here = peer_call(p, peer_get, addr, 0);
	const char *fault = landing_fault(a, value, here, in_file(a, addr));

	if (fault)
		return fail(file, line, p, addr, fault);
	ktap_held();
	return true;
}

/* What must hold while the peer is blocked. */
static void judge_blocked(struct peer *p, const struct area *a, void *addr, uint64_t value,
			  const char *file, int line)
{
	if (!peer_asleep(p))
		fail(file, line, p, addr, "it did not stay blocked, or burns CPU");
	else if (in_file(a, addr) == value)
		fail(file, line, p, addr, "the value is visible before un-WP");
	else
		return;
	ktap_stop();
}

bool peer_traps_at(struct peer *p, const struct area *a, void *addr, const char *file, int line)
{
	uint64_t value = fresh_value();
	struct uffd_msg msg;

	peer_post(p, peer_write, addr, value);
	if (!message_or_end(a->uffd, p->answers, &msg)) {
		peer_result(p);
		return fail(file, line, p, addr, "it did not trap");
	}
	if (!is_wp_message(a, &msg, addr)) {
		fail(file, line, p, addr, "the message is not a WP message for it");
		ktap_stop();
	}
	judge_blocked(p, a, addr, value, file, line);
	do {
		if (!is_wp_message(a, &msg, addr) || unwp_page(a, addr)) {
			fail(file, line, p, addr, "un-WP is refused, or a message is not about it");
			ktap_stop();
		}
	} while (message_or_end(a->uffd, p->answers, &msg));
	if (peer_result(p) != COMPLETED)
		return fail(file, line, p, addr, "it ended in a signal");
	return judge_landing(p, a, addr, value, file, line);
}

bool peer_writes_at(struct peer *p, const struct area *a, void *addr, const char *file, int line)
{
	uint64_t value = fresh_value();

	peer_post(p, peer_write, addr, value);
	if (peer_result(p) != COMPLETED)
		return fail(file, line, p, addr, "it ended in a signal");
	return judge_landing(p, a, addr, value, file, line);
}

static void *read_event(void *arg)
{
	struct event *e = arg;

	uffd_wait(e->uffd, &e->msg);
	return NULL;
}

void event_begin(struct event *e, int uffd)
{
	e->uffd = uffd;
	SETUP(!pthread_create(&e->thread, NULL, read_event, e));
}

const struct uffd_msg *event_end(struct event *e, int kind)
{
	pthread_join(e->thread, NULL);
	REQUIRE_EQ(e->msg.event, kind);
	return &e->msg;
}

void peer_start_event(struct peer *p, const struct area *a, struct area *seen)
{
	struct event event;

	event_begin(&event, a->uffd);
	peer_start(p);
	*seen = *a;
	seen->uffd = (int)event_end(&event, UFFD_EVENT_FORK)->arg.fork.ufd;
}
