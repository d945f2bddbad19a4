/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One request, from its header to its reply.  TRIM and WRITE_ZEROES may name
 * 4 GiB: they go to the device in steps, so that others get their turn.
 */
#include "base/clock.h"
#include "export/nbd_priv.h"

#include <errno.h>
#include <string.h>

#define STEP (16u << 20) /* bytes; a multiple of every grain */
#define EXTENTS 256u     /* descriptors of one reply */
#define LARGE (32u << 10)

static const struct {
	enum nbd_op op;      /* for statistics */
	enum block_op block; /* what the device is asked */
} kinds[NBD_CMD_END] = {
	[NBD_CMD_READ] = { NBD_OP_READ, BLOCK_READ },
	[NBD_CMD_WRITE] = { NBD_OP_WRITE, BLOCK_WRITE },
	[NBD_CMD_FLUSH] = { NBD_OP_FLUSH, BLOCK_FLUSH },
	[NBD_CMD_TRIM] = { NBD_OP_TRIM, BLOCK_DISCARD },
	[NBD_CMD_WRITE_ZEROES] = { NBD_OP_WRITE_ZEROES, BLOCK_WRITE_ZEROES },
	[NBD_CMD_BLOCK_STATUS] = { NBD_OP_BLOCK_STATUS, BLOCK_FLUSH },
};

/* -- replies -------------------------------------------------------------- */

/*
 * The document lets us answer all but READ and BLOCK_STATUS by a simple
 * reply, the shortest, but wants errors structured where that was agreed.
 */
static size_t encode_reply(struct nbd_request *q)
{
	uint64_t cookie = q->command.cookie;
	bool structured = q->conn->terms.structured;

	if (q->error && structured)
		return nbd_encode_error(cookie, q->error, q->header);
	if (q->error || !structured || q->command.type != NBD_CMD_READ)
		return nbd_encode_simple(cookie, q->error, q->header);
	if (q->payload == 0)
		return nbd_encode_none(cookie, q->header);
	return nbd_encode_data(cookie, q->command.offset, q->payload,
	                       q->header);
}

/* Queue `q` for sending, its header and payload being set. */
static void queue(struct nbd_request *q)
{
	struct nbd_conn *c = q->conn;

	q->next = NULL;
	c->n_out++;
	c->out_bytes += q->header_length + (size_t)q->payload;
	*c->out_end = q;
	c->out_end = &q->next;
	nbd_conn_mark(c);
}

static void answer(struct nbd_request *q, enum nbd_error error)
{
	q->error = error;
	q->payload = 0;
	if (q->command.type == NBD_CMD_READ && !error)
		q->payload = q->command.length;
	q->header_length = (uint8_t)encode_reply(q);
	queue(q);
}

void nbd_request_answered(struct nbd_request *q, uint64_t now_ns)
{
	struct nbd_op_stats *s = &q->conn->slot->op[q->op];
	uint64_t errors = s->errors + (q->error != NBD_OK);
	uint64_t bytes = s->bytes + (q->error ? 0 : q->command.length);

	__atomic_store_n(&s->errors, errors, __ATOMIC_RELAXED);
	__atomic_store_n(&s->bytes, bytes, __ATOMIC_RELAXED);
	histogram_add(&s->latency, now_ns - q->start_ns);
}

void nbd_request_release(struct nbd_request *q)
{
	struct nbd_conn *c = q->conn;
	struct nbd_worker *w = c->worker;

	if (q->capacity) {
		nbd_pool_put(&w->pool, q->buffer, q->capacity);
		c->held -= nbd_pool_size(q->capacity);
	}
	c->n_requests--;
	slab_put(&w->requests, q);
	w->released = true;
	if (!list_empty(&w->blocked))
		nbd_worker_arm(w);
}

/* -- the device ----------------------------------------------------------- */

static void submit(struct nbd_request *q);

/* The next step of a TRIM or WRITE_ZEROES.  @return false: all are done. */
static bool next_step(struct nbd_request *q)
{
	if (q->left) {
		q->block.offset += q->block.length;
		q->block.length = q->left < STEP ? q->left : STEP;
		q->left -= (uint32_t)q->block.length;
		return true;
	}
	if (!q->flush_after)
		return false;
	q->flush_after = false;
	q->block = (struct block_request){
		.op = BLOCK_FLUSH,
		.done = q->block.done,
	};
	return true;
}

static void done(struct block_request *b, int err)
{
	struct nbd_request *q = container_of(b, struct nbd_request, block);

	q->conn->n_device--;
	if (!err && q->conn->state != NBD_DEAD && next_step(q))
		submit(q);
	else
		answer(q, nbd_error_from_errno(err));
}

static void submit(struct nbd_request *q)
{
	q->conn->n_device++;
	block_submit(q->conn->export->info.device, &q->block);
}

static unsigned block_flags(const struct nbd_command *c)
{
	unsigned flags = 0;

	if (c->flags & NBD_CMD_FLAG_FUA &&
	    (c->type == NBD_CMD_WRITE || c->type == NBD_CMD_WRITE_ZEROES))
		flags |= BLOCK_FUA;
	if (c->flags & NBD_CMD_FLAG_NO_HOLE)
		flags |= BLOCK_NO_UNMAP;
	return flags;
}

static void to_device(struct nbd_request *q)
{
	const struct nbd_command *c = &q->command;

	q->block = (struct block_request){
		.op = kinds[c->type].block,
		.flags = block_flags(c),
		.offset = c->offset,
		.length = c->length,
		.done = done,
	};
	if (q->capacity) {
		q->iov = (struct iovec){ q->buffer, c->length };
		q->block.iov = &q->iov;
		q->block.iov_count = 1;
	} else if (c->length > STEP) {
		q->block.length = STEP;
		q->left = c->length - STEP;
	}
	q->flush_after = c->type == NBD_CMD_TRIM && c->flags & NBD_CMD_FLAG_FUA;
	submit(q);
}

/* -- BLOCK_STATUS --------------------------------------------------------- */

/* @return extents, at least 1; an error of the device's. */
static int ask_extents(const struct nbd_request *q, struct nbd_extent *out)
{
	const struct nbd_export_info *x = &q->conn->export->info;
	const struct nbd_command *c = &q->command;
	unsigned max = c->flags & NBD_CMD_FLAG_REQ_ONE ? 1 : EXTENTS;

	if (x->extents)
		return x->extents(x->arg, c->offset, c->length, out, max);
	out[0] = (struct nbd_extent){ .length = c->length };
	return 1;
}

static void answer_status(struct nbd_request *q)
{
	struct nbd_extent extents[EXTENTS];
	struct nbd_descriptor *out = (struct nbd_descriptor *)q->buffer;
	uint64_t left = q->command.length;
	int n = ask_extents(q, extents);
	uint32_t used = 0;

	for (int i = 0; i < n && left; i++) {
		uint64_t length = extents[i].length;
		uint32_t flags =
			extents[i].hole ? NBD_STATE_HOLE | NBD_STATE_ZERO : 0;

		if (length > left)
			length = left;
		if (length == 0)
			continue;
		left -= length;
		out[used++] =
			(struct nbd_descriptor){ be32_put((uint32_t)length),
			                         be32_put(flags) };
	}
	if (used == 0) {
		answer(q, n < 0 ? nbd_error_from_errno(n) : NBD_EIO);
		return;
	}
	q->payload = used * (uint32_t)sizeof(*out);
	q->header_length =
		(uint8_t)nbd_encode_status(q->command.cookie, used, q->header);
	queue(q);
}

/* -- starting ------------------------------------------------------------- */

/* Bytes of buffer that a request with these properties needs. */
static uint32_t capacity_of(const struct nbd_command *c, enum nbd_error error)
{
	if (error)
		return 0;
	if (c->type == NBD_CMD_READ || c->type == NBD_CMD_WRITE)
		return c->length;
	if (c->type == NBD_CMD_BLOCK_STATUS)
		return EXTENTS * sizeof(struct nbd_descriptor);
	return 0;
}

/* @return false: no room for it now. */
static bool find_room(struct nbd_conn *c, uint32_t capacity,
                      struct nbd_request **out)
{
	struct nbd_worker *w = c->worker;
	struct nbd_request *q;
	size_t size = capacity ? nbd_pool_size(capacity) : 0;

	c->starving = false;
	if (c->n_requests >= NBD_REQUESTS_MAX || c->held + size > NBD_HELD_MAX)
		return false;
	q = slab_get(&w->requests);
	c->starving = true;
	if (!q)
		return false;
	q->buffer = capacity ? nbd_pool_get(&w->pool, capacity) : NULL;
	if (capacity && !q->buffer) {
		slab_put(&w->requests, q);
		return false;
	}
	c->starving = false;
	q->capacity = capacity;
	c->held += size;
	c->n_requests++;
	if (!w->trim_armed)
		nbd_worker_arm(w); /* the flush arms it */
	*out = q;
	return true;
}

/* Nothing is in flight that could free memory: waiting would be for ever. */
static bool is_hopeless(const struct nbd_worker *w)
{
	return w->requests.used == 0;
}

bool nbd_request_start(struct nbd_conn *c, const struct nbd_command *command)
{
	enum nbd_error error = nbd_command_check(command, &c->terms);
	bool is_write = command->type == NBD_CMD_WRITE;
	struct nbd_request *q;

	if (!find_room(c, capacity_of(command, error), &q)) {
		if (!is_hopeless(c->worker))
			return false;
		error = NBD_ENOMEM;
		if (!find_room(c, 0, &q)) {
			nbd_conn_kill(c);
			return true;
		}
	}
	q->conn = c;
	q->command = *command;
	q->left = 0;
	q->op = command->type < NBD_CMD_END ? kinds[command->type].op : 0;
	q->start_ns = clock_now_ns();
	c->worker->n_requests++;
	c->large = is_write && command->length >= LARGE;
	q->error = error;
	if (is_write && command->length) {
		c->state = error ? NBD_SKIP : NBD_PAYLOAD;
		c->left = command->length;
		c->receiving = q;
	} else if (error ||
	           (command->length == 0 && command->type != NBD_CMD_FLUSH)) {
		answer(q, error);
	} else if (command->type == NBD_CMD_BLOCK_STATUS) {
		answer_status(q);
	} else {
		to_device(q);
	}
	return true;
}

void nbd_request_received(struct nbd_request *q)
{
	if (q->error)
		answer(q, q->error);
	else
		to_device(q);
}
