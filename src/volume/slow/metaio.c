/* SPDX-License-Identifier: BSD-2-Clause */
#include "volume/slow/metaio.h"

#include "base/base.h"
#include "volume/slow/slow_priv.h"

#include <assert.h>
#include <errno.h>

/* A tag: life, sequence of the slot, slot. */
#define SLOT_BITS 8u
#define SEQUENCE_BITS 24u
static_assert(HANDOFF_META_DEPTH == 1u << SLOT_BITS, "a slot fits its bits");

static uint64_t make_tag(const struct metaio *m, unsigned slot)
{
	return (uint64_t)m->life << 32 |
	       (uint64_t)(m->sequence[slot] & ((1u << SEQUENCE_BITS) - 1))
	               << SLOT_BITS |
	       slot;
}

void metaio_init(struct metaio *m, uint32_t life)
{
	memset(m, 0, sizeof(*m));
	m->life = life;
	list_init(&m->queue);
	for (unsigned i = 0; i < HANDOFF_META_DEPTH; i++)
		m->unused[m->n_unused++] = (uint16_t)i;
}

static void send(struct slow *s, struct metaio_request *q)
{
	struct metaio *m = &s->metaio;
	unsigned slot = m->unused[--m->n_unused];
	const struct handoff_reply r = {
		.kind = HANDOFF_META_IO,
		.tag = make_tag(m, slot),
		.opcode = q->op,
		.drive = q->drive,
		.flags = q->flags,
		.offset = q->offset,
		.length = q->length,
		.arena = q->arena,
	};

	m->slot[slot] = q;
	slow_push(s, 0, &r);
}

void metaio_submit(struct slow *s, struct metaio_request *q)
{
	struct metaio *m = &s->metaio;

	list_init(&q->link);
	if (m->n_unused)
		send(s, q);
	else
		list_append(&m->queue, &q->link);
}

bool metaio_answer(struct slow *s, const struct handoff_request *r)
{
	struct metaio *m = &s->metaio;
	unsigned slot = r->tag & ((1u << SLOT_BITS) - 1);
	struct metaio_request *q = m->slot[slot];
	struct list *next;

	if (!q || r->tag != make_tag(m, slot))
		return false;
	m->slot[slot] = NULL;
	m->sequence[slot]++;
	m->unused[m->n_unused++] = (uint16_t)slot;
	next = list_pop(&m->queue);
	if (next)
		send(s, list_entry(next, struct metaio_request, link));
	q->done(q, handoff_status_errno(r->reason));
	return true;
}

/* -- fans ----------------------------------------------------------------- */

static void fan_ended(struct task *t)
{
	struct metaio_fan *f = container_of(t, struct metaio_fan, task);

	f->done(f);
}

static void fan_put(struct metaio_fan *f)
{
	if (--f->left == 0) {
		f->task.run = fan_ended;
		task_defer(f->slow->reactor, &f->task);
	}
}

static void part_done(struct metaio_request *q, int err)
{
	struct metaio_part *part = container_of(q, struct metaio_part, request);
	struct metaio_fan *f = part->fan;

	if (err)
		f->failed |= 1u << part->member;
	fan_put(f);
}

void metaio_fan_begin(struct slow *s, struct metaio_fan *f,
                      void (*done)(struct metaio_fan *f))
{
	f->slow = s;
	f->done = done;
	f->failed = 0;
	f->n = 0;
	f->left = 1;
}

void metaio_fan_add(struct metaio_fan *f, unsigned member,
                    const struct metaio_request *q)
{
	assert(f->n < METAIO_FAN);
	f->part[f->n].request = *q;
	f->part[f->n].request.done = part_done;
	f->part[f->n].fan = f;
	f->part[f->n].member = (uint8_t)member;
	f->left++;
	metaio_submit(f->slow, &f->part[f->n++].request);
}

void metaio_fan_end(struct metaio_fan *f)
{
	fan_put(f);
}
