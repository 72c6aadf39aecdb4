// SPDX-License-Identifier: GPL-2.0
/*
 * REGISTER in write-protect mode: which mappings it takes, and what it answers.
 * Needs: REGISTER(WP) on shmem where a case is about that; SYSVIPC for A09.
 * A failure means: a kind of shmem is left out, or memory is let in that nobody protects.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "access.h"
#include "backing.h"
#include "ktap.h"
#include "trap.h"
#include "uffd.h"

#define HAS_WP (1ULL << _UFFDIO_WRITEPROTECT)

/* The mapping is taken, and the answer offers WRITEPROTECT, which then works. */
static void register_wp(const struct backing *b)
{
	struct area a;
	__u64 ioctls = 0;

	need_shmem_wp();
	area_open(&a, b, 4);
	a.uffd = uffd_open(0);
	REQUIRE_EQ(uffd_register(a.uffd, a.map, a.size, UFFDIO_REGISTER_MODE_WP, &ioctls), 0);
	EXPECT_EQ(ioctls & HAS_WP, HAS_WP);
	EXPECT_EQ(area_wp(&a, 0, a.pages), 0);
	EXPECT_TRAPS(&a, a.map);
}

static void reg_memfd_shared(void)
{
	register_wp(&memfd_shared);
}
CASE("A05_reg-memfd-shared", reg_memfd_shared);

static void reg_tmpfs_file(void)
{
	register_wp(&tmpfs_file);
}
CASE("A06_reg-tmpfs-file", reg_tmpfs_file);

static int open_devzero(void)
{
	int fd = open("/dev/zero", O_RDWR | O_CLOEXEC);

	SETUP(fd >= 0);
	return fd;
}

/*
 * Every mapping of /dev/zero is a file of its own, so an alias through the descriptor
 * would show another one: map it here, and duplicate the mapping.
 */
static void reg_devzero(void)
{
	static const struct backing devzero = { .name = "devzero", .shared = true, .file = true };
	struct area a = { .backing = &devzero, .uffd = -1, .fd = -1,
			  .page = PAGE, .pages = 4, .size = 4 * PAGE };
	int fd = open_devzero();

	a.map = mmap(NULL, a.size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	SETUP(a.map != MAP_FAILED);
	a.alias = mremap(a.map, 0, a.size, MREMAP_MAYMOVE);
	SETUP(a.alias != MAP_FAILED);
	area_register(&a, 0, UFFDIO_REGISTER_MODE_WP);
	EXPECT_EQ(area_wp(&a, 0, a.pages), 0);
	EXPECT_TRAPS(&a, a.map);
}
CASE("A07_reg-anon-shared-devzero.devzero", reg_devzero);

static void reg_anon_shared(void)
{
	register_wp(&anon_shared);
}
CASE("A07_reg-anon-shared-devzero.anon-shared", reg_anon_shared);

static void reg_memfd_private(void)
{
	register_wp(&memfd_private);
}
CASE("A08_reg-memfd-private", reg_memfd_private);

/* Expect REGISTER to be refused, whatever the mode. */
static void refuse(void *map, size_t size, int err)
{
	int fd = uffd_open(0);

	EXPECT_EQ(uffd_register(fd, map, size, UFFDIO_REGISTER_MODE_WP, NULL), err);
	EXPECT_EQ(uffd_register(fd, map, size, UFFDIO_REGISTER_MODE_MISSING, NULL), err);
	EXPECT_EQ(uffd_register(fd, map, size, UFFDIO_REGISTER_MODE_MISSING | UFFDIO_REGISTER_MODE_WP, NULL), err);
	close(fd);
}

/* SysV shared memory is shmem behind operations of its own: not taken, on any kernel. */
static void reg_sysv_shm(void)
{
	int id = shmget(IPC_PRIVATE, 4 * PAGE, 0600 | IPC_CREAT);
	void *map;

	if (id < 0 && errno == ENOSYS)
		SKIP("CONFIG_SYSVIPC: shmget(2): %s", strerror(ENOSYS));
	SETUP(id >= 0);
	map = shmat(id, NULL, 0);
	shmctl(id, IPC_RMID, NULL);	/* goes with the last detach */
	SETUP(map != (void *)-1);
	refuse(map, 4 * PAGE, -EINVAL);
}
CASE("A09_reg-sysv-shm", reg_sysv_shm);

/* A file that is not shmem: on a ramfs mounted nowhere. */
static int open_ramfs(void)
{
	int fs = (int)syscall(SYS_fsopen, "ramfs", 1), mount, fd;

	SETUP(fs >= 0);
	SETUP(!syscall(SYS_fsconfig, fs, 6 /* FSCONFIG_CMD_CREATE */, NULL, NULL, 0));
	mount = (int)syscall(SYS_fsmount, fs, 1, 0);
	SETUP(mount >= 0);
	fd = openat(mount, "file", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	SETUP(fd >= 0);
	SETUP(!ftruncate(fd, 4 * PAGE));
	return fd;
}

static void reg_regular_file(void)
{
	int fd = open_ramfs();
	void *shared = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	void *private = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);

	SETUP(shared != MAP_FAILED && private != MAP_FAILED);
	refuse(shared, 4 * PAGE, -EINVAL);
	refuse(private, 4 * PAGE, -EINVAL);
}
CASE("A10_reg-regular-file", reg_regular_file);

/* What can never be written is not guarded: EPERM. Kernels without WP on shmem say EINVAL first. */
static void reg_sealed(void)
{
	int mem = memfd_create("sealed", MFD_ALLOW_SEALING), fd = uffd_open(0), err;
	struct area probe;
	void *map;

	SETUP(mem >= 0);
	SETUP(!ftruncate(mem, 4 * PAGE));
	SETUP(!fcntl(mem, F_ADD_SEALS, F_SEAL_WRITE));
	map = mmap(NULL, 4 * PAGE, PROT_READ, MAP_SHARED, mem, 0);
	SETUP(map != MAP_FAILED);
	EXPECT_EQ(uffd_register(fd, map, 4 * PAGE, UFFDIO_REGISTER_MODE_MISSING, NULL), -EPERM);

	area_open(&probe, &memfd_shared, 1);
	err = uffd_register(fd, probe.map, PAGE, UFFDIO_REGISTER_MODE_WP, NULL);
	EXPECT_EQ(uffd_register(fd, map, 4 * PAGE, UFFDIO_REGISTER_MODE_WP, NULL), err ? err : -EPERM);
}
CASE("A11_reg-sealed", reg_sealed);

/* Without WP mode, WRITEPROTECT is neither offered nor does it find anything. */
static void missing_only(const struct backing *b)
{
	struct area a;
	__u64 ioctls = 0;

	area_open(&a, b, 4);
	a.uffd = uffd_open(0);
	REQUIRE_EQ(uffd_register(a.uffd, a.map, a.size, UFFDIO_REGISTER_MODE_MISSING, &ioctls), 0);
	EXPECT_EQ(ioctls & HAS_WP, 0);
	EXPECT_EQ(area_wp(&a, 0, 4), -ENOENT);
	EXPECT_EQ(area_unwp(&a, 0, 4), -ENOENT);
}
CASE_ON(BACKINGS_ALL_SMALL, "A12_missing-only", missing_only);

/* A range has one owner. */
static void second_uffd(const struct backing *b)
{
	int other = uffd_open(0);
	struct area a;

	area_open(&a, b, 4);
	area_register(&a, 0, UFFDIO_REGISTER_MODE_MISSING);
	EXPECT_EQ(uffd_register(other, a.map, a.size, UFFDIO_REGISTER_MODE_MISSING, NULL), -EBUSY);
	EXPECT_EQ(uffd_unregister(a.uffd, a.map, a.size), 0);
	EXPECT_EQ(uffd_register(other, a.map, a.size, UFFDIO_REGISTER_MODE_MISSING, NULL), 0);
}
CASE_ON(BACKINGS_ALL_SMALL, "A15_second-uffd", second_uffd);

/*
 * Where write protection of shmem is compiled out, that is said, and anonymous memory keeps its own.
 * A kernel that does not know UFFD_USER_MODE_ONLY is older than what could be compiled out.
 */
static void compiled_out(void)
{
	struct area file, mem;
	int fd = uffd_open(0), user_mode_only = uffd_create(UFFD_USER_MODE_ONLY), err;

	if (user_mode_only == -EINVAL)
		SKIP("UFFD_USER_MODE_ONLY: userfaultfd(2): %s", strerror(EINVAL));
	area_open(&file, &memfd_shared, 4);
	err = uffd_register(fd, file.map, file.size, UFFDIO_REGISTER_MODE_WP, NULL);
	if (!err)
		SKIP("write protection of shmem is compiled in");
	EXPECT_EQ(err, -EINVAL);
	EXPECT_EQ(uffd_offered() & UFFD_FEATURE_WP_HUGETLBFS_SHMEM, 0);
	if (!(uffd_offered() & UFFD_FEATURE_PAGEFAULT_FLAG_WP))
		SKIP("CONFIG_HAVE_ARCH_USERFAULTFD_WP: feature bit 0 is not offered");
	area_arm(&mem, &anon, 4, 0);
	touch_write_all(&mem, 0, 4);
	REQUIRE_EQ(area_wp(&mem, 0, 4), 0);
	EXPECT_TRAPS(&mem, mem.map);
}
CASE("A16_compiled-out", compiled_out);

/* One REGISTER over anonymous memory and a file beside it. */
static void mixed_range(void)
{
	struct area low, high;
	__u64 ioctls = 0;
	char *room;

	need_shmem_wp();
	area_open(&low, &anon, 8);
	area_open(&high, &memfd_shared, 4);
	room = mremap(high.map, high.size, high.size, MREMAP_MAYMOVE | MREMAP_FIXED, low.map + 4 * PAGE);
	SETUP(room != MAP_FAILED);
	high.map = room;
	low.pages = 4;
	low.size = 4 * PAGE;
	low.uffd = high.uffd = uffd_open(0);
	touch_write_all(&low, 0, 4);
	REQUIRE_EQ(uffd_register(low.uffd, low.map, 8 * PAGE, UFFDIO_REGISTER_MODE_WP, &ioctls), 0);
	EXPECT_EQ(ioctls & HAS_WP, HAS_WP);
	REQUIRE_EQ(area_wp(&low, 0, 4), 0);
	REQUIRE_EQ(area_wp(&high, 0, 4), 0);
	EXPECT_TRAPS(&low, area_page(&low, 3));
	EXPECT_TRAPS(&high, high.map);
}
CASE("A17_mixed-range", mixed_range);
