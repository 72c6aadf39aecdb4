/* SPDX-License-Identifier: GPL-2.0 */
int fault(int page);
int swap_out(int page);
