/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The kernel's user space interface as the tests use it, from include/uapi of 5.10 to 6.12.
 * Defined here, and not taken from the building host's headers, so that one binary runs on
 * every kernel: what a kernel does not know, it refuses, and a test sees that.
 * Do not include <linux/userfaultfd.h> beside it.
 */
#ifndef UFFD_ABI_H
#define UFFD_ABI_H

#include <linux/types.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

/* userfaultfd(2) */
#define UFFD_USER_MODE_ONLY		1

/* UFFDIO_API */
#define UFFD_API			0xAAULL

#define UFFD_FEATURE_PAGEFAULT_FLAG_WP	(1ULL << 0)
#define UFFD_FEATURE_EVENT_FORK		(1ULL << 1)
#define UFFD_FEATURE_EVENT_REMAP	(1ULL << 2)
#define UFFD_FEATURE_EVENT_REMOVE	(1ULL << 3)
#define UFFD_FEATURE_MISSING_HUGETLBFS	(1ULL << 4)
#define UFFD_FEATURE_MISSING_SHMEM	(1ULL << 5)
#define UFFD_FEATURE_EVENT_UNMAP	(1ULL << 6)
#define UFFD_FEATURE_SIGBUS		(1ULL << 7)
#define UFFD_FEATURE_THREAD_ID		(1ULL << 8)
#define UFFD_FEATURE_MINOR_HUGETLBFS	(1ULL << 9)
#define UFFD_FEATURE_MINOR_SHMEM	(1ULL << 10)
#define UFFD_FEATURE_EXACT_ADDRESS	(1ULL << 11)
#define UFFD_FEATURE_WP_HUGETLBFS_SHMEM	(1ULL << 12)
#define UFFD_FEATURE_WP_UNPOPULATED	(1ULL << 13)

struct uffdio_api {
	__u64 api;
	__u64 features;
	__u64 ioctls;
};

struct uffdio_range {
	__u64 start;
	__u64 len;
};

#define UFFDIO_REGISTER_MODE_MISSING	(1ULL << 0)
#define UFFDIO_REGISTER_MODE_WP		(1ULL << 1)
#define UFFDIO_REGISTER_MODE_MINOR	(1ULL << 2)

struct uffdio_register {
	struct uffdio_range range;
	__u64 mode;
	__u64 ioctls;
};

#define UFFDIO_COPY_MODE_DONTWAKE	(1ULL << 0)
#define UFFDIO_COPY_MODE_WP		(1ULL << 1)

struct uffdio_copy {
	__u64 dst;
	__u64 src;
	__u64 len;
	__u64 mode;
	__s64 copy;
};

#define UFFDIO_ZEROPAGE_MODE_DONTWAKE	(1ULL << 0)

struct uffdio_zeropage {
	struct uffdio_range range;
	__u64 mode;
	__s64 zeropage;
};

#define UFFDIO_WRITEPROTECT_MODE_WP		(1ULL << 0)
#define UFFDIO_WRITEPROTECT_MODE_DONTWAKE	(1ULL << 1)

struct uffdio_writeprotect {
	struct uffdio_range range;
	__u64 mode;
};

/* Bit numbers of the ioctls masks. */
#define _UFFDIO_REGISTER		0x00
#define _UFFDIO_UNREGISTER		0x01
#define _UFFDIO_WAKE			0x02
#define _UFFDIO_COPY			0x03
#define _UFFDIO_ZEROPAGE		0x04
#define _UFFDIO_WRITEPROTECT		0x06
#define _UFFDIO_API			0x3F

#define UFFDIO_API		_IOWR(0xAA, _UFFDIO_API, struct uffdio_api)
#define UFFDIO_REGISTER		_IOWR(0xAA, _UFFDIO_REGISTER, struct uffdio_register)
#define UFFDIO_UNREGISTER	_IOR(0xAA, _UFFDIO_UNREGISTER, struct uffdio_range)
#define UFFDIO_WAKE		_IOR(0xAA, _UFFDIO_WAKE, struct uffdio_range)
#define UFFDIO_COPY		_IOWR(0xAA, _UFFDIO_COPY, struct uffdio_copy)
#define UFFDIO_ZEROPAGE		_IOWR(0xAA, _UFFDIO_ZEROPAGE, struct uffdio_zeropage)
#define UFFDIO_WRITEPROTECT	_IOWR(0xAA, _UFFDIO_WRITEPROTECT, struct uffdio_writeprotect)

/* read(2) */
#define UFFD_EVENT_PAGEFAULT		0x12
#define UFFD_EVENT_FORK			0x13
#define UFFD_EVENT_REMAP		0x14
#define UFFD_EVENT_REMOVE		0x15
#define UFFD_EVENT_UNMAP		0x16

#define UFFD_PAGEFAULT_FLAG_WRITE	(1 << 0)
#define UFFD_PAGEFAULT_FLAG_WP		(1 << 1)
#define UFFD_PAGEFAULT_FLAG_MINOR	(1 << 2)

struct uffd_msg {
	__u8 event;
	__u8 reserved1;
	__u16 reserved2;
	__u32 reserved3;
	union {
		struct {
			__u64 flags;
			__u64 address;
			union {
				__u32 ptid;
			} feat;
		} pagefault;
		struct {
			__u32 ufd;
		} fork;
		struct {
			__u64 from;
			__u64 to;
			__u64 len;
		} remap;
		struct {
			__u64 start;
			__u64 end;
		} remove;
	} arg;
} __attribute__((packed));

/* /proc/PID/pagemap */
#define PM_SOFT_DIRTY			(1ULL << 55)
#define PM_UFFD_WP			(1ULL << 57)
#define PM_FILE				(1ULL << 61)
#define PM_SWAP				(1ULL << 62)
#define PM_PRESENT			(1ULL << 63)
#define PM_FRAME			((1ULL << 55) - 1)

/* What older C libraries lack. */
#ifndef MADV_COLD
#define MADV_COLD			20
#endif
#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT			21
#endif
#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP		4
#endif
#ifndef MFD_HUGETLB
#define MFD_HUGETLB			0x0004U
#endif
#ifndef MPOL_MF_MOVE
#define MPOL_MF_MOVE			(1 << 1)
#endif
#ifndef MPOL_MF_MOVE_ALL
#define MPOL_MF_MOVE_ALL		(1 << 2)
#endif

#endif
