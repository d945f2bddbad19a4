/* SPDX-License-Identifier: BSD-2-Clause */
/* What is particular to files; the contract is in test_conformance. */
#include "../test.h"

#include "../../support/block_rig.h"

#include "drive/drive.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <linux/loop.h>

#define MIB (UINT64_C(1) << 20)

static char folder[64];
static char path[128];

static int make_folder(void **state)
{
	(void)state;
	strcpy(folder, "./causeway-file-XXXXXX");
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/d", folder);
	return 0;
}

static int remove_folder(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(folder);
}

static int open_spec(const char *options, struct block_device **dev,
                     struct err *e)
{
	char spec[256];

	snprintf(spec, sizeof(spec), "file:%s%s", path, options);
	return drive_open(spec, dev, e);
}

static struct block_device *must_open(const char *options)
{
	struct block_device *dev;
	struct err e = { 0 };

	if (open_spec(options, &dev, &e))
		fail_msg("%s", e.text);
	return dev;
}

static void must_refuse(const char *options, int code, const char *words)
{
	struct block_device *dev = NULL;
	struct err e = { 0 };

	assert_int_equal(open_spec(options, &dev, &e), code);
	assert_null(dev);
	if (!strstr(e.text, words))
		fail_msg("\"%s\" lacks \"%s\"", e.text, words);
}

static uint64_t blocks(void)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	return (uint64_t)st.st_blocks;
}

static uint64_t syncs(struct block_device *dev)
{
	struct drive_info info;

	assert_int_equal(drive_info(dev, &info), 0);
	return info.syncs;
}

static int flush(struct block_device *dev)
{
	return rig_do(dev, BLOCK_FLUSH, 0, 0, 0, NULL);
}

/* -- opening -------------------------------------------------------------- */

static void a_file_is_made_sparse_and_found_again(void **state)
{
	struct block_device *dev = must_open(",size=1T");
	uint8_t data[4096] = "hello", got[4096];
	struct drive_info info;
	char words[256];

	(void)state;
	assert_int_equal(dev->size, UINT64_C(1) << 40);
	assert_in_range(blocks(), 0, 64);
	assert_int_equal(rig_do(dev, BLOCK_WRITE, BLOCK_FUA, dev->size - 4096,
	                        4096, data),
	                 0);
	assert_int_equal(drive_info(dev, &info), 0);
	assert_string_equal(info.path, path);
	assert_string_equal(info.type, "file");
	drive_describe(dev, words, sizeof(words));
	assert_non_null(strstr(words, "/d (1 TiB, "));
	assert_non_null(strstr(words, " B sectors)"));
	block_close(dev);

	dev = must_open(",size=1024G"); /* the same size in other words */
	block_close(dev);
	dev = must_open("");
	assert_int_equal(dev->size, UINT64_C(1) << 40);
	assert_int_equal(
		rig_do(dev, BLOCK_READ, 0, dev->size - 4096, 4096, got), 0);
	assert_memory_equal(got, data, sizeof(got));
	block_close(dev);
}

static void what_cannot_be_a_drive_is_refused_with_words(void **state)
{
	int fd;

	(void)state;
	must_refuse("", -ENOENT, "does not exist");
	must_refuse("/x,size=1M", -ENOENT, "make its folder");
	assert_int_equal(mkdir(path, 0700), 0);
	must_refuse("", -EINVAL, "neither a file nor a block device");
	must_refuse(",size=1M", -EINVAL, "neither a file nor a block device");
	rmdir(path);
	assert_int_equal(mkfifo(path, 0600), 0);
	must_refuse("", -EINVAL, "neither a file nor"); /* and at once */
	unlink(path);
	fd = open(path, O_CREAT | O_RDWR, 0600);
	must_refuse("", -EINVAL, "holds 0 bytes, too few");
	assert_int_equal(ftruncate(fd, 2 * MIB), 0);
	must_refuse(",size=3M", -EINVAL, "holds 2097152 bytes, not 3145728");
	assert_int_equal(ftruncate(fd, MIB - 1), 0);
	must_refuse("", -EINVAL, "too few");
	close(fd);
}

static void a_crash_while_it_was_made_is_no_obstacle(void **state)
{
	int fd = open(path, O_CREAT | O_RDWR, 0600);

	(void)state;
	close(fd);
	block_close(must_open(",size=1M"));
	assert_int_equal(blocks() < 2048, 1);
}

static void an_odd_end_is_left_out(void **state)
{
	int fd = open(path, O_CREAT | O_RDWR, 0600);
	struct block_device *dev;

	(void)state;
	assert_int_equal(ftruncate(fd, MIB + 5000), 0);
	close(fd);
	dev = must_open("");
	assert_true(dev->size <= MIB + 5000);
	assert_true(dev->size > MIB + 5000 - dev->grain);
	assert_int_equal(dev->size % dev->grain, 0);
	block_close(dev);
}

static void a_drive_is_opened_once(void **state)
{
	struct block_device *dev = must_open(",size=1M");
	pid_t child;
	int status;

	(void)state;
	must_refuse("", -EBUSY, "in use by another daemon");
	child = fork();
	if (child == 0) {
		struct block_device *second;

		_exit(open_spec("", &second, NULL) == -EBUSY ? 42 : 0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(WEXITSTATUS(status), 42);
	block_close(dev);
	block_close(must_open("")); /* the lock went with it */
}

/* -- durability ----------------------------------------------------------- */

static void only_a_flush_of_something_makes_a_system_call(void **state)
{
	struct block_device *dev = must_open(",size=1M");
	uint8_t data[4096] = { 0 };

	(void)state;
	/* What an earlier process wrote may be in no more than the page
	 * cache: the first flush is made. */
	assert_int_equal(flush(dev), 0);
	assert_int_equal(syncs(dev), 1);
	assert_int_equal(flush(dev), 0);
	assert_int_equal(syncs(dev), 1);
	rig_do(dev, BLOCK_READ, 0, 0, 4096, data);
	rig_do(dev, BLOCK_WRITE, BLOCK_FUA, 0, 4096, data);
	assert_int_equal(flush(dev), 0);
	assert_int_equal(syncs(dev), 1);
	rig_do(dev, BLOCK_WRITE, 0, 0, 4096, data);
	assert_int_equal(flush(dev), 0);
	assert_int_equal(syncs(dev), 2);
	rig_do(dev, BLOCK_WRITE_ZEROES, 0, 0, 4096, NULL);
	assert_int_equal(flush(dev), 0);
	assert_int_equal(syncs(dev), 3);
	rig_do(dev, BLOCK_WRITE_ZEROES, BLOCK_FUA, 0, 4096, NULL);
	assert_true(syncs(dev) <= 4); /* fallocate and fdatasync, or O_DSYNC */
	block_close(dev);
}

/* B5: a write that ends while a flush is out is not covered by it. */
static void a_flush_does_not_cover_what_ends_beside_it(void **state)
{
	struct block_device *dev = must_open(",size=1M");
	uint8_t data[4096] = { 0 };
	struct rig_call w, f;

	(void)state;
	assert_int_equal(flush(dev), 0);
	rig_do(dev, BLOCK_WRITE, 0, 0, 4096, data);
	rig_submit(&w, dev, BLOCK_WRITE, 0, 0, 4096, data);
	rig_submit(&f, dev, BLOCK_FLUSH, 0, 0, 0, NULL);
	assert_int_equal(rig_wait(&w), 0);
	assert_int_equal(rig_wait(&f), 0);
	assert_int_equal(syncs(dev), 2);
	assert_int_equal(flush(dev), 0);
	assert_int_equal(syncs(dev), 3);
	block_close(dev);
}

static void a_file_cut_off_behind_our_back_is_an_error(void **state)
{
	struct block_device *dev = must_open(",size=2M");
	uint8_t got[4096];

	(void)state;
	assert_int_equal(truncate(path, MIB), 0);
	assert_int_equal(rig_do(dev, BLOCK_READ, 0, MIB, 4096, got), -EIO);
	assert_int_equal(rig_do(dev, BLOCK_READ, 0, MIB - 4096, 4096, got), 0);
	block_close(dev);
}

/* -- space ---------------------------------------------------------------- */

static void space_is_given_back_or_kept_as_asked(void **state)
{
	struct block_device *dev = must_open(",size=4M");
	uint8_t *data = malloc(4 * MIB);
	uint64_t full;

	(void)state;
	memset(data, 7, 4 * MIB);
	assert_int_equal(rig_do(dev, BLOCK_WRITE, BLOCK_FUA, 0, 4 * MIB, data),
	                 0);
	full = blocks();
	assert_true(full >= 8192);
	assert_int_equal(rig_do(dev, BLOCK_WRITE_ZEROES,
	                        BLOCK_NO_UNMAP | BLOCK_FUA, 0, MIB, NULL),
	                 0);
	assert_int_equal(rig_do(dev, BLOCK_WRITE_ZEROES,
	                        BLOCK_NO_UNMAP | BLOCK_FUA, MIB, 8192, NULL),
	                 0);
	assert_true(blocks() >= full);
	assert_int_equal(rig_do(dev, BLOCK_READ, 0, 0, 4 * MIB, data), 0);
	for (uint64_t i = 0; i < 4 * MIB; i++)
		assert_int_equal(data[i], i < MIB + 8192 ? 0 : 7);
	assert_int_equal(rig_do(dev, BLOCK_DISCARD, 0, 0, MIB, NULL), 0);
	assert_int_equal(
		rig_do(dev, BLOCK_WRITE_ZEROES, BLOCK_FUA, 2 * MIB, MIB, NULL),
		0);
	assert_true(blocks() <= full - 2048);
	assert_int_equal(rig_do(dev, BLOCK_READ, 0, 0, 4 * MIB, data), 0);
	assert_int_equal(data[2 * MIB], 0);
	assert_int_equal(data[3 * MIB - 1], 0);
	assert_int_equal(data[3 * MIB], 7);
	free(data);
	block_close(dev);
}

/* -- block devices -------------------------------------------------------- */

/* A loop device over a file, or nothing where there are none. */
static int attach_loop(char name[32])
{
	int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	int n = control < 0 ? -1 : ioctl(control, LOOP_CTL_GET_FREE);
	int file = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
	int loop = -1;

	snprintf(name, 32, "/dev/loop%d", n);
	assert_int_equal(ftruncate(file, 4 * MIB), 0);
	if (n >= 0)
		loop = open(name, O_RDWR | O_CLOEXEC);
	if (loop >= 0 && ioctl(loop, LOOP_SET_FD, file)) {
		close(loop);
		loop = -1;
	}
	close(file);
	if (control >= 0)
		close(control);
	return loop;
}

static void a_block_device_is_a_drive_for_one(void **state)
{
	uint8_t data[4096] = "on a device", got[4096];
	char name[32], spec[64];
	struct block_device *dev, *second = NULL;
	struct drive_info info;
	struct err e = { 0 };
	int loop = attach_loop(name);

	(void)state;
	if (loop < 0)
		skip();
	snprintf(spec, sizeof(spec), "file:%s", name);
	if (drive_open(spec, &dev, &e))
		fail_msg("%s", e.text);
	assert_int_equal(drive_info(dev, &info), 0);
	assert_true(info.block_device);
	assert_int_equal(dev->size, 4 * MIB);
	assert_int_equal(drive_open(spec, &second, &e), -EBUSY);
	assert_non_null(strstr(e.text, "mounted or held"));
	assert_int_equal(rig_do(dev, BLOCK_WRITE, BLOCK_FUA, 8192, 4096, data),
	                 0);
	assert_int_equal(flush(dev), 0);
	assert_int_equal(rig_do(dev, BLOCK_WRITE_ZEROES, 0, 8192, 2048, NULL),
	                 0);
	assert_int_equal(rig_do(dev, BLOCK_DISCARD, 0, 65536, 65536, NULL), 0);
	assert_int_equal(rig_do(dev, BLOCK_READ, 0, 8192, 4096, got), 0);
	assert_int_equal(got[0], 0);
	assert_memory_equal(got + 2048, data + 2048, 2048);
	block_close(dev);
	ioctl(loop, LOOP_CLR_FD);
	close(loop);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, make_folder, remove_folder)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_file_is_made_sparse_and_found_again),
		TEST(what_cannot_be_a_drive_is_refused_with_words),
		TEST(a_crash_while_it_was_made_is_no_obstacle),
		TEST(an_odd_end_is_left_out),
		TEST(a_drive_is_opened_once),
		TEST(only_a_flush_of_something_makes_a_system_call),
		TEST(a_flush_does_not_cover_what_ends_beside_it),
		TEST(a_file_cut_off_behind_our_back_is_an_error),
		TEST(space_is_given_back_or_kept_as_asked),
		TEST(a_block_device_is_a_drive_for_one),
	};
	struct reactor *r = rig_reactor();
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	reactor_destroy(r);
	return failed;
}
