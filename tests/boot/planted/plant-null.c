// SPDX-License-Identifier: GPL-2.0-only
/* A write fault on the zero page: the planted kernel writes through a NULL pointer in do_wp_page(). */
#include <stddef.h>
#include <sys/mman.h>

int main(void)
{
	volatile char *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char before = page[0];

	page[0] = before + 1;
	return 0;
}
