/* SPDX-License-Identifier: BSD-2-Clause */
#include "window/region.h"

#include "base/base.h"
#include "fabric/service.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/memfd.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#define ALL_RIGHTS                                                             \
	(FABRIC_RIGHT_READ | FABRIC_RIGHT_WRITE | FABRIC_RIGHT_ATOMIC)

static int map(int fd, uint64_t offset, uint64_t length, unsigned rights,
               int extra, struct region **out, struct err *e)
{
	int prot = rights & ~FABRIC_RIGHT_READ ? PROT_READ | PROT_WRITE
	                                       : PROT_READ;
	struct region *r = calloc(1, sizeof(*r));
	void *base;

	if (!r)
		return err_set(e, -ENOMEM, "no memory for a region");
	base = mmap(NULL, length, prot, MAP_SHARED | extra, fd, (off_t)offset);
	if (base == MAP_FAILED) {
		int err = errno == EPERM ? -EACCES : -errno;

		free(r);
		return err_set(e, err, "cannot map %llu bytes: %s",
		               (unsigned long long)length, strerror(-err));
	}
	r->base = base;
	r->length = length;
	r->rights = rights;
	r->fd = -1;
	r->n_users = 1;
	list_init(&r->ranges);
	*out = r;
	return 0;
}

int region_map(int fd, uint64_t offset, uint64_t length, unsigned rights,
               struct region **out, struct err *e)
{
	int seals = fcntl(fd, F_GET_SEALS);
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	struct statfs fs;
	struct stat st;

	if (seals < 0 || !(seals & F_SEAL_SHRINK) || fstatfs(fd, &fs) ||
	    fs.f_type != TMPFS_MAGIC || fstat(fd, &st))
		return err_set(e, -EPERM,
		               "not a memfd of ordinary pages with "
		               "F_SEAL_SHRINK");
	if (length == 0 || offset % page || st.st_size < 0 ||
	    length > (uint64_t)st.st_size ||
	    offset > (uint64_t)st.st_size - length)
		return err_set(
			e, -EINVAL, "no such part of it: %llu bytes at %llu",
			(unsigned long long)length, (unsigned long long)offset);
	return map(fd, offset, length, rights, MAP_NORESERVE, out, e);
}

/* All of its blocks are there, as far as the file system can promise: a touch
 * of one that the disk has no room for would end the daemon with SIGBUS. */
static int sized_file(int fd, const char *path, uint64_t *length, struct err *e)
{
	struct stat st;
	int err;

	if (fstat(fd, &st))
		return err_set(e, -errno, "%s: %s", path, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return err_set(e, -EINVAL, "%s is not a file", path);
	if (*length == 0)
		*length = (uint64_t)st.st_size;
	if (*length == 0)
		return err_set(e, -EINVAL, "%s is empty; say how large", path);
	if (!fallocate(fd, 0, 0, (off_t)*length))
		return 0;
	err = -errno;
	if (err == -EOPNOTSUPP &&
	    (st.st_size >= (off_t)*length || !ftruncate(fd, (off_t)*length)))
		return 0;
	if (ftruncate(fd, st.st_size))
		err = -errno;
	return err_set(e, err, "%s has no room for %llu bytes: %s", path,
	               (unsigned long long)*length, strerror(-err));
}

int region_make(const char *path, uint64_t length, struct region **out,
                struct err *e)
{
	int fd = path ? open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600)
	              : memfd_create("causeway-window", MFD_CLOEXEC);
	int err = 0;

	if (fd < 0)
		return err_set(e, -errno, "%s: %s", path ? path : "memory",
		               strerror(errno));
	if (path)
		err = sized_file(fd, path, &length, e);
	else if (length == 0 || length > INT64_MAX)
		err = err_set(e, -EINVAL, "a window needs a size");
	else if (ftruncate(fd, (off_t)length))
		err = err_set(e, -errno, "no %llu bytes: %s",
		              (unsigned long long)length, strerror(errno));
	if (!err)
		err = map(fd, 0, length, ALL_RIGHTS, MAP_NORESERVE, out, e);
	if (!err && path)
		(*out)->fd = fd;
	else
		close(fd);
	return err;
}

/* Whether the kernel makes shared memory huge for those who ask. */
static bool kernel_is_willing(void)
{
	static const char path[] =
		"/sys/kernel/mm/transparent_hugepage/shmem_enabled";
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
	char text[128] = "";

	if (fd < 0 || read(fd, text, sizeof(text) - 1) <= 0)
		return false;
	return !strstr(text, "[never]") && !strstr(text, "[deny]");
}

static int map_memory(unsigned flags, uint64_t length, struct region **out)
{
	AUTO_CLOSE int fd = memfd_create("causeway-loan", MFD_CLOEXEC | flags);
	int err = fd < 0 ? -errno : 0;

	if (!err && ftruncate(fd, (off_t)length))
		err = -errno;
	return err ? err
	           : map(fd, 0, length, ALL_RIGHTS,
	                 flags & MFD_HUGETLB ? 0 : MAP_NORESERVE, out, NULL);
}

int region_make_resident(uint64_t length, struct region **out)
{
	struct region *r;
	/* Reserved by mmap(), so that none is missing later (SIGBUS). */
	int err = map_memory(MFD_HUGETLB | MFD_HUGE_2MB, length, out);

	if (!err) { /* and never swapped out */
		(*out)->huge = REGION_RESERVED;
		(*out)->is_locked = true;
		return 0;
	}
	err = map_memory(0, length, out);
	if (err)
		return err;
	r = *out;
	if (kernel_is_willing() && madvise(r->base, length, MADV_HUGEPAGE) == 0)
		r->huge = REGION_ADVISED;
	r->is_locked = mlock2(r->base, length, MLOCK_ONFAULT) == 0;
	return 0;
}

void region_get(struct region *r)
{
	r->n_users++;
}

void region_put(struct region *r)
{
	if (!r)
		return;
	assert(r->n_users > 0);
	if (--r->n_users > 0)
		return;
	assert(list_empty(&r->ranges));
	munmap(r->base, r->length);
	if (r->fd >= 0)
		close(r->fd);
	free(r);
}
