/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * volume/slow/label_io - drive labels (drive/label.h) read and written through
 * the fast stack.
 */
#ifndef VOLUME_SLOW_LABEL_IO_H
#define VOLUME_SLOW_LABEL_IO_H

#include "drive/label.h"
#include "volume/slow/metaio.h"

#define LABEL_IO_COPIES 2u

struct layout;
struct pool;
struct slow;

/* -- writing -------------------------------------------------------------- */

/*
 * Write the labels of a set of members, durably: round 0 the second copies,
 * round 1 the first.  f->failed tells which could not be written.
 */
void label_io_write(struct pool *p, uint32_t members, unsigned round,
                    struct metaio_fan *f, void (*done)(struct metaio_fan *f));
/* Of all that are ONLINE. */
void label_io_write_all(struct pool *p, unsigned round, struct metaio_fan *f,
                        void (*done)(struct metaio_fan *f));

/* -- reading -------------------------------------------------------------- */

struct label_io_drive {
	struct metaio_request request;
	struct label_io_scan *scan;
	uint16_t drive; /* slot */
	bool read[LABEL_IO_COPIES];
	uint8_t copy[LABEL_IO_COPIES][LABEL_BLOCK];
	/* the outcome */
	int err; /* label_choose(), or -EIO: cannot be read */
	bool repair;
	struct label label;
};

struct label_io_scan {
	struct slow *slow;
	void (*done)(struct label_io_scan *s);
	unsigned n;
	unsigned left;
	unsigned round;
	void *arg; /* the caller's */
	struct task task;
	struct label_io_drive drive[];
};

/* Both copies of each drive.  The caller frees what it gets, in done or
 * later.  @return NULL: out of memory, nothing is done. */
struct label_io_scan *label_io_read(struct slow *s, const uint16_t *drives,
                                    unsigned n,
                                    void (*done)(struct label_io_scan *s),
                                    void *arg);

/* -- where things lie ----------------------------------------------------- */

/* @return 0; -EINVAL: areas that this version cannot use. */
int label_io_layout(const struct label *l, struct layout *out);

#endif /* VOLUME_SLOW_LABEL_IO_H */
