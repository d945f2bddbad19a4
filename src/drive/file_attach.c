/* SPDX-License-Identifier: BSD-2-Clause */
#include "drive/file_priv.h"

#include "base/base.h"
#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#define LOCK_RETRY_NS (10 * NS_PER_MS)

/* The largest grain that is worth direct I/O. */
#define GRAIN_MAX 4096u

/* What the file system says; no older header has these names. */
struct dio {
	uint32_t memory;
	uint32_t offset;
};

static bool wait_again(uint64_t since_ns)
{
	struct timespec pause = { .tv_nsec = LOCK_RETRY_NS };

	if (clock_now_ns() - since_ns > DRIVE_LOCK_WAIT_MS * NS_PER_MS)
		return false;
	nanosleep(&pause, NULL);
	return true;
}

/* -- opening -------------------------------------------------------------- */

static int open_failed(const char *path, int code, struct err *e)
{
	switch (code) {
	case -ENOENT:
		return err_set(e, code,
		               "drive %s does not exist: make its folder, or "
		               "give a size (file:PATH,size=10G) to have the "
		               "file made",
		               path);
	case -EBUSY:
		return err_set(e, code,
		               "drive %s is mounted or held by another "
		               "program: unmount it, or see lsblk",
		               path);
	case -EACCES:
	case -EPERM:
	case -EROFS:
		return err_set(e, code,
		               "drive %s cannot be opened for writing: %s; "
		               "see the rights of the file and its folder",
		               path, strerror(-code));
	case -EMFILE:
	case -ENFILE:
		return err_set(e, code,
		               "drive %s cannot be opened, for the limit of "
		               "open files is reached: raise ulimit -n",
		               path);
	default:
		return err_set(e, code, "drive %s cannot be opened: %s", path,
		               strerror(-code));
	}
}

static int open_device(struct file *f, const char *path, struct err *e)
{
	uint64_t since = clock_now_ns();
	uint64_t size = 0;
	int sector = 0;

	do {
		f->fd = open(path, O_RDWR | O_CLOEXEC | O_EXCL);
	} while (f->fd < 0 && errno == EBUSY && wait_again(since));
	if (f->fd < 0)
		return open_failed(path, -errno, e);
	if (ioctl(f->fd, BLKGETSIZE64, &size) ||
	    ioctl(f->fd, BLKSSZGET, &sector))
		return err_set(e, -errno, "drive %s does not tell its size: %s",
		               path, strerror(errno));
	f->is_block_device = true;
	f->dev.size = size;
	f->dev.grain = (uint32_t)sector;
	return 0;
}

/* What drive_open() accepted is there after a power cut. */
static int sync_folder(const char *path)
{
	char copy[PATH_MAX];
	AUTO_CLOSE int fd = -1;

	strcpy(copy, path);
	fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 || fsync(fd) ? -errno : 0;
}

static int make_file(struct file *f, const struct drive_spec *s, struct err *e)
{
	int err = 0;

	if (ftruncate(f->fd, (off_t)s->size) || fsync(f->fd))
		err = -errno;
	else
		err = sync_folder(s->path);
	if (err) {
		unlink(s->path);
		return err_set(e, err,
		               "drive %s cannot be made %ju bytes long: %s",
		               s->path, (uintmax_t)s->size, strerror(-err));
	}
	f->dev.size = s->size;
	return 0;
}

static int lock_file(struct file *f, const char *path, struct err *e)
{
	uint64_t since = clock_now_ns();

	while (flock(f->fd, LOCK_EX | LOCK_NB)) {
		if (errno != EWOULDBLOCK)
			return err_set(e, -errno,
			               "drive %s cannot be locked: %s", path,
			               strerror(errno));
		if (!wait_again(since))
			return err_set(e, -EBUSY,
			               "drive %s is in use by another daemon, "
			               "or under another name by this one: "
			               "see fuser %s",
			               path, path);
	}
	return 0;
}

static int open_regular(struct file *f, const struct drive_spec *s,
                        struct err *e)
{
	int flags = O_RDWR | O_CLOEXEC | (s->size ? O_CREAT : 0);
	struct stat st;
	int err;

	f->dev.grain = BLOCK_SECTOR;
	f->fd = open(s->path, flags, 0600);
	if (f->fd < 0)
		return open_failed(s->path, -errno, e);
	err = lock_file(f, s->path, e);
	if (err)
		return err;
	if (fstat(f->fd, &st))
		return open_failed(s->path, -errno, e);
	/* Empty: new, or left by a crash between its making and its growth. */
	if (s->size && st.st_size == 0)
		return make_file(f, s, e);
	f->dev.size = (uint64_t)st.st_size;
	return 0;
}

static int open_any(struct file *f, const struct drive_spec *s, struct err *e)
{
	struct stat st;

	/* Opening a pipe would wait for its other end: look first. */
	if (stat(s->path, &st)) {
		if (errno != ENOENT)
			return open_failed(s->path, -errno, e);
		st.st_mode = S_IFREG;
	}
	if (S_ISBLK(st.st_mode))
		return open_device(f, s->path, e);
	if (S_ISREG(st.st_mode))
		return open_regular(f, s, e);
	return err_set(e, -EINVAL,
	               "drive %s is neither a file nor a block device: give "
	               "the path of one",
	               s->path);
}

/* -- direct I/O ----------------------------------------------------------- */

static bool ask_direct(int fd, struct dio *dio)
{
#ifdef STATX_DIOALIGN
	struct statx sx;

	if (!statx(fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &sx) &&
	    (sx.stx_mask & STATX_DIOALIGN)) {
		dio->memory = sx.stx_dio_mem_align;
		dio->offset = sx.stx_dio_offset_align;
		return true;
	}
#endif
	(void)fd;
	(void)dio;
	return false;
}

/* For kernels that do not say: the smallest read that works. */
static void try_direct(int fd, uint32_t grain, struct dio *dio)
{
	AUTO_FREE void *buffer = NULL;

	dio->offset = 0;
	if (posix_memalign(&buffer, GRAIN_MAX, GRAIN_MAX))
		return;
	for (; grain <= GRAIN_MAX; grain *= 2) {
		if (pread(fd, buffer, grain, 0) >= 0) {
			dio->memory = grain;
			dio->offset = grain;
			return;
		}
	}
}

static bool fits(uint32_t align)
{
	return align && align <= GRAIN_MAX && (align & (align - 1)) == 0;
}

static void use_direct(struct file *f)
{
	int flags = fcntl(f->fd, F_GETFL);
	struct dio dio = { 0, 0 };

	if (fcntl(f->fd, F_SETFL, flags | O_DIRECT))
		return;
	if (!ask_direct(f->fd, &dio))
		try_direct(f->fd, f->dev.grain, &dio);
	if (!fits(dio.offset) || !fits(dio.memory)) {
		fcntl(f->fd, F_SETFL, flags);
		return;
	}
	f->direct = true;
	f->memory_align = dio.memory;
	if (f->dev.grain < dio.offset)
		f->dev.grain = dio.offset;
}

int drive_file_attach(struct file *f, const struct drive_spec *s, struct err *e)
{
	int err = open_any(f, s, e);

	if (err)
		return err;
	if (s->size && s->size != f->dev.size)
		return err_set(e, -EINVAL,
		               "drive %s holds %ju bytes, not %ju: leave size= "
		               "away to use it as it is, or give another path",
		               s->path, (uintmax_t)f->dev.size,
		               (uintmax_t)s->size);
	if (f->dev.size < DRIVE_SPEC_SIZE_MIN)
		return err_set(e, -EINVAL,
		               "drive %s holds %ju bytes, too few: a drive has "
		               "at least 1M; give another path, or remove the "
		               "file and give size=SIZE",
		               s->path, (uintmax_t)f->dev.size);
	use_direct(f);
	f->dev.size -= f->dev.size % f->dev.grain;
	return 0;
}
