// SPDX-License-Identifier: GPL-2.0-only
/*
 * Give a clone of a guest random numbers and a time of its own: renew HEX SECONDS NANOSECONDS
 *
 * Clones begin with the state of the guest that they were made from, that of its random number generator, too. What is
 * written to /dev/urandom changes nothing before the next reseed, and that may be minutes away: RNDADDENTROPY takes it
 * for entropy, RNDRESEEDCRNG makes use of it now.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/random.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <time.h>

static struct {
	int bits;
	int size;
	unsigned char data[32];
} pool = { 8 * sizeof(pool.data), sizeof(pool.data) };

static int failed(const char *what)
{
	perror(what);
	return 1;
}

int main(int argc, char **argv)
{
	struct timespec now;
	int fd;

	if (argc != 4)
		return 2;
	for (size_t i = 0; i < sizeof(pool.data); i++)
		if (sscanf(argv[1] + 2 * i, "%2hhx", &pool.data[i]) != 1)
			return 2;
	fd = open("/dev/urandom", O_RDWR);
	if (fd < 0 || ioctl(fd, RNDADDENTROPY, &pool))
		return failed("RNDADDENTROPY");
	/* ENODATA: it was not seeded before, so that it is now */
	if (ioctl(fd, RNDRESEEDCRNG) && errno != ENODATA)
		return failed("RNDRESEEDCRNG");
	now.tv_sec = atoll(argv[2]);
	now.tv_nsec = atol(argv[3]);
	if (clock_settime(CLOCK_REALTIME, &now))
		return failed("clock_settime");
	return 0;
}
