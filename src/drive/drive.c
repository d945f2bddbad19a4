/* SPDX-License-Identifier: BSD-2-Clause */
#include "drive/drive_priv.h"

#include "base/base.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

int drive_open(const char *spec, struct block_device **out, struct err *e)
{
	struct drive_spec s;
	int err = drive_spec_parse(spec, &s, e);

	if (err)
		return err;
	switch (s.type) {
	case DRIVE_FILE:
		return drive_file_open(&s, out, e);
	case DRIVE_RAM:
		return drive_ram_open(s.size, out, e);
	case DRIVE_REMOTE:
		break;
	}
	return err_set(e, -EINVAL, "%s is opened by remote_open()", spec);
}

int drive_info(const struct block_device *dev, struct drive_info *out)
{
	if (dev->ops != &drive_file_ops && dev->ops != &drive_ram_ops &&
	    dev->ops != &drive_remote_ops)
		return -ENOTBLK;
	memset(out, 0, sizeof(*out));
	out->type = dev->ops->type;
	out->size = dev->size;
	out->grain = dev->grain;
	if (dev->ops == &drive_file_ops)
		drive_file_info(dev, out);
	if (dev->ops == &drive_remote_ops)
		out->path = drive_remote_name(dev);
	return 0;
}

/* The largest unit that loses nothing worth showing: 10 GiB, 1536 MiB. */
static void size_words(uint64_t bytes, char out[32])
{
	static const char *const units[] = { "B",   "KiB", "MiB",
		                             "GiB", "TiB", "PiB" };
	unsigned i = 0;

	while (i + 1 < ARRAY_LEN(units) && bytes % 1024 == 0 && bytes) {
		bytes /= 1024;
		i++;
	}
	snprintf(out, 32, "%ju %s", (uintmax_t)bytes, units[i]);
}

const char *drive_describe(const struct block_device *dev, char *out, size_t n)
{
	struct drive_info info;
	char size[32];

	size_words(dev->size, size);
	if (drive_info(dev, &info))
		snprintf(out, n, "%s (%s)", dev->ops->type, size);
	else if (!info.path)
		snprintf(out, n, "%s (%s)", info.type, size);
	else if (dev->ops == &drive_remote_ops)
		snprintf(out, n, "%s:%s (%s)", info.type, info.path, size);
	else
		snprintf(out, n, "%s:%s (%s, %s%s, %u B sectors)", info.type,
		         info.path, size, info.block_device ? "device, " : "",
		         info.direct ? "direct" : "page cache", info.grain);
	return out;
}
