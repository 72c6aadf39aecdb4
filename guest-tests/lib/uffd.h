/* SPDX-License-Identifier: GPL-2.0 */
/*
 * uffd.h: the system calls of userfaultfd, and the probes that decide what is skipped.
 * Calls return 0 or a descriptor, else -errno.
 */
#ifndef UFFD_H
#define UFFD_H

#include <stdbool.h>
#include <stddef.h>

#include "uffd_abi.h"

int uffd_create(int flags);
int uffd_api(int fd, __u64 features, struct uffdio_api *reply);
int uffd_register(int fd, const void *addr, size_t len, __u64 mode, __u64 *ioctls);
int uffd_unregister(int fd, const void *addr, size_t len);
int uffd_writeprotect(int fd, const void *addr, size_t len, __u64 mode);
int uffd_wake(int fd, const void *addr, size_t len);
/* @done receives the bytes copied, or what the kernel left there; may be NULL. */
int uffd_copy(int fd, void *dst, const void *src, size_t len, __u64 mode, __s64 *done);
int uffd_zeropage(int fd, void *addr, size_t len, __u64 mode);

/* The next message, if there is one: uffds are opened non-blocking. */
bool uffd_next(int fd, struct uffd_msg *msg);
/* Wait for the next message. */
void uffd_wait(int fd, struct uffd_msg *msg);

/* The feature bits that this kernel offers. SKIP without userfaultfd. */
__u64 uffd_offered(void);
/* A userfaultfd after its handshake. SKIP where one of @features is not offered. */
int uffd_open(__u64 features);
/* SKIP unless REGISTER(WP) works on a one-page memfd: the probe for every shmem test. */
void need_shmem_wp(void);
/* SKIP unless it works on hugetlbfs, with pages of @page bytes. */
void need_hugetlb_wp(size_t page);
/* SKIP unless write protection of anonymous memory is offered. */
void need_anon_wp(void);
/* Whether a range may be registered again without WP: 7.3 wants it unregistered first, and says EBUSY. */
bool may_drop_wp(void);
/* SKIP unless it may. */
void need_drop_wp(void);
/* SKIP if the kernel does not offer one of these feature bits. */
void need_features(__u64 features);

#endif
