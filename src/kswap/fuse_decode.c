/* SPDX-License-Identifier: BSD-2-Clause */
#include "kswap/fuse_decode.h"

#include "base/base.h"

#include <errno.h>
#include <linux/falloc.h>
#include <linux/fuse.h>
#include <string.h>

static int decode_init(const uint8_t *body, size_t n,
                       struct fuse_decode_call *c)
{
	struct fuse_init_in in = { 0 };

	memcpy(&in, body, n < sizeof(in) ? n : sizeof(in));
	if (in.major != FUSE_KERNEL_VERSION)
		return -EINVAL;
	c->minor = in.minor;
	c->flags = in.flags;
	if (in.flags & FUSE_INIT_EXT)
		c->flags |= (uint64_t)in.flags2 << 32;
	return 0;
}

static int decode_write(const uint8_t *body, size_t n,
                        struct fuse_decode_call *c)
{
	struct fuse_write_in in;

	memcpy(&in, body, sizeof(in));
	if (in.size != n - sizeof(in))
		return -EINVAL;
	c->offset = in.offset;
	c->length = in.size;
	c->data = body + sizeof(in);
	return 0;
}

static int decode_discard(const uint8_t *body, size_t n,
                          struct fuse_decode_call *c)
{
	struct fuse_fallocate_in in;

	(void)n;
	memcpy(&in, body, sizeof(in));
	if (!(in.mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE)) ||
	    in.mode & ~(uint32_t)(FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE |
	                          FALLOC_FL_KEEP_SIZE))
		c->op = FUSE_DECODE_UNKNOWN;
	c->offset = in.offset;
	c->length = in.length;
	return 0;
}

static int decode_read(const uint8_t *body, size_t n,
                       struct fuse_decode_call *c)
{
	struct fuse_read_in in;

	(void)n;
	memcpy(&in, body, sizeof(in));
	c->offset = in.offset;
	c->length = in.size;
	return 0;
}

static int decode_nothing(const uint8_t *body, size_t n,
                          struct fuse_decode_call *c)
{
	(void)body;
	(void)n;
	(void)c;
	return 0;
}

/* What an opcode is, how many bytes follow its header at least, and who reads
 * them. */
static const struct row {
	uint32_t opcode;
	enum fuse_decode_op op;
	size_t least;
	int (*body)(const uint8_t *body, size_t n, struct fuse_decode_call *c);
} rows[] = {
	/* the least as old kernels send it */
	{ FUSE_INIT, FUSE_DECODE_INIT, 16, decode_init },
	{ FUSE_GETATTR, FUSE_DECODE_GETATTR, 0, decode_nothing },
	{ FUSE_OPEN, FUSE_DECODE_OPEN, 0, decode_nothing },
	{ FUSE_READ, FUSE_DECODE_READ, sizeof(struct fuse_read_in),
	  decode_read },
	{ FUSE_WRITE, FUSE_DECODE_WRITE, sizeof(struct fuse_write_in),
	  decode_write },
	{ FUSE_FALLOCATE, FUSE_DECODE_DISCARD, sizeof(struct fuse_fallocate_in),
	  decode_discard },
	{ FUSE_STATFS, FUSE_DECODE_STATFS, 0, decode_nothing },
	{ FUSE_FSYNC, FUSE_DECODE_DONE, 0, decode_nothing },
	{ FUSE_FLUSH, FUSE_DECODE_DONE, 0, decode_nothing },
	{ FUSE_RELEASE, FUSE_DECODE_DONE, 0, decode_nothing },
	{ FUSE_DESTROY, FUSE_DECODE_DONE, 0, decode_nothing },
	{ FUSE_FORGET, FUSE_DECODE_QUIET, 0, decode_nothing },
	{ FUSE_BATCH_FORGET, FUSE_DECODE_QUIET, 0, decode_nothing },
	{ FUSE_INTERRUPT, FUSE_DECODE_QUIET, 0, decode_nothing },
};

static const struct row *row_of(uint32_t opcode)
{
	static const struct row unknown = { .body = decode_nothing };

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (rows[i].opcode == opcode)
			return &rows[i];
	return &unknown;
}

int fuse_decode_request(const void *bytes, size_t n,
                        struct fuse_decode_call *out)
{
	struct fuse_decode_call c = { 0 };
	struct fuse_in_header h;
	const struct row *row;
	int err;

	if (n < sizeof(h))
		return -EPROTO;
	memcpy(&h, bytes, sizeof(h));
	if (h.len != n || h.unique == 0)
		return -EPROTO;
	row = row_of(h.opcode);
	n -= sizeof(h);
	c.op = row->op;
	c.unique = h.unique;
	err = n < row->least
	              ? -EINVAL
	              : row->body((const uint8_t *)bytes + sizeof(h), n, &c);
	if (!err && c.offset + c.length < c.offset)
		err = -EINVAL;
	*out = err ? (struct fuse_decode_call){ .unique = h.unique } : c;
	return err;
}
