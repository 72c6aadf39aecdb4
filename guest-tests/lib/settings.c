// SPDX-License-Identifier: GPL-2.0
/* Change files of /proc and /sys, and have them put back. */
#include <errno.h>
#include <string.h>

#include "ktap.h"
#include "proc.h"
#include "settings.h"

/* The choice in "always [madvise] never", or the text as it is without its newline. */
static void current_choice(char *text)
{
	char *open = strchr(text, '['), *close = strchr(text, ']');

	if (open && close > open) {
		*close = 0;
		memmove(text, open + 1, close - open);
	}
	text[strcspn(text, "\n")] = 0;
}

void set_file(const char *path, const char *text)
{
	char old[128];

	SETUP_MSG(file_read(path, old, sizeof(old)), "%s: %s", path, strerror(errno));
	current_choice(old);
	if (!strcmp(old, text))
		return;
	ktap_restore(path, old);
	SETUP_MSG(file_write(path, text), "%s to %s: %s", text, path, strerror(errno));
}
