// SPDX-License-Identifier: GPL-2.0
#include "fake.h"

int userfault;
