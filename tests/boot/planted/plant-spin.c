// SPDX-License-Identifier: GPL-2.0-only
/* mprotect(): each processor of the planted kernel spins with interrupts off, and the guest answers nobody. */
#include <stddef.h>
#include <sys/mman.h>

int main(void)
{
	void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return mprotect(page, 4096, PROT_READ);
}
