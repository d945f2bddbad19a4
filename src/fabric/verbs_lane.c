/* SPDX-License-Identifier: BSD-2-Clause */
/* The dialler's half, and what both halves share. */
#include "fabric/verbs_lane.h"

#include "fabric/verbs_lane_priv.h"

#include "base/iov.h"
#include "fabric/frame_lane.h"
#include "fabric/frame_lane_priv.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* READs may run ahead of what the target has heard of by so many numbers. */
#define UNTOLD_MAX (SESSION_WINDOW / 2)

static void work(struct verbs_lane *l);

static void queue_work(struct verbs_lane *l)
{
	if (l->task_queued)
		return;
	l->task_queued = true;
	task_defer(l->lane.reactor, &l->task);
}

static void free_if_done(struct verbs_lane *l)
{
	if (!l->gone || l->busy || l->task_queued)
		return;
	free(l->known);
	free(l->granted);
	free(l);
}

static bool stopped(const struct verbs_lane *l)
{
	return l->gone || l->lane.state == LANE_FAILED;
}

static struct fabric_op *op_of(struct list *link)
{
	return list_entry(link, struct fabric_op, link);
}

/* -- keys ----------------------------------------------------------------- */

static struct known *find_known(struct verbs_lane *l,
                                const struct fabric_key *key)
{
	for (unsigned i = 0; i < VERBS_MAPS; i++)
		if (l->known[i].state != KEY_NONE &&
		    memcmp(&l->known[i].key, key, sizeof(*key)) == 0)
			return &l->known[i];
	return NULL;
}

/* A free place, or one that is of no use. */
static struct known *place_for_key(struct verbs_lane *l)
{
	for (unsigned i = 0; i < VERBS_MAPS; i++) {
		struct known *k = &l->known[(l->next_known + i) % VERBS_MAPS];

		if (k->state != KEY_NONE && k->state != KEY_REFUSED)
			continue;
		l->next_known = (l->next_known + i + 1) % VERBS_MAPS;
		return k;
	}
	return NULL;
}

static void ask_for_key(struct verbs_lane *l, const struct fabric_key *key)
{
	const struct frame f = { .type = FABRIC_WIRE_MAP,
		                 .key = *key,
		                 .last = true };
	struct known *k = place_for_key(l);

	if (!k || lane_control(l->inner, &f, NULL))
		return;
	k->key = *key;
	k->state = KEY_ASKED;
}

static void take_mapped(struct verbs_lane *l, const struct frame *f,
                        const void *body)
{
	struct known *k = find_known(l, &f->key);

	if (!k || k->state != KEY_ASKED)
		return; /* it was unmapped meanwhile */
	k->state = KEY_REFUSED;
	if (f->status == FABRIC_OK &&
	    verbs_codec_decode(body, f->length, &k->map) == 0)
		k->state = KEY_MAPPED;
}

static void take_unmap(struct verbs_lane *l, const struct frame *f)
{
	struct known *k = find_known(l, &f->key);

	if (k)
		k->state = KEY_NONE;
}

/* Whether RDMA may do it; asks for its key if it could. */
static bool by_rdma(struct verbs_lane *l, const struct fabric_op *op)
{
	unsigned right = op->opcode == FABRIC_READ ? FABRIC_RIGHT_READ
	                                           : FABRIC_RIGHT_WRITE;
	struct known *k;

	if (op->opcode != FABRIC_READ &&
	    (op->opcode != FABRIC_WRITE || op->length < VERBS_WRITE_MIN ||
	     op->resent))
		return false;
	if (op->length == 0)
		return false;
	k = find_known(l, &op->key);
	if (!k)
		ask_for_key(l, &op->key);
	return k && k->state == KEY_MAPPED && k->map.rights & right &&
	       verbs_codec_covers(&k->map, op->offset, op->length);
}

/* -- marks ---------------------------------------------------------------- */

/* A request without bytes that has the operation's number. */
static void mark(struct verbs_lane *l, struct fabric_op *m,
                 const struct fabric_op *op)
{
	*m = (struct fabric_op){
		.opcode = op->opcode,
		.class = op->class,
		.key = op->key,
		.offset = op->offset,
		.sequence = op->sequence,
	};
	l->told = op->sequence;
	lane_submit(l->inner, m);
}

static bool is_mark(const struct verbs_lane *l, const struct fabric_op *op)
{
	const char *at = (const char *)op;

	return at >= (const char *)l && at < (const char *)(l + 1);
}

/* -- RDMA ----------------------------------------------------------------- */

static struct one *nth_one(struct verbs_lane *l, unsigned n)
{
	return &l->one[(l->first_one + n) % VERBS_UNDER_WAY];
}

static void take_back(struct one *o)
{
	o->op->refused = true;
	o->status = FABRIC_REVOKED;
}

/* Post the next piece of `o`.  @return false: there is none, or no room. */
static bool post_piece(struct verbs_lane *l, struct one *o)
{
	struct fabric_op *op = o->op;
	struct known *k = find_known(l, &op->key);
	uint64_t length = op->length - o->posted, address;
	struct iovec iov[FABRIC_IOV_MAX];
	unsigned i =
		(unsigned)__builtin_ctz(l->free_pieces | 1u << VERBS_PIECES);
	int part;

	if (op->refused || length == 0 || i == VERBS_PIECES)
		return false;
	if (length > VERBS_PIECE)
		length = VERBS_PIECE;
	part = k && k->state == KEY_MAPPED
	               ? verbs_codec_locate(&k->map, op->offset + o->posted,
	                                    &length, &address)
	               : -1;
	if (part < 0) {
		take_back(o);
		return false;
	}
	if (op->opcode == FABRIC_WRITE) {
		unsigned n = frame_receive_slice(op, o->posted, length, iov);

		if (n == 0) {
			take_back(o);
			return false;
		}
		iov_to_buffer(iov, n, verbs_stream_piece(l->stream, i));
	}
	if (verbs_stream_rdma(l->stream, &l->user, i,
	                      op->opcode == FABRIC_WRITE, address,
	                      k->map.part[part].rkey, (uint32_t)length))
		return false; /* the lane fails for it by itself */
	l->piece[i] = (struct piece){ o, o->posted, (uint32_t)length };
	l->free_pieces &= ~(1u << i);
	o->posted += length;
	o->pieces++;
	return true;
}

static void moved(struct verbs_user *u, unsigned i, int err)
{
	struct verbs_lane *l = container_of(u, struct verbs_lane, user);
	struct piece *p = &l->piece[i];
	struct one *o = p->one;
	struct iovec iov[FABRIC_IOV_MAX];
	unsigned n;

	l->free_pieces |= 1u << i;
	o->pieces--;
	if (err || stopped(l))
		return; /* the frame lane notices */
	o->moved += p->length;
	if (o->op->opcode == FABRIC_READ && !o->op->refused) {
		n = frame_receive_slice(o->op, p->offset, p->length, iov);
		if (n == 0)
			take_back(o);
		else
			iov_from_buffer(iov, n,
			                verbs_stream_piece(l->stream, i));
	}
	work(l);
}

static bool one_ended(const struct one *o)
{
	if (o->marked)
		return o->answered;
	return o->pieces == 0 &&
	       (o->op->refused ||
	        (o->op->opcode == FABRIC_READ && o->moved == o->op->length));
}

/* -- the queue ------------------------------------------------------------ */

static void start_one(struct verbs_lane *l, struct fabric_op *op)
{
	struct one *o = nth_one(l, l->n_ones++);

	op->moved = 0;
	op->refused = false;
	memset(o, 0, sizeof(*o));
	o->op = op;
	l->next = l->next->next;
	/* Numbers must not run away from the target. */
	if (op->opcode == FABRIC_READ && op->sequence - l->told >= UNTOLD_MAX) {
		l->advancing = true;
		mark(l, &l->advance, op);
	}
}

/* Begin what may begin.  @return whether anything did. */
static bool start(struct verbs_lane *l)
{
	bool any = false;

	while (l->next != &l->lane.pending) {
		struct fabric_op *op = op_of(l->next);

		if (l->n_inner == 0 && by_rdma(l, op)) {
			if (l->n_ones == VERBS_UNDER_WAY || l->advancing)
				break;
			start_one(l, op);
		} else {
			/* VB3; with RDMA's own before it, it waits. */
			if (l->n_ones || (l->n_inner && by_rdma(l, op)))
				break;
			l->next = l->next->next;
			list_remove(&op->link);
			l->n_inner++;
			l->told = op->sequence;
			lane_submit(l->inner, op);
		}
		any = true;
	}
	return any;
}

static void post(struct verbs_lane *l)
{
	for (unsigned n = 0; n < l->n_ones; n++) {
		struct one *o = nth_one(l, n);

		while (post_piece(l, o))
			;
		if (o->op->opcode == FABRIC_WRITE && !o->marked &&
		    !o->op->refused && o->posted == o->op->length) {
			o->marked = true;
			mark(l, &o->mark, o->op);
		}
		if (!o->op->refused && o->posted < o->op->length)
			break; /* no room; what is later waits its turn */
	}
}

static void account(struct verbs_lane *l, const struct fabric_op *op)
{
	l->lane.n_pending--;
	l->lane.pending_bytes -= op->length;
	l->lane.stats.ops++;
}

/* The first of those under way, if it has ended. */
static bool finish(struct verbs_lane *l)
{
	struct one *o = nth_one(l, 0);
	struct fabric_op *op = o->op;
	enum fabric_status status = o->status;

	if (l->n_ones == 0 || !one_ended(o))
		return false;
	l->first_one = (l->first_one + 1) % VERBS_UNDER_WAY;
	l->n_ones--;
	list_remove(&op->link);
	account(l, op);
	l->lane.owner->completed(&l->lane, op, status);
	return true;
}

static void work(struct verbs_lane *l)
{
	bool any = true;

	if (l->busy || l->lane.state != LANE_OUTGOING)
		return;
	l->busy = true;
	while (any && !stopped(l)) {
		any = start(l);
		post(l);
		while (!stopped(l) && finish(l))
			any = true;
	}
	l->busy = false;
	free_if_done(l);
}

static void run_task(struct task *t)
{
	struct verbs_lane *l = container_of(t, struct verbs_lane, task);

	l->task_queued = false;
	if (l->gone)
		free_if_done(l);
	else
		work(l);
}

/* -- what the frame lane tells -------------------------------------------- */

static struct verbs_lane *outer(struct lane *inner)
{
	return inner->owner_data;
}

static void inner_up(struct lane *inner)
{
	struct verbs_lane *l = outer(inner);

	l->lane.state = LANE_GREETING;
	l->lane.owner->up(&l->lane);
}

static void inner_control(struct lane *inner, const struct frame *f,
                          const void *body)
{
	struct verbs_lane *l = outer(inner);

	switch ((unsigned)f->type) {
	case FABRIC_WIRE_MAP:
		verbs_serve_map(l, f);
		return;
	case FABRIC_WIRE_MAPPED:
		take_mapped(l, f, body);
		queue_work(l);
		return;
	case FABRIC_WIRE_UNMAP:
		take_unmap(l, f);
		queue_work(l);
		return;
	default:
		l->lane.owner->control(&l->lane, f, body);
	}
}

static void end_mark(struct verbs_lane *l, const struct fabric_op *m,
                     enum fabric_status status)
{
	struct one *o;

	if (m == &l->advance) {
		l->advancing = false;
		return;
	}
	o = container_of(m, struct one, mark);
	o->answered = true;
	if (o->status == FABRIC_OK)
		o->status = status;
}

static void inner_completed(struct lane *inner, struct fabric_op *op,
                            enum fabric_status status)
{
	struct verbs_lane *l = outer(inner);

	if (is_mark(l, op)) {
		end_mark(l, op, status);
		queue_work(l);
		return;
	}
	l->n_inner--;
	account(l, op);
	if (l->n_inner == 0)
		queue_work(l);
	l->lane.owner->completed(&l->lane, op, status);
}

static void gather(struct lane *lane)
{
	struct verbs_lane *l = container_of(lane, struct verbs_lane, lane);
	struct list all;

	list_init(&all);
	LIST_FOREACH (link, &l->inner->pending) {
		list_remove(link);
		if (!is_mark(l, op_of(link)))
			list_append(&all, link);
	}
	list_splice(&all, &lane->pending);
	list_splice(&lane->pending, &all);
	l->n_inner = l->n_ones = 0;
	l->next = &lane->pending;
}

static void inner_failed(struct lane *inner, int err)
{
	struct verbs_lane *l = outer(inner);

	l->lane.state = LANE_FAILED;
	l->lane.stats.bad_frames = inner->stats.bad_frames;
	gather(&l->lane);
	l->lane.owner->failed(&l->lane, err);
}

static const struct lane_owner inner_owner = {
	.up = inner_up,
	.control = inner_control,
	.completed = inner_completed,
	.failed = inner_failed,
};

/* -- the lane's operations ------------------------------------------------ */

static struct verbs_lane *verbs_of(struct lane *l)
{
	return container_of(l, struct verbs_lane, lane);
}

static int vl_open(struct lane *lane, struct target *target)
{
	struct verbs_lane *l = verbs_of(lane);
	int err;

	if (target)
		l->granted = calloc(VERBS_MAPS, sizeof(*l->granted));
	else
		l->known = calloc(VERBS_MAPS, sizeof(*l->known));
	if (!l->granted && !l->known)
		return -ENOMEM;
	err = verbs_stream_grow(l->stream, !target);
	l->inner->class = lane->class;
	if (!err)
		err = lane_open(l->inner, target);
	if (err)
		return err;
	l->target = target;
	lane->state = l->inner->state;
	return 0;
}

static int vl_control(struct lane *lane, const struct frame *f,
                      const void *body)
{
	return lane_control(verbs_of(lane)->inner, f, body);
}

static void vl_submit(struct lane *lane, struct fabric_op *op)
{
	struct verbs_lane *l = verbs_of(lane);

	list_append(&lane->pending, &op->link);
	lane->n_pending++;
	lane->pending_bytes += op->length;
	if (l->next == &lane->pending)
		l->next = &op->link;
	if (!l->busy)
		queue_work(l);
}

static uint64_t vl_unacknowledged(struct lane *lane)
{
	struct lane *inner = verbs_of(lane)->inner;

	return inner->ops->unacknowledged(inner);
}

static int vl_addresses(struct lane *lane, struct sockaddr_storage *local,
                        struct sockaddr_storage *peer)
{
	struct lane *inner = verbs_of(lane)->inner;

	return inner->ops->addresses(inner, local, peer);
}

static void vl_revoked(struct lane *lane, const struct fabric_key *key)
{
	verbs_serve_revoked(verbs_of(lane), key);
}

static void vl_destroy(struct lane *lane)
{
	struct verbs_lane *l = verbs_of(lane);

	assert(list_empty(&lane->pending));
	gather(lane); /* marks */
	assert(list_empty(&lane->pending));
	/* First the queue pair, then what it may use, then its domain. */
	verbs_stream_cut(l->stream);
	verbs_serve_end(l);
	lane_destroy(l->inner);
	l->gone = true;
	free_if_done(l);
}

static const struct lane_ops verbs_lane_ops = {
	.scheme = FABRIC_VERBS,
	.open = vl_open,
	.control = vl_control,
	.submit = vl_submit,
	.gather = gather,
	.unacknowledged = vl_unacknowledged,
	.addresses = vl_addresses,
	.revoked = vl_revoked,
	.destroy = vl_destroy,
};

int verbs_lane_create(struct reactor *r, struct stream *s, bool connecting,
                      struct lane **out)
{
	struct verbs_lane *l = calloc(1, sizeof(*l));
	int err;

	if (!l) {
		stream_destroy(s);
		return -ENOMEM;
	}
	err = frame_lane_create(r, s, connecting, &l->inner);
	if (err) {
		free(l);
		return err;
	}
	l->stream = s;
	l->inner->owner = &inner_owner;
	l->inner->owner_data = l;
	l->lane.ops = &verbs_lane_ops;
	l->lane.reactor = r;
	l->lane.state = l->inner->state;
	l->lane.heard_ns = reactor_now_ns(r);
	list_init(&l->lane.pending);
	l->next = &l->lane.pending;
	l->free_pieces = (1u << VERBS_PIECES) - 1;
	l->user.moved = moved;
	l->task.run = run_task;
	verbs_stream_count(s, &l->lane);
	*out = &l->lane;
	return 0;
}
