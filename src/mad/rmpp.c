/* SPDX-License-Identifier: BSD-2-Clause */
#include "mad/rmpp.h"

#include "base/base.h"

#include <errno.h>

#define NO_RESPONSE_TIME (31u << 3)

static const struct rmpp_header *header_of(const struct mad *m)
{
	return &((const struct sa_mad *)m)->rmpp;
}

/* -- ACK and ABORT --------------------------------------------------------- */

/* What goes back to whom `m` came from; its response bit is the other one. */
static void make_reply(const struct mad *m, enum rmpp_type type,
                       enum rmpp_status status, uint32_t data1, uint32_t data2,
                       struct mad *out)
{
	struct sa_mad *s = mad_sa(out);

	*out = *m;
	memset(s->data, 0, sizeof(s->data));
	s->header.method ^= MAD_METHOD_RESPONSE;
	s->rmpp = (struct rmpp_header){
		.version = RMPP_VERSION,
		.type = (uint8_t)type,
		.flags = NO_RESPONSE_TIME | RMPP_ACTIVE,
		.status = (uint8_t)status,
		.data1 = be32_put(data1),
		.data2 = be32_put(data2),
	};
}

void rmpp_make_abort(const struct mad *m, enum rmpp_status status,
                     struct mad *out)
{
	make_reply(m, RMPP_ABORT, status, 0, 0, out);
}

void rmpp_make_ack(const struct mad *m, uint32_t last, uint32_t window_last,
                   struct mad *out)
{
	make_reply(m, RMPP_ACK, RMPP_NORMAL, last, window_last, out);
}

const char *rmpp_status_words(uint8_t status)
{
	switch ((enum rmpp_status)status) {
	case RMPP_NORMAL:
		return "normal";
	case RMPP_RESOURCES_EXHAUSTED:
		return "resources exhausted";
	case RMPP_TIMEOUT:
		return "transaction took too long";
	case RMPP_BAD_LENGTH:
		return "inconsistent payload length";
	case RMPP_BAD_FIRST:
		return "inconsistent first segment";
	case RMPP_BAD_TYPE:
		return "bad type";
	case RMPP_WINDOW_TOO_SMALL:
		return "window too small";
	case RMPP_SEGMENT_TOO_BIG:
		return "segment number too big";
	case RMPP_ILLEGAL_STATUS:
		return "illegal status";
	case RMPP_BAD_VERSION:
		return "version not supported";
	case RMPP_TOO_MANY_RETRIES:
		return "too many retries";
	case RMPP_UNSPECIFIED:
		return "unspecified";
	}
	return "?";
}

/* -- sending --------------------------------------------------------------- */

int rmpp_sender_init(struct rmpp_sender *s, const struct mad *head,
                     const void *data, size_t length)
{
	if (length > RMPP_LENGTH_MAX)
		return -EMSGSIZE;
	*s = (struct rmpp_sender){
		.head = *head,
		.data = data,
		.length = length,
		.next = 1,
		.window_last = 1,
		.rewound = UINT32_MAX,
	};
	s->n_segments =
		(uint32_t)((length + SA_DATA_LENGTH - 1) / SA_DATA_LENGTH);
	if (!s->n_segments)
		s->n_segments = 1;
	return 0;
}

/* Payload counts the SA header of each segment. */
static uint32_t payload_of(const struct rmpp_sender *s, uint32_t segment,
                           size_t length)
{
	if (segment == s->n_segments)
		return SA_HEADER_LENGTH + (uint32_t)length;
	if (segment == 1)
		return s->n_segments * SA_HEADER_LENGTH + (uint32_t)s->length;
	return 0;
}

bool rmpp_sender_next(struct rmpp_sender *s, struct mad *out)
{
	struct sa_mad *m = mad_sa(out);
	uint32_t segment = s->next;
	size_t offset = (size_t)(segment - 1) * SA_DATA_LENGTH;
	size_t length;
	unsigned flags = RMPP_ACTIVE;

	if (segment > s->n_segments || segment > s->window_last)
		return false;
	length = s->length - offset;
	if (length > SA_DATA_LENGTH)
		length = SA_DATA_LENGTH;
	flags |= segment == 1 ? RMPP_FIRST : 0;
	flags |= segment == s->n_segments ? RMPP_LAST : 0;
	*out = s->head;
	m->rmpp = (struct rmpp_header){
		.version = RMPP_VERSION,
		.type = RMPP_DATA,
		.flags = (uint8_t)(NO_RESPONSE_TIME | flags),
		.data1 = be32_put(segment),
		.data2 = be32_put(payload_of(s, segment, length)),
	};
	memset(m->data, 0, sizeof(m->data));
	if (length)
		memcpy(m->data, s->data + offset, length);
	s->next++;
	return true;
}

static enum rmpp_event acked(struct rmpp_sender *s, uint32_t last,
                             uint32_t window_last)
{
	if (window_last > s->window_last)
		s->window_last = window_last;
	if (last == s->n_segments)
		return RMPP_COMPLETE;
	if (last > s->acked) {
		s->acked = last;
		if (s->next <= last) /* it had started again */
			s->next = last + 1;
		return RMPP_PROGRESS;
	}
	/* The same ACK again: what follows it was lost.  Once for each. */
	if (last < s->acked || s->next == last + 1 || s->rewound == last)
		return RMPP_NOTHING;
	s->rewound = last;
	s->next = last + 1;
	return RMPP_PROGRESS;
}

enum rmpp_event rmpp_sender_receive(struct rmpp_sender *s, const struct mad *m,
                                    struct mad *reply, bool *replies)
{
	const struct rmpp_header *h = header_of(m);
	uint32_t last = be32_get(h->data1), window_last = be32_get(h->data2);
	enum rmpp_status bad = RMPP_NORMAL;

	*replies = false;
	if (h->type == RMPP_STOP || h->type == RMPP_ABORT) {
		s->status = h->status;
		return RMPP_FAILED;
	}
	if (h->version != RMPP_VERSION)
		bad = RMPP_BAD_VERSION;
	else if (h->type != RMPP_ACK)
		bad = RMPP_BAD_TYPE;
	else if (h->status != RMPP_NORMAL)
		bad = RMPP_ILLEGAL_STATUS;
	else if (window_last < last)
		bad = RMPP_WINDOW_TOO_SMALL;
	else if (last > s->acked && last > s->window_last)
		bad = RMPP_SEGMENT_TOO_BIG;
	else if (last > s->n_segments)
		bad = RMPP_SEGMENT_TOO_BIG;
	if (bad == RMPP_NORMAL)
		return acked(s, last, window_last);
	s->status = (uint8_t)bad;
	rmpp_make_abort(m, bad, reply);
	*replies = true;
	return RMPP_FAILED;
}

void rmpp_sender_rewind(struct rmpp_sender *s)
{
	s->next = s->acked + 1;
	s->rewound = UINT32_MAX;
}

/* -- receiving ------------------------------------------------------------- */

void rmpp_receiver_init(struct rmpp_receiver *r, size_t max)
{
	assert(max <= RMPP_LENGTH_MAX);
	*r = (struct rmpp_receiver){ .max = max, .window_last = 1 };
}

void rmpp_receiver_fini(struct rmpp_receiver *r)
{
	free(r->data);
	r->data = NULL;
	r->length = r->room = 0;
}

/* Room for the next segment: twice what there is, so that growing costs as
 * much as what has arrived. */
static bool grow(struct rmpp_receiver *r, size_t length)
{
	size_t room = r->room ? 2 * r->room : 4 * SA_DATA_LENGTH;
	uint8_t *data;

	if (length > r->max)
		return false;
	if (length <= r->room)
		return true;
	if (room > r->max)
		room = r->max;
	data = realloc(r->data, room);
	if (!data)
		return false;
	r->data = data;
	r->room = room;
	return true;
}

static enum rmpp_status append(struct rmpp_receiver *r, const struct mad *m)
{
	const struct sa_mad *s = (const struct sa_mad *)m;
	uint32_t payload = be32_get(s->rmpp.data2);
	size_t n = SA_DATA_LENGTH;

	if (rmpp_flags(m) & RMPP_LAST) {
		if (payload < SA_HEADER_LENGTH ||
		    payload > SA_HEADER_LENGTH + SA_DATA_LENGTH)
			return RMPP_BAD_LENGTH;
		n = payload - SA_HEADER_LENGTH;
	}
	if (!grow(r, r->length + n))
		return RMPP_RESOURCES_EXHAUSTED;
	if (n)
		memcpy(r->data + r->length, s->data, n);
	r->length += n;
	if (r->last == 0)
		r->head = *m;
	r->last++;
	return RMPP_NORMAL;
}

static enum rmpp_status check_segment(const struct mad *m)
{
	const struct rmpp_header *h = header_of(m);
	uint32_t segment = be32_get(h->data1);
	bool first = rmpp_flags(m) & RMPP_FIRST;

	if (h->version != RMPP_VERSION)
		return RMPP_BAD_VERSION;
	if (h->type != RMPP_DATA)
		return RMPP_BAD_TYPE;
	if (h->status != RMPP_NORMAL)
		return RMPP_ILLEGAL_STATUS;
	return first == (segment == 1) && segment ? RMPP_NORMAL
	                                          : RMPP_BAD_FIRST;
}

enum rmpp_event rmpp_receiver_receive(struct rmpp_receiver *r,
                                      const struct mad *m, struct mad *reply,
                                      bool *replies)
{
	const struct rmpp_header *h = header_of(m);
	enum rmpp_status bad;
	bool is_last = rmpp_flags(m) & RMPP_LAST;

	*replies = false;
	if (h->type == RMPP_STOP || h->type == RMPP_ABORT) {
		r->status = h->status;
		return RMPP_FAILED;
	}
	if (h->type == RMPP_ACK)
		return RMPP_NOTHING;
	bad = check_segment(m);
	if (bad == RMPP_NORMAL && be32_get(h->data1) != r->last + 1) {
		*replies = true;
		rmpp_make_ack(m, r->last, r->window_last, reply);
		return RMPP_NOTHING;
	}
	if (bad == RMPP_NORMAL)
		bad = append(r, m);
	if (bad != RMPP_NORMAL) {
		r->status = (uint8_t)bad;
		rmpp_make_abort(m, bad, reply);
		*replies = true;
		return RMPP_FAILED;
	}
	if (is_last || r->last == r->window_last) {
		r->window_last = r->last + RMPP_WINDOW;
		rmpp_make_ack(m, r->last, r->window_last, reply);
		*replies = true;
	}
	return is_last ? RMPP_COMPLETE : RMPP_PROGRESS;
}
