// SPDX-License-Identifier: GPL-2.0
/* userfaultfd system calls, and the probes that decide what is skipped. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "access.h"
#include "hugetlb.h"
#include "ktap.h"
#include "uffd.h"

static int call(int fd, unsigned long request, void *arg)
{
	return ioctl(fd, request, arg) ? -errno : 0;
}

int uffd_create(int flags)
{
	int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK | flags);

	return fd < 0 ? -errno : fd;
}

int uffd_api(int fd, __u64 features, struct uffdio_api *reply)
{
	struct uffdio_api api = { .api = UFFD_API, .features = features };
	int err = call(fd, UFFDIO_API, &api);

	if (reply)
		*reply = api;
	return err;
}

int uffd_register(int fd, const void *addr, size_t len, __u64 mode, __u64 *ioctls)
{
	struct uffdio_register reg = { .range = { (uintptr_t)addr, len }, .mode = mode };
	int err = call(fd, UFFDIO_REGISTER, &reg);

	if (ioctls)
		*ioctls = reg.ioctls;
	return err;
}

int uffd_unregister(int fd, const void *addr, size_t len)
{
	return call(fd, UFFDIO_UNREGISTER, &(struct uffdio_range){ (uintptr_t)addr, len });
}

int uffd_writeprotect(int fd, const void *addr, size_t len, __u64 mode)
{
	struct uffdio_writeprotect wp = { .range = { (uintptr_t)addr, len }, .mode = mode };

	return call(fd, UFFDIO_WRITEPROTECT, &wp);
}

int uffd_wake(int fd, const void *addr, size_t len)
{
	return call(fd, UFFDIO_WAKE, &(struct uffdio_range){ (uintptr_t)addr, len });
}

int uffd_copy(int fd, void *dst, const void *src, size_t len, __u64 mode, __s64 *done)
{
	struct uffdio_copy copy = { .dst = (uintptr_t)dst, .src = (uintptr_t)src, .len = len, .mode = mode };
	int err = call(fd, UFFDIO_COPY, &copy);

	if (done)
		*done = copy.copy;
	return err;
}

int uffd_zeropage(int fd, void *addr, size_t len, __u64 mode)
{
	struct uffdio_zeropage zero = { .range = { (uintptr_t)addr, len }, .mode = mode };

	return call(fd, UFFDIO_ZEROPAGE, &zero);
}

bool uffd_next(int fd, struct uffd_msg *msg)
{
	ssize_t n = read(fd, msg, sizeof(*msg));

	if (n == sizeof(*msg))
		return true;
	SETUP_MSG(n < 0 && (errno == EAGAIN || errno == EINTR), "read of a userfaultfd gave %zd, errno %d", n, errno);
	return false;
}

void uffd_wait(int fd, struct uffd_msg *msg)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };

	while (!uffd_next(fd, msg))
		poll(&pfd, 1, -1);
}

static int create_or_skip(void)
{
	int fd = uffd_create(0);

	if (fd == -ENOSYS)
		SKIP("CONFIG_USERFAULTFD: userfaultfd(2) is not there");
	if (fd == -EPERM)
		SKIP("userfaultfd(2): %s (needs CAP_SYS_PTRACE or vm.unprivileged_userfaultfd)", strerror(EPERM));
	SETUP_MSG(fd >= 0, "userfaultfd(2): %s", strerror(-fd));
	return fd;
}

__u64 uffd_offered(void)
{
	struct uffdio_api api;
	int fd = create_or_skip();

	SETUP_MSG(!uffd_api(fd, 0, &api), "UFFDIO_API with no features is refused");
	close(fd);
	return api.features;
}

void need_features(__u64 features)
{
	__u64 missing = features & ~uffd_offered();

	if (missing)
		SKIP("feature bit %d of UFFDIO_API is not offered", __builtin_ctzll(missing));
}

void need_anon_wp(void)
{
	need_features(UFFD_FEATURE_PAGEFAULT_FLAG_WP);
}

int uffd_open(__u64 features)
{
	int fd;

	need_features(features);
	fd = create_or_skip();
	SETUP_MSG(!uffd_api(fd, features, NULL), "UFFDIO_API refuses features %#llx that it offers", features);
	return fd;
}

/* Map a page of a memfd and register it. */
static void need_wp(unsigned int memfd_flags, size_t page, const char *what)
{
	int fd = uffd_open(0), mem = memfd_create("probe", MFD_CLOEXEC | memfd_flags), err;
	void *map;

	SETUP(mem >= 0);
	SETUP(!ftruncate(mem, page));
	map = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, mem, 0);
	SETUP(map != MAP_FAILED);
	err = uffd_register(fd, map, page, UFFDIO_REGISTER_MODE_WP, NULL);
	if (err)
		SKIP("REGISTER(WP) on %s: %s (errno %d)", what, strerror(-err), -err);
	munmap(map, page);
	close(mem);
	close(fd);
}

void need_shmem_wp(void)
{
	need_wp(0, PAGE, "a memfd");
}

void need_hugetlb_wp(size_t page)
{
	need_hugetlb(page);
	need_wp(MFD_HUGETLB | hugetlb_memfd_flag(page), page, "a memfd of huge pages");
}

bool may_drop_wp(void)
{
	int fd = uffd_open(0), err;
	void *map = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	SETUP(map != MAP_FAILED);
	err = uffd_register(fd, map, PAGE, UFFDIO_REGISTER_MODE_WP, NULL);
	if (!err)
		err = uffd_register(fd, map, PAGE, UFFDIO_REGISTER_MODE_MISSING, NULL);
	munmap(map, PAGE);
	close(fd);
	return err != -EBUSY;
}

void need_drop_wp(void)
{
	if (!may_drop_wp())
		SKIP("a registration that drops write protection is refused");
}
