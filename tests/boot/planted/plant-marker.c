// SPDX-License-Identifier: GPL-2.0-only
/* A write where a marker stands, which nobody ever resolves. */
#define _GNU_SOURCE
#include "registered.h"

int main(void)
{
	registered()[4096] = 1;
	return 0;
}
