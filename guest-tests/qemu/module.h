/* SPDX-License-Identifier: GPL-2.0 */
/* module.h: QEMU's accelerator, where it goes along inside the program (MODULE, see the Makefile). */
#ifndef MODULE_H
#define MODULE_H

extern const char module_start[], module_end[];

#endif
