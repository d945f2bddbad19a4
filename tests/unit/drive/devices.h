/* SPDX-License-Identifier: BSD-2-Clause */
/* Every kind of device at the bottom, for suites that run over all. */
#ifndef TESTS_UNIT_DRIVE_DEVICES_H
#define TESTS_UNIT_DRIVE_DEVICES_H

#include "../../support/block_rig.h"

#include "block/fault.h"
#include "block/fault_wrap.h"
#include "drive/drive.h"
#include "drive/remote.h"
#include "fabric/service.h"
#include "window/window.h"

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

static struct block_device *devices_lower;

/* Over a RAM drive; a third of the requests comes late. */
static inline struct block_device *devices_fault(const struct device_kind *k)
{
	const struct fault_wrap_rule late = { .kind = FAULT_WRAP_DELAY,
		                              .per_million = 333333,
		                              .delay_ns = 20000 };
	struct block_device *dev;

	devices_lower = devices_ram(k);
	assert_int_equal(fault_wrap_create(devices_lower, 1, &dev), 0);
	fault_wrap_add(dev, &late);
	return dev;
}

static inline void devices_close_fault(struct block_device *dev)
{
	block_close(dev);
	block_close(devices_lower);
}

static inline struct block_device *devices_power(const struct device_kind *k)
{
	struct block_device *dev = fault_create(DEVICE_SIZE, 1);

	(void)k;
	assert_non_null(dev);
	fault_set_delay(dev, 5);
	return dev;
}

/* -- a window of this very node ------------------------------------------- */

static struct window_host *devices_host;

struct devices_opening {
	struct remote_open open;
	struct block_device *dev;
};

static inline void devices_opened(struct remote_open *o,
                                  struct block_device *dev, const struct err *e)
{
	if (!dev)
		fail_msg("%s", e->text);
	container_of(o, struct devices_opening, open)->dev = dev;
}

static inline struct block_device *devices_remote(const struct device_kind *k)
{
	struct devices_opening o = { .open.opened = devices_opened };
	const struct window_host_opts opts = { .reactor = reactor_current(),
		                               .node = "self" };

	(void)k;
	assert_int_equal(window_host_create(&opts, &devices_host, NULL), 0);
	assert_int_equal(
		window_create(devices_host, "disk", DEVICE_SIZE, NULL, NULL),
		0);
	assert_int_equal(window_allow(devices_host, "disk", "self",
	                              FABRIC_RIGHT_READ | FABRIC_RIGHT_WRITE,
	                              NULL, NULL),
	                 0);
	remote_open(devices_host, opts.reactor, "remote:self/disk", &o.open);
	while (!o.dev)
		reactor_poll(opts.reactor);
	return o.dev;
}

static inline void devices_stopped(void *ctx)
{
	*(bool *)ctx = true;
}

static inline void devices_close_remote(struct block_device *dev)
{
	bool stopped = false;

	block_close(dev);
	window_host_stop(devices_host, devices_stopped, &stopped);
	while (!stopped)
		reactor_poll(reactor_current());
	window_host_destroy(devices_host);
}

/* The current folder is in the build tree, on a disk as a rule; /dev/shm is
 * a tmpfs, which lacks what disks have. */
static const struct device_kind device_kinds[] = {
	{ "ram", NULL, devices_ram, block_close, true },
	{ "file", NULL, devices_file, devices_close_file, true },
	{ "file on tmpfs", "/dev/shm", devices_file, devices_close_file, true },
	{ "fault_wrap", NULL, devices_fault, devices_close_fault, true },
	{ "fault", NULL, devices_power, block_close, false },
	{ "remote", NULL, devices_remote, devices_close_remote, false },
};

#endif /* TESTS_UNIT_DRIVE_DEVICES_H */
