/* SPDX-License-Identifier: GPL-2.0 */
/*
 * ktap.h: run cases and report them as KTAP, version 1.
 *
 * HOW TO ADD A TEST
 *
 * Drop a source file into the folder of its group (guest-tests/basic/present.c); the
 * Makefile picks it up. The file begins with a comment that says which behaviour it
 * holds, which symbols it needs and what a failure means. It holds static functions
 * and registers each of them as a case, with the name it has in the catalogue:
 *
 *	#include "backing.h"
 *	#include "trap.h"
 *
 *	static void present(const struct backing *b)
 *	{
 *		struct area a;
 *
 *		area_arm(&a, b, 4, 0);		// map, register; SKIP where not offered
 *		touch_write(a.map, 1);
 *		REQUIRE_EQ(area_wp(&a, 0, 4), 0);
 *		EXPECT_TRAPS(&a, a.map);
 *	}
 *	CASE_ON(BACKINGS_FILE, "B01_present", present);		// B01_present.memfd-shared, ...
 *
 *	static void request_bit12(void) { ... }
 *	CASE("A02_request-bit12", request_bit12);
 *
 * What a test may use besides is in this folder, one header for each source: backing.h is where to
 * begin, trap.h says whether a write traps, force.h makes the kernel take pages away.
 *
 * Each case runs in its own child, in a process group of its own, under a watchdog;
 * cases run in the order of their ids. A case must make at least one check.
 * What it maps, opens and forks goes away with the child; what outlives a process it
 * changes through lib/: files of /proc and /sys with settings.h, which the runner puts
 * back, swap and cgroups with force.h, which the next case finds as they should be.
 *
 * WHAT TO SAY WHEN
 *
 *	EXPECT(...)	the kernel is wrong; go on		not ok N NAME
 *	REQUIRE(...)	the kernel is wrong; stop the case	not ok N NAME
 *	SETUP(...)	could not set up; stop the case		not ok N NAME # ERROR why
 *	SKIP(...)	not offered here: name the symbol,
 *			the feature bit or the errno; stop	ok N NAME # SKIP why
 *
 * They may be used in threads and in children of a case. A forced path that did not
 * happen (nothing was swapped out, no page moved) is SETUP's: never a pass.
 * Wait with poll, futexes and pipes and without a time limit of your own: the
 * watchdog is the limit, and it prints where every task of the case sleeps.
 *
 * OPTIONS OF A PROGRAM
 *
 *	-l		list the ids, one a line
 *	-r PATTERN	run the cases whose id is PATTERN or matches it as a glob; may be repeated
 *	-t SECONDS	the watchdog, for one run of one case (20)
 *	-n N		run each case N times; any run that does not pass is the result
 *	-b SECONDS	time budget of cases that take one (10): they get it on top of -t
 *	-s SEED		seed of cases that draw random numbers (1)
 *	-x		stop after the first case that fails
 *
 * Exit status: 0 nothing failed, 1 something did, 2 wrong usage or no such case.
 */
#ifndef KTAP_H
#define KTAP_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>

enum ktap_kind {
	KTAP_SHORT,		/* bounded work */
	KTAP_BUDGET,		/* works for ktap_budget() seconds */
};

struct ktap_case {
	const char *name;
	void (*plain)(void);
	void (*on)(const void *variant);	/* one case for each variant of a list */
	const void *const *variants;		/* ends with NULL */
	const char *(*variant_name)(const void *variant);	/* what its id has after the dot */
	enum ktap_kind kind;
};

#define KTAP_PASTE2(a, b) a##b
#define KTAP_PASTE(a, b) KTAP_PASTE2(a, b)
#define KTAP_REGISTER(...)							\
	static const struct ktap_case KTAP_PASTE(ktap_case_, __LINE__) = {	\
		__VA_ARGS__							\
	};									\
	static const struct ktap_case *const KTAP_PASTE(ktap_entry_, __LINE__)	\
	__attribute__((used, section("ktap_cases"))) =				\
		&KTAP_PASTE(ktap_case_, __LINE__)

/* Register a function as a case. */
#define CASE(id, fn) \
	KTAP_REGISTER(.name = (id), .plain = (fn))
/* The same, for cases that work until their time budget is used up. */
#define CASE_BUDGET(id, fn) \
	KTAP_REGISTER(.name = (id), .plain = (fn), .kind = KTAP_BUDGET)

/* Print one line of diagnostics: "# text". Safe in threads and children. */
void ktap_diag(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Seconds that a KTAP_BUDGET case should work; its seed, another one for each run of -n. */
double ktap_budget(void);
uint64_t ktap_seed(void);
/* Seconds that a case has, its budget apart (-t): limits inside a case are parts of it. */
double ktap_limit(void);
/* Print where every task of the case sleeps. */
void ktap_dump_tasks(void);
/* The CPU seconds of all other tasks of the case, and whether every one of them sleeps. */
double ktap_others(bool *asleep);
/* Seconds of CLOCK_MONOTONIC. */
double ktap_now(void);
/* Have @text written to the file @path when the case has ended, however it ends. */
void ktap_restore(const char *path, const char *text);

/* What the macros below call; @errnum is printed when it is not 0. */
bool ktap_check(bool good);
void ktap_failed(const char *file, int line, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void ktap_error(const char *file, int line, int errnum, const char *fmt, ...)
	__attribute__((noreturn, format(printf, 4, 5)));
void ktap_skip(const char *fmt, ...) __attribute__((noreturn, format(printf, 1, 2)));
void ktap_stop(void) __attribute__((noreturn));
/* Count a check that held. For oracles that report their own failures. */
#define ktap_held() ((void)ktap_check(true))

/* The condition holds, or the kernel is wrong; each returns whether it held. */
#define EXPECT(cond) ({								\
	bool good_ = ktap_check(cond);						\
	if (!good_)								\
		ktap_failed(__FILE__, __LINE__, "expected %s", #cond);		\
	good_; })

/* The condition holds, or the kernel is wrong: say how in printf's words. */
#define EXPECT_MSG(cond, ...) ({						\
	bool good_ = ktap_check(cond);						\
	if (!good_)								\
		ktap_failed(__FILE__, __LINE__, __VA_ARGS__);			\
	good_; })

/* Two integers are equal; both are printed. */
#define EXPECT_EQ(got, want) ({							\
	long long got_ = (long long)(got), want_ = (long long)(want);		\
	bool good_ = ktap_check(got_ == want_);					\
	if (!good_)								\
		ktap_failed(__FILE__, __LINE__, "%s is %lld (%#llx), not %lld (%#llx)",	\
			    #got, got_, got_, want_, want_);			\
	good_; })

#define REQUIRE(cond) do { if (!EXPECT(cond)) ktap_stop(); } while (0)
#define REQUIRE_MSG(...) do { if (!EXPECT_MSG(__VA_ARGS__)) ktap_stop(); } while (0)
#define REQUIRE_EQ(got, want) do { if (!EXPECT_EQ(got, want)) ktap_stop(); } while (0)

/* The test's own needs: the condition holds, or the case is an ERROR. errno is printed. */
#define SETUP(cond) do {							\
	errno = 0;								\
	if (!(cond))								\
		ktap_error(__FILE__, __LINE__, errno, "%s", #cond);		\
} while (0)
#define SETUP_MSG(cond, ...) do {						\
	if (!(cond))								\
		ktap_error(__FILE__, __LINE__, 0, __VA_ARGS__);			\
} while (0)

/* Not offered by this kernel or machine. */
#define SKIP(...) ktap_skip(__VA_ARGS__)

#endif
