// SPDX-License-Identifier: GPL-2.0
/*
 * UFFDIO_API: the feature bits are honest, and a request for what is not there is refused.
 * Needs: nothing; A01 needs REGISTER(WP) on shmem.
 * A failure means: a program that asks for write protection of files is told yes and
 * gets none, or is told no where it works.
 */
#include <string.h>
#include <unistd.h>

#include "access.h"
#include "ktap.h"
#include "uffd.h"

/* REGISTER on a mapping of one page of a memfd; the size of a huge page with MFD_HUGETLB. */
static int register_memfd(unsigned int memfd_flags, __u64 mode)
{
	size_t size = memfd_flags & MFD_HUGETLB ? HUGE : PAGE;
	int mem = memfd_create("probe", memfd_flags), fd = uffd_open(0), err;
	void *map;

	SETUP(mem >= 0);
	SETUP(!ftruncate(mem, size));
	map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, mem, 0);
	SETUP(map != MAP_FAILED);
	err = uffd_register(fd, map, size, mode, NULL);
	close(mem);
	close(fd);
	return err;
}

static bool has_hugetlb(void)
{
	int mem = memfd_create("probe", MFD_HUGETLB);

	if (mem >= 0)
		close(mem);
	return mem >= 0;
}

/* Bit 12 promises write protection on shmem and, where there is one, on hugetlbfs. */
static void feature_bit(void)
{
	bool offered = uffd_offered() & UFFD_FEATURE_WP_HUGETLBFS_SHMEM;
	int shmem = register_memfd(0, UFFDIO_REGISTER_MODE_WP);
	int hugetlb = has_hugetlb() ? register_memfd(MFD_HUGETLB, UFFDIO_REGISTER_MODE_WP) : 0;

	if (!offered && shmem)
		SKIP("feature bit 12 is not offered; REGISTER(WP) on a memfd: %s", strerror(-shmem));
	EXPECT_EQ(shmem, 0);
	EXPECT_EQ(offered, !shmem && !hugetlb);
}
CASE("A01_feature-bit", feature_bit);

/* Minor faults came after 5.10: they are offered where they work, and nowhere else. */
static void feature_minor(void)
{
	bool offered = uffd_offered() & UFFD_FEATURE_MINOR_SHMEM;

	EXPECT_EQ(register_memfd(0, UFFDIO_REGISTER_MODE_MINOR), offered ? 0 : -EINVAL);
}
CASE("A01_feature-minor", feature_minor);

static int request(int fd, __u64 features)
{
	struct uffdio_api api;
	int err = uffd_api(fd, features, &api);

	if (err) {
		EXPECT_EQ(err, -EINVAL);
		EXPECT_EQ(api.api, 0);
		EXPECT_EQ(api.features, 0);
		EXPECT_EQ(api.ioctls, 0);
	} else {
		EXPECT_EQ(api.api, UFFD_API);
		EXPECT_EQ(api.features & features, features);
	}
	return err;
}

/* Asking for bit 12 works where it is offered; where not, the descriptor is as good as before. */
static void request_bit12(void)
{
	bool offered = uffd_offered() & UFFD_FEATURE_WP_HUGETLBFS_SHMEM;
	int fd = uffd_create(0);

	SETUP(fd >= 0);
	EXPECT_EQ(request(fd, UFFD_FEATURE_WP_HUGETLBFS_SHMEM), offered ? 0 : -EINVAL);
	EXPECT_EQ(uffd_api(fd, 0, NULL), offered ? -EINVAL : 0);
}
CASE("A02_request-bit12", request_bit12);

static void request_bit63(void)
{
	int fd;

	uffd_offered();		/* SKIP without userfaultfd */
	fd = uffd_create(0);
	SETUP(fd >= 0);
	EXPECT_EQ(request(fd, 1ULL << 63), -EINVAL);
	EXPECT_EQ(uffd_api(fd, 0, NULL), 0);
	EXPECT_EQ(request(fd, 0), -EINVAL);
}
CASE("A03_request-bit63", request_bit63);

/* The bits that must be asked for together with this one: UFFD_FEATURE_RWP_ASYNC is about UFFD_FEATURE_RWP (7.3). */
static __u64 asked_with(int bit)
{
	return bit == 18 ? 1ULL << 17 : 0;
}

/* Each bit can be asked for exactly if it is offered. */
static void request_each(void)
{
	__u64 offered = uffd_offered();

	for (int bit = 0; bit < 64; bit++) {
		int fd = uffd_create(0);

		SETUP(fd >= 0);
		EXPECT_MSG(request(fd, 1ULL << bit | asked_with(bit)) == (offered >> bit & 1 ? 0 : -EINVAL),
			   "feature bit %d is %soffered, and a request says otherwise", bit,
			   offered >> bit & 1 ? "" : "not ");
		close(fd);
	}
}
CASE("A03_request-each", request_each);
