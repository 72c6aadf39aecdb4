/* SPDX-License-Identifier: GPL-2.0 */
/* settings.h: files of /proc and /sys that a case changes for as long as it runs. */
#ifndef SETTINGS_H
#define SETTINGS_H

/* Write @text to a file of /proc or /sys for the rest of the case; the runner puts the old text back. */
void set_file(const char *path, const char *text);

#endif
