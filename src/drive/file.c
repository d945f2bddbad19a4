/* SPDX-License-Identifier: BSD-2-Clause */
/* A drive in a file or on a block device, by the reactor's io_uring. */
#include "drive/file_priv.h"

#include "base/base.h"
#include "block/finish.h"
#include "core/reactor.h"
#include "core/uring.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <string.h>
#include <sys/uio.h>

#define VECTOR_MAX 1024u /* entries the kernel takes in one call */
#define TRIES_MAX 16u    /* of a call that was interrupted */

/* Writing so few zeroes is cheaper than changing the file's map. */
#define ZERO_RANGE_MIN (UINT64_C(64) << 10)

#define Z                                                                      \
	{                                                                      \
		(void *)(uintptr_t)block_zeroes, BLOCK_ZEROES_LENGTH           \
	}
static const struct iovec zeroes[16] = { Z, Z, Z, Z, Z, Z, Z, Z,
	                                 Z, Z, Z, Z, Z, Z, Z, Z };
#undef Z

/*
 *   READ, WRITE             MOVE ---------------------------> end
 *   FLUSH                   SYNC ---------------------------> end
 *   DISCARD                 PUNCH --------------------------> end
 *   WRITE_ZEROES            PUNCH -> ZERO_RANGE -> ZEROES --> end
 *                            |           |  ^
 *                            +-----------+--|--- with FUA --> SYNC --> end
 *                 with NO_UNMAP ------------+
 * An arrow to the right is taken where the file system lacks the call.
 */
enum op_state {
	OP_MOVE,       /* the request's data */
	OP_PUNCH,      /* fallocate, giving the space back */
	OP_ZERO_RANGE, /* fallocate, keeping it */
	OP_ZEROES,     /* writing zeroes */
	OP_SYNC,
};

struct file_op {
	struct uring_request call;
	struct block_request *q;
	struct file *file;
	enum op_state state;
	unsigned tries;
	uint64_t at;          /* bytes of the request that are done */
	uint64_t step;        /* bytes in the call that is out */
	uint64_t mark;        /* OP_SYNC: `changed` before it */
	uint8_t *bounce;      /* DRIVE_BOUNCE bytes, or NULL */
	struct iovec *vector; /* VECTOR_MAX entries, or NULL */
	struct iovec one;     /* the bounce buffer's, or the last zeroes */
};

static struct file *file_of(struct block_device *dev)
{
	return container_of(dev, struct file, dev);
}

static void call_done(struct uring_request *call, int result);

static bool is_change(const struct block_request *q)
{
	return q->op == BLOCK_WRITE || q->op == BLOCK_WRITE_ZEROES;
}

static void op_end(struct file_op *op, int err)
{
	struct block_request *q = op->q;
	struct file *f = op->file;

	/* Before done: B5 counts from there. */
	if (is_change(q) && !(q->flags & BLOCK_FUA))
		atomic_fetch_add(&f->changed, 1);
	/* Through the page cache this may have been the only report of some
	 * other write's loss. */
	if (err && (q->flags & BLOCK_FUA) && !f->direct)
		atomic_compare_exchange_strong(&f->sync_err, &(int){ 0 }, err);
	free(op->bounce);
	free(op->vector);
	free(op);
	q->done(q, err);
}

/* -- vectors -------------------------------------------------------------- */

/*
 * The part of a vector from `offset` on, at most `length` bytes and `max`
 * entries.  @return its bytes.
 */
static uint64_t vector_part(const struct iovec *iov, unsigned n,
                            uint64_t offset, uint64_t length, struct iovec *out,
                            unsigned max, unsigned *n_out)
{
	uint64_t bytes = 0;
	unsigned made = 0;

	for (unsigned i = 0; i < n && made < max && bytes < length; i++) {
		uint64_t here = iov[i].iov_len;

		if (offset >= here) {
			offset -= here;
			continue;
		}
		here -= offset;
		if (here > length - bytes)
			here = length - bytes;
		out[made].iov_base = (uint8_t *)iov[i].iov_base + offset;
		out[made].iov_len = here;
		made++;
		bytes += here;
		offset = 0;
	}
	*n_out = made;
	return bytes;
}

static void bounce_copy(struct file_op *op, uint64_t length)
{
	const struct block_request *q = op->q;
	struct iovec part[16];
	uint64_t done = 0;
	unsigned n;

	while (done < length) {
		uint64_t bytes =
			vector_part(q->iov, q->iov_count, op->at + done,
		                    length - done, part, ARRAY_LEN(part), &n);

		if (q->op == BLOCK_WRITE)
			iov_to_buffer(part, n, op->bounce + done);
		else
			iov_from_buffer(part, n, op->bounce + done);
		done += bytes;
	}
}

/* Whether the kernel can move the request's memory directly. */
static bool memory_fits(const struct file *f, const struct block_request *q)
{
	uintptr_t bits = 0;
	size_t lengths = 0;

	if (!f->direct)
		return true;
	for (unsigned i = 0; i < q->iov_count; i++) {
		if (!q->iov[i].iov_len)
			continue;
		bits |= (uintptr_t)q->iov[i].iov_base;
		lengths |= q->iov[i].iov_len;
	}
	return !(bits & (f->memory_align - 1)) &&
	       !(lengths & (f->dev.grain - 1));
}

/* -- calls ---------------------------------------------------------------- */

static void call_move(struct file_op *op)
{
	const struct block_request *q = op->q;
	struct reactor *r = reactor_current();
	const struct iovec *iov = q->iov;
	unsigned n = q->iov_count;

	if (op->bounce) {
		op->step = q->length - op->at;
		if (op->step > DRIVE_BOUNCE)
			op->step = DRIVE_BOUNCE;
		if (q->op == BLOCK_WRITE)
			bounce_copy(op, op->step);
		op->one.iov_base = op->bounce;
		op->one.iov_len = op->step;
		iov = &op->one;
		n = 1;
	} else if (op->vector) {
		op->step = vector_part(iov, n, op->at, q->length - op->at,
		                       op->vector, VECTOR_MAX, &n);
		iov = op->vector;
	} else {
		op->step = q->length;
	}
	if (q->op == BLOCK_READ)
		uring_readv(r, &op->call, op->file->fd, iov, n,
		            q->offset + op->at);
	else
		uring_writev(r, &op->call, op->file->fd, iov, n,
		             q->offset + op->at,
		             q->flags & BLOCK_FUA ? RWF_DSYNC : 0);
}

static void call_zeroes(struct file_op *op)
{
	const struct block_request *q = op->q;
	uint64_t left = q->length - op->at;
	const struct iovec *iov = &op->one;
	unsigned n = 1;

	if (left >= BLOCK_ZEROES_LENGTH) {
		iov = zeroes;
		n = ARRAY_LEN(zeroes);
		if (left < n * BLOCK_ZEROES_LENGTH)
			n = (unsigned)(left / BLOCK_ZEROES_LENGTH);
		op->step = n * BLOCK_ZEROES_LENGTH;
	} else {
		op->one = zeroes[0];
		op->one.iov_len = left;
		op->step = left;
	}
	uring_writev(reactor_current(), &op->call, op->file->fd, iov, n,
	             q->offset + op->at, q->flags & BLOCK_FUA ? RWF_DSYNC : 0);
}

static void call(struct file_op *op)
{
	const struct block_request *q = op->q;
	struct reactor *r = reactor_current();
	int fd = op->file->fd;

	switch (op->state) {
	case OP_MOVE:
		call_move(op);
		break;
	case OP_PUNCH:
		uring_fallocate(r, &op->call, fd,
		                FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		                q->offset, q->length);
		break;
	case OP_ZERO_RANGE:
		uring_fallocate(r, &op->call, fd,
		                FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE,
		                q->offset, q->length);
		break;
	case OP_ZEROES:
		call_zeroes(op);
		break;
	case OP_SYNC:
		op->mark = atomic_load(&op->file->changed);
		atomic_fetch_add(&op->file->syncs, 1);
		uring_fdatasync(r, &op->call, fd);
		break;
	}
}

/* -- results -------------------------------------------------------------- */

static void moved(struct file_op *op, uint64_t bytes)
{
	const struct file *f = op->file;

	/* The rest of a short one starts on the grain again. */
	if (bytes < op->step)
		bytes -= bytes % f->dev.grain;
	if (bytes == 0) {
		op_end(op, -EIO); /* somebody has cut the file off */
		return;
	}
	if (op->bounce && op->q->op == BLOCK_READ)
		bounce_copy(op, bytes);
	op->at += bytes;
	if (op->at == op->q->length) {
		op_end(op, 0);
		return;
	}
	if (op->state == OP_MOVE && !op->bounce && !op->vector) {
		op->vector = calloc(VECTOR_MAX, sizeof(*op->vector));
		if (!op->vector) {
			op_end(op, -ENOMEM);
			return;
		}
	}
	call(op);
}

static void synced(struct file_op *op, int err)
{
	struct file *f = op->file;
	uint64_t before = atomic_load(&f->synced);

	if (err)
		atomic_compare_exchange_strong(&f->sync_err, &(int){ 0 }, err);
	else
		while (before < op->mark &&
		       !atomic_compare_exchange_weak(&f->synced, &before,
		                                     op->mark))
			;
	op_end(op, err);
}

/* The way to zero that is left when `state` cannot be had. */
static void zero_another_way(struct file_op *op, enum op_state state)
{
	struct file *f = op->file;

	if (state == OP_PUNCH && op->q->op == BLOCK_DISCARD) {
		op_end(op, 0); /* a hint, not taken */
		return;
	}
	if (state == OP_PUNCH && !atomic_load(&f->no_zero_range)) {
		op->state = OP_ZERO_RANGE;
	} else {
		op->state = OP_ZEROES;
	}
	call(op);
}

static void zeroed(struct file_op *op, int err)
{
	struct file *f = op->file;

	if (err == -EOPNOTSUPP || err == -ENOSYS) {
		atomic_store(op->state == OP_PUNCH ? &f->no_punch
		                                   : &f->no_zero_range,
		             true);
		zero_another_way(op, op->state);
	} else if (!err && (op->q->flags & BLOCK_FUA)) {
		op->state = OP_SYNC;
		atomic_fetch_add(&f->changed, 1);
		call(op);
	} else {
		op_end(op, err);
	}
}

static void call_done(struct uring_request *c, int result)
{
	struct file_op *op = container_of(c, struct file_op, call);

	if ((result == -EINTR || result == -EAGAIN) &&
	    ++op->tries < TRIES_MAX) {
		call(op);
		return;
	}
	switch (op->state) {
	case OP_MOVE:
	case OP_ZEROES:
		if (result < 0)
			op_end(op, result);
		else
			moved(op, (uint64_t)result);
		break;
	case OP_PUNCH:
	case OP_ZERO_RANGE:
		zeroed(op, result);
		break;
	case OP_SYNC:
		synced(op, result);
		break;
	}
}

/* -- the device ----------------------------------------------------------- */

static void start(struct file_op *op)
{
	const struct block_request *q = op->q;
	struct file *f = op->file;
	bool keep = q->flags & BLOCK_NO_UNMAP;

	switch (q->op) {
	case BLOCK_READ:
	case BLOCK_WRITE:
		op->state = OP_MOVE;
		call(op);
		return;
	case BLOCK_FLUSH:
		op->state = OP_SYNC;
		call(op);
		return;
	case BLOCK_DISCARD:
	case BLOCK_WRITE_ZEROES:
		if (keep && q->length < ZERO_RANGE_MIN) {
			zero_another_way(op, OP_ZERO_RANGE);
		} else if (keep || atomic_load(&f->no_punch)) {
			zero_another_way(op, OP_PUNCH);
		} else {
			op->state = OP_PUNCH;
			call(op);
		}
		return;
	}
}

/* What a request needs before its first call.  @return 0; -ENOMEM. */
static int prepare(struct file_op *op)
{
	const struct block_request *q = op->q;
	void *memory = NULL;

	if (q->op != BLOCK_READ && q->op != BLOCK_WRITE)
		return 0;
	if (!memory_fits(op->file, q)) {
		if (posix_memalign(&memory, DRIVE_PAGE,
		                   q->length < DRIVE_BOUNCE ? q->length
		                                            : DRIVE_BOUNCE))
			return -ENOMEM;
		op->bounce = memory;
	} else if (q->iov_count > VECTOR_MAX) {
		op->vector = calloc(VECTOR_MAX, sizeof(*op->vector));
		if (!op->vector)
			return -ENOMEM;
	}
	return 0;
}

/* A flush of nothing, or a hint that cannot be taken. */
static bool is_idle(const struct file *f, const struct block_request *q)
{
	if (q->op == BLOCK_FLUSH)
		return atomic_load(&f->synced) == atomic_load(&f->changed);
	return q->op == BLOCK_DISCARD && atomic_load(&f->no_punch);
}

static void file_submit(struct block_device *dev, struct block_request *q)
{
	struct file *f = file_of(dev);
	struct file_op *op;
	int err = block_check(dev, q);

	if (!err && q->op == BLOCK_FLUSH)
		err = atomic_load(&f->sync_err);
	if (!err && is_idle(f, q)) {
		block_finish(q, 0);
		return;
	}
	op = err ? NULL : calloc(1, sizeof(*op));
	if (!op) {
		block_finish(q, err ? err : -ENOMEM);
		return;
	}
	op->call.done = call_done;
	op->q = q;
	op->file = f;
	err = prepare(op);
	if (err) {
		free(op);
		block_finish(q, err);
		return;
	}
	start(op);
}

static void file_close(struct block_device *dev)
{
	struct file *f = file_of(dev);

	if (f->fd >= 0)
		close(f->fd);
	free(f->path);
	free(f);
}

const struct block_ops drive_file_ops = {
	.type = "file",
	.submit = file_submit,
	.close = file_close,
};

void drive_file_info(const struct block_device *dev, struct drive_info *out)
{
	struct file *f = file_of((struct block_device *)(uintptr_t)dev);

	out->path = f->path;
	out->block_device = f->is_block_device;
	out->direct = f->direct;
	out->syncs = atomic_load(&f->syncs);
}

int drive_file_open(const struct drive_spec *s, struct block_device **out,
                    struct err *e)
{
	struct file *f = calloc(1, sizeof(*f));
	int err;

	if (!f)
		return err_set(e, -ENOMEM, "no memory for a drive");
	f->dev.ops = &drive_file_ops;
	f->fd = -1;
	f->changed = 1;
	f->path = strdup(s->path);
	err = f->path ? drive_file_attach(f, s, e)
	              : err_set(e, -ENOMEM, "no memory for a drive");
	if (err) {
		file_close(&f->dev);
		return err;
	}
	*out = &f->dev;
	return 0;
}
