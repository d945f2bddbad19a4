/* SPDX-License-Identifier: BSD-2-Clause */
#include "fabric/target.h"

#include "base/base.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

/* What is remembered of a request that was executed. */
struct slot {
	uint64_t sequence; /* 0: none */
	uint64_t result;
	enum fabric_status status;
};

struct memory {
	uint64_t highest; /* number that was seen */
	struct slot slots[SESSION_WINDOW];
};

struct target {
	const struct fabric_service *service;
	struct fabric_peer *from;
	struct target_stats stats;
	struct memory memory[FABRIC_CLASSES];
};

struct target *target_create(const struct fabric_service *service,
                             struct fabric_peer *from)
{
	struct target *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->service = service;
	t->from = from;
	return t;
}

void target_destroy(struct target *t)
{
	free(t);
}

void target_stats(const struct target *t, struct target_stats *out)
{
	*out = t->stats;
}

struct fabric_peer *target_peer(const struct target *t)
{
	return t->from;
}

const struct fabric_service *target_service(const struct target *t)
{
	return t->service;
}

static struct slot *slot_of(struct target *t, enum fabric_class class,
                            uint64_t sequence)
{
	return &t->memory[class].slots[sequence % SESSION_WINDOW];
}

static unsigned rights_of(enum fabric_opcode opcode)
{
	switch (opcode) {
	case FABRIC_READ:
		return FABRIC_RIGHT_READ;
	case FABRIC_WRITE:
	case FABRIC_WRITE_IMM:
		return FABRIC_RIGHT_WRITE;
	case FABRIC_CAS:
	case FABRIC_FAA:
		return FABRIC_RIGHT_ATOMIC;
	case FABRIC_SEND:
		break;
	}
	return 0;
}

static enum fabric_opcode opcode_of(const struct target_request *q)
{
	return (enum fabric_opcode)q->first.type; /* the numbers are the same */
}

static bool is_atomic(const struct target_request *q)
{
	return opcode_of(q) == FABRIC_CAS || opcode_of(q) == FABRIC_FAA;
}

/* Bytes of the region that the whole request is about. */
static uint64_t length_of(const struct target_request *q)
{
	return is_atomic(q) ? 8 : q->first.total;
}

static enum fabric_status locate(struct target *t,
                                 const struct target_request *q,
                                 uint64_t offset, uint64_t length,
                                 struct iovec *out, unsigned *n)
{
	return t->service->access(t->service->ctx, t->from, &q->first.key,
	                          rights_of(opcode_of(q)), offset, length, out,
	                          n);
}

/* G1, G2 */
static int look_up(struct target *t, struct target_request *q)
{
	struct memory *m = &t->memory[q->class];
	uint64_t number = q->first.sequence;
	struct slot *s = slot_of(t, q->class, number);

	/* Neither sum can wrap: no peer counts that far. */
	if (number + SESSION_WINDOW <= m->highest ||
	    number > m->highest + SESSION_WINDOW || s->sequence > number)
		return -EPROTO;
	if (number > m->highest)
		m->highest = number;
	if (s->sequence == number && opcode_of(q) != FABRIC_READ) {
		q->repeated = true;
		q->status = s->status;
		q->result = s->result;
		t->stats.repeated++;
	}
	return 0;
}

int target_begin(struct target *t, enum fabric_class class,
                 const struct frame *f, struct target_request *q)
{
	int err;

	*q = (struct target_request){ .first = *f, .class = class };
	err = look_up(t, q);
	if (err)
		return err;
	t->stats.requests++;
	if (q->repeated || f->type == FABRIC_WIRE_SEND)
		return 0;
	if (f->offset > UINT64_MAX - length_of(q))
		q->status = FABRIC_RANGE;
	/* One piece is looked at when it moves; of several none moves if the
	 * whole is not allowed. */
	else if (length_of(q) == 0 || length_of(q) > FABRIC_PIECE)
		q->status = locate(t, q, f->offset, length_of(q), NULL, NULL);
	return 0;
}

bool target_place(struct target *t, struct target_request *q, uint32_t length,
                  struct iovec out[FABRIC_ACCESS_IOV], unsigned *n)
{
	assert(length > 0 && length <= FABRIC_PIECE);
	if (q->repeated || q->status != FABRIC_OK)
		return false;
	q->status = locate(t, q, q->first.offset + q->done, length, out, n);
	return q->status == FABRIC_OK;
}

/* On memory that other processes share. */
static void execute_atomic(struct target *t, struct target_request *q)
{
	struct iovec at[FABRIC_ACCESS_IOV];
	unsigned n = FABRIC_ACCESS_IOV;
	uint64_t *word;

	if (q->first.offset % 8) {
		q->status = FABRIC_RANGE;
		return;
	}
	if (!target_place(t, q, 8, at, &n))
		return;
	word = at[0].iov_base;
	if (n != 1 || at[0].iov_len != 8 || (uintptr_t)word % 8) {
		q->status = FABRIC_RANGE; /* across two ranges of a key */
		return;
	}
	if (opcode_of(q) == FABRIC_FAA) {
		q->result = __atomic_fetch_add(word, q->first.total,
		                               __ATOMIC_SEQ_CST);
	} else {
		q->result = q->first.total;
		__atomic_compare_exchange_n(word, &q->result, q->first.operand,
		                            false, __ATOMIC_SEQ_CST,
		                            __ATOMIC_SEQ_CST);
	}
	target_placed(q, 8);
}

static void execute(struct target *t, struct target_request *q,
                    const void *body)
{
	const struct fabric_service *s = t->service;

	if (is_atomic(q))
		execute_atomic(t, q);
	if (opcode_of(q) == FABRIC_SEND && q->status == FABRIC_OK)
		q->status = s->received(s->ctx, t->from, q->class, body,
		                        q->first.length);
	if (opcode_of(q) == FABRIC_WRITE_IMM && q->status == FABRIC_OK)
		s->immediate(s->ctx, t->from, &q->first.key, q->first.immediate,
		             q->first.offset, q->first.total);
}

static void count(struct target *t, const struct target_request *q)
{
	const struct fabric_service *s = t->service;

	if (opcode_of(q) == FABRIC_READ)
		t->stats.bytes_read += q->done;
	else
		t->stats.bytes_written += q->done;
	if (q->status != FABRIC_OK)
		t->stats.refused++;
	s->finished(s->ctx, t->from, &q->first.key, opcode_of(q), length_of(q),
	            q->status);
}

void target_end(struct target *t, struct target_request *q, const void *body,
                struct frame *answer)
{
	if (!q->repeated) {
		execute(t, q, body);
		if (opcode_of(q) != FABRIC_READ)
			*slot_of(t, q->class, q->first.sequence) =
				(struct slot){ q->first.sequence, q->result,
				               q->status };
		count(t, q);
	}
	*answer = (struct frame){ .type = FABRIC_WIRE_ANSWER,
		                  .last = true,
		                  .status = q->status,
		                  .sequence = q->first.sequence,
		                  .total = q->result };
}

void target_abandon(struct target *t, struct target_request *q)
{
	if (!q->repeated && q->status == FABRIC_OK) {
		q->status = FABRIC_PEER_LOST;
		count(t, q);
	}
}
