// SPDX-License-Identifier: GPL-2.0-only
/* UFFDIO_UNREGISTER: the planted kernel leaves the markers where they are. Then it waits to be looked at. */
#define _GNU_SOURCE
#include "registered.h"

int main(void)
{
	struct range all = { (uintptr_t)registered(), SIZE };

	if (ioctl(uffd, UFFDIO_UNREGISTER, &all))
		return 1;
	pause();
	return 0;
}
