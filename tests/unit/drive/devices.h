/* SPDX-License-Identifier: BSD-2-Clause */
/* Every kind of device at the bottom, for suites that run over all. */
#ifndef TESTS_UNIT_DRIVE_DEVICES_H
#define TESTS_UNIT_DRIVE_DEVICES_H

#include "rig.h"

#include "drive/drive.h"

#include <stdio.h>

#define DEVICE_SIZE (UINT64_C(4) << 20)

struct device_kind {
	const char *name;
	const char *folder; /* files: where; NULL: the current one */
	struct block_device *(*open)(const struct device_kind *k);
	void (*close)(struct block_device *dev);
	bool threads; /* may be used on several */
};

static inline struct block_device *devices_must_open(const char *spec)
{
	struct block_device *dev;
	struct err e = { 0 };

	if (drive_open(spec, &dev, &e))
		fail_msg("%s", e.text);
	return dev;
}

static inline struct block_device *devices_ram(const struct device_kind *k)
{
	(void)k;
	return devices_must_open("ram:4M");
}

static inline struct block_device *devices_file(const struct device_kind *k)
{
	char spec[256];
	static unsigned serial;

	snprintf(spec, sizeof(spec), "file:%s/causeway-test-%d-%u,size=4M",
	         k->folder ? k->folder : ".", (int)getpid(), serial++);
	return devices_must_open(spec);
}

static inline void devices_close_file(struct block_device *dev)
{
	struct drive_info info;

	assert_int_equal(drive_info(dev, &info), 0);
	assert_int_equal(unlink(info.path), 0);
	block_close(dev);
}

/* The current folder is in the build tree, on a disk as a rule; /dev/shm is
 * a tmpfs, which lacks what disks have. */
static const struct device_kind device_kinds[] = {
	{ "ram", NULL, devices_ram, block_close, true },
	{ "file", NULL, devices_file, devices_close_file, true },
	{ "file on tmpfs", "/dev/shm", devices_file, devices_close_file, true },
};

#endif /* TESTS_UNIT_DRIVE_DEVICES_H */
