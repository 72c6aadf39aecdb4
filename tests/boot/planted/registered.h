/* SPDX-License-Identifier: GPL-2.0-only */
/* Eight pages of a memfd, write-protected by userfaultfd, of which none is mapped: markers, where the series is. */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SIZE (8 * 4096UL)

struct api { uint64_t api, features, ioctls; };
struct range { uint64_t start, len; };
struct registration { struct range range; uint64_t mode, ioctls; };
struct protection { struct range range; uint64_t mode; };

#define UFFDIO_API _IOWR(0xAA, 0x3F, struct api)
#define UFFDIO_REGISTER _IOWR(0xAA, 0x00, struct registration)
#define UFFDIO_UNREGISTER _IOR(0xAA, 0x01, struct range)
#define UFFDIO_WRITEPROTECT _IOWR(0xAA, 0x06, struct protection)

static int uffd;

static char *registered(void)
{
	struct api api = { .api = 0xAA };
	struct registration here = { .mode = 2 };
	struct protection on = { .mode = 1 };
	int file = memfd_create("planted", 0);
	char *area;

	if (file < 0 || ftruncate(file, SIZE))
		exit(1);
	area = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	uffd = syscall(SYS_userfaultfd, O_CLOEXEC);
	here.range = on.range = (struct range){ (uintptr_t)area, SIZE };
	if (uffd < 0 || ioctl(uffd, UFFDIO_API, &api) || ioctl(uffd, UFFDIO_REGISTER, &here))
		exit(77); /* not offered by this kernel */
	if (ioctl(uffd, UFFDIO_WRITEPROTECT, &on))
		exit(1);
	return area;
}
