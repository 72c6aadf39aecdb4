// SPDX-License-Identifier: GPL-2.0
/* Cases that end in every way a case can end, for the test of the runner in guest-tests/ktap.c. */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "backing.h"
#include "ktap.h"

const char *backing_name(const void *backing)
{
	const struct backing *b = backing;

	return b->name;
}

static void passes(void)
{
	EXPECT(1);
	EXPECT_EQ(2, 2);
}
CASE("A01_passes", passes);

static void expects(void)
{
	EXPECT_EQ(1, 2);
	ktap_diag("it goes on");
}
CASE("A02_expects", expects);

static void requires(void)
{
	REQUIRE(0);
	ktap_diag("not reached");
}
CASE("A03_requires", requires);

static void cannot_set_up(void)
{
	SETUP(open("/does/not/exist", O_RDONLY) >= 0);
}
CASE("A04_cannot-set-up", cannot_set_up);

static void not_offered(void)
{
	SKIP("CONFIG_NOTHING: not there");
}
CASE("A05_not-offered", not_offered);

static void crashes(void)
{
	EXPECT(1);
	raise(SIGSEGV);
}
CASE("A06_crashes", crashes);

static void ends_early(void)
{
	EXPECT(1);
	exit(0);
}
CASE("A07_ends-early", ends_early);

static void checks_nothing(void)
{
}
CASE("A08_checks-nothing", checks_nothing);

static void hangs(void)
{
	EXPECT(1);
	for (;;)
		pause();
}
CASE("A09_hangs", hangs);

/* The failure of a child is the case's, and ends it. */
static void child_fails(void)
{
	EXPECT(1);
	if (!fork())
		REQUIRE_EQ(3, 4);
	for (;;)
		pause();
}
CASE("A10_child-fails", child_fails);

static void *skip_in_thread(void *arg)
{
	SKIP("CONFIG_THREAD: not there");
	return arg;
}

static void thread_skips(void)
{
	pthread_t thread;

	pthread_create(&thread, NULL, skip_in_thread, NULL);
	pthread_join(thread, NULL);
}
CASE("A11_thread-skips", thread_skips);

/* A child in a session of its own does not outlive the case. */
static void leaves_a_child(void)
{
	int ends[2];
	char byte;

	SETUP(!pipe(ends));
	EXPECT(1);
	if (!fork()) {
		setsid();
		if (write(ends[1], "", 1) == 1)
			for (;;)
				pause();
	}
	SETUP(read(ends[0], &byte, 1) == 1);
}
CASE("A12_leaves-a-child", leaves_a_child);

/* A failure is not forgotten because something cannot be set up after it. */
static void fails_then_cannot(void)
{
	EXPECT(0);
	SKIP("CONFIG_LATER: not there");
}
CASE("A13_fails-then-skips", fails_then_cannot);

static void fails_then_errs(void)
{
	EXPECT(0);
	SETUP_MSG(0, "something is not there");
}
CASE("A16_fails-then-errs", fails_then_errs);

/* One run of several fails. */
static void fails_once(void)
{
	EXPECT(ktap_seed() != 2);
}
CASE("A14_fails-once", fails_once);

/* The file named in the environment is changed by a case that then dies. */
static void changes_a_file(void)
{
	const char *path = getenv("KTAP_FILE");
	int fd = open(path, O_WRONLY | O_TRUNC);

	SETUP(fd >= 0);
	ktap_restore(path, "old");
	EXPECT_EQ(write(fd, "new", 3), 3);
	raise(SIGKILL);
}
CASE("A15_changes-a-file", changes_a_file);

static void on_backing(const struct backing *b)
{
	EXPECT_MSG(b->name[0] == 'g', "%s is bad", b->name);
}
static const struct backing good = { .name = "good" }, bad = { .name = "bad" };
static const struct backing *const both[] = { &good, &bad, NULL };
CASE_ON(both, "B01_on-backing", on_backing);

/* Has its time budget on top of the watchdog's. */
static void works(void)
{
	double end = ktap_now() + ktap_budget();

	while (ktap_now() < end)
		usleep(1000);
	EXPECT(1);
}
CASE_BUDGET("R01_works", works);
