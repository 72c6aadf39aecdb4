// SPDX-License-Identifier: GPL-2.0
#include "fake.h"

void start(void);
void start(void)
{
	fault(1);
}
