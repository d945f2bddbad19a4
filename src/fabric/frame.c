/* SPDX-License-Identifier: BSD-2-Clause */
#include "fabric/frame.h"

#include "base/base.h"
#include "base/crc.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

/* Fields that a type may use; all others are zero on the wire. */
enum {
	HAS_SEQUENCE = 1 << 0,
	HAS_KEY = 1 << 1, /* and offset */
	HAS_OFFSET = 1 << 2,
	HAS_TOTAL = 1 << 3,
	HAS_OPERAND = 1 << 4,
	HAS_IMMEDIATE = 1 << 5,
	HAS_STATUS = 1 << 6,
	HAS_LAST = 1 << 7,  /* may be set */
	IS_SINGLE = 1 << 8, /* LAST always is */
};

static const struct rule {
	uint16_t fields; /* 0: no such type */
	uint32_t body_min;
	uint32_t body_max;
} rules[] = {
	[FABRIC_WIRE_SEND] = { HAS_SEQUENCE | HAS_TOTAL | IS_SINGLE |
	                               HAS_STATUS,
	                       0, FABRIC_WIRE_BODY_MAX },
	[FABRIC_WIRE_READ] = { HAS_SEQUENCE | HAS_KEY | HAS_OFFSET | HAS_TOTAL |
	                               IS_SINGLE,
	                       0, 0 },
	[FABRIC_WIRE_WRITE] = { HAS_SEQUENCE | HAS_KEY | HAS_OFFSET |
	                                HAS_TOTAL | HAS_LAST | HAS_STATUS,
	                        0, FABRIC_WIRE_BODY_MAX },
	[FABRIC_WIRE_WRITE_IMM] = { HAS_SEQUENCE | HAS_KEY | HAS_OFFSET |
	                                    HAS_TOTAL | HAS_LAST |
	                                    HAS_IMMEDIATE | HAS_STATUS,
	                            0, FABRIC_WIRE_BODY_MAX },
	[FABRIC_WIRE_CAS] = { HAS_SEQUENCE | HAS_KEY | HAS_OFFSET | HAS_TOTAL |
	                              HAS_OPERAND | IS_SINGLE,
	                      0, 0 },
	[FABRIC_WIRE_FAA] = { HAS_SEQUENCE | HAS_KEY | HAS_OFFSET | HAS_TOTAL |
	                              IS_SINGLE,
	                      0, 0 },
	[FABRIC_WIRE_ANSWER] = { HAS_SEQUENCE | HAS_OFFSET | HAS_TOTAL |
	                                 HAS_STATUS | HAS_LAST,
	                         0, FABRIC_WIRE_BODY_MAX },
	[FABRIC_WIRE_AUTH] = { IS_SINGLE, 1, FABRIC_WIRE_CONTROL_MAX },
	[FABRIC_WIRE_JOIN] = { IS_SINGLE, sizeof(struct fabric_wire_join),
	                       FABRIC_WIRE_CONTROL_MAX },
	[FABRIC_WIRE_JOINED] = { IS_SINGLE, sizeof(struct fabric_wire_join),
	                         FABRIC_WIRE_CONTROL_MAX },
	[FABRIC_WIRE_REFUSED] = { IS_SINGLE | HAS_STATUS, 0, 0 },
	[FABRIC_WIRE_PING] = { IS_SINGLE | HAS_SEQUENCE, 0, 0 },
	[FABRIC_WIRE_PONG] = { IS_SINGLE | HAS_SEQUENCE, 0, 0 },
	[FABRIC_WIRE_FENCE] = { IS_SINGLE, 8, 8 * FABRIC_WIRE_FENCES },
	[FABRIC_WIRE_FENCED] = { IS_SINGLE, 8, 8 * FABRIC_WIRE_FENCES },
	[FABRIC_WIRE_MAP] = { IS_SINGLE | HAS_SEQUENCE | HAS_KEY | HAS_OFFSET |
	                              HAS_TOTAL | HAS_STATUS,
	                      0, FABRIC_WIRE_CONTROL_MAX },
	[FABRIC_WIRE_MAPPED] = { IS_SINGLE | HAS_SEQUENCE | HAS_KEY |
	                                 HAS_OFFSET | HAS_TOTAL | HAS_STATUS,
	                         0, FABRIC_WIRE_CONTROL_MAX },
	[FABRIC_WIRE_UNMAP] = { IS_SINGLE | HAS_SEQUENCE | HAS_KEY, 0, 0 },
};

bool frame_is_request(const struct frame *f)
{
	return f->type <= FABRIC_WIRE_FAA;
}

void frame_encode(const struct frame *f, struct fabric_wire_header *out)
{
	out->type = (uint8_t)f->type;
	out->flags = f->last ? FABRIC_WIRE_LAST : 0;
	out->status = le16_put((uint16_t)f->status);
	out->length = le32_put(f->length);
	out->sequence = le64_put(f->sequence);
	memcpy(out->key, f->key.byte, sizeof(out->key));
	out->offset = le64_put(f->offset);
	out->total = le64_put(f->total);
	out->operand = le64_put(f->operand);
	out->immediate = le32_put(f->immediate);
	out->crc = le32_put(
		base_crc32c(0, out, offsetof(struct fabric_wire_header, crc)));
}

static bool fields_allowed(const struct frame *f, unsigned fields)
{
	static const struct fabric_key none;

	return (fields & HAS_STATUS || f->status == FABRIC_OK) &&
	       (fields & HAS_SEQUENCE || f->sequence == 0) &&
	       (fields & HAS_OFFSET || f->offset == 0) &&
	       (fields & HAS_TOTAL || f->total == 0) &&
	       (fields & HAS_OPERAND || f->operand == 0) &&
	       (fields & HAS_IMMEDIATE || f->immediate == 0) &&
	       (fields & HAS_KEY ||
	        memcmp(&f->key, &none, sizeof(none)) == 0) &&
	       (fields & IS_SINGLE ? f->last : fields & HAS_LAST || !f->last);
}

/* Beyond its type: what only a request's numbers can have wrong. */
static bool request_sane(const struct frame *f)
{
	if (!frame_is_request(f))
		return true;
	if (f->sequence == 0)
		return false;
	if (f->type == FABRIC_WIRE_SEND)
		return f->total == f->length;
	if (f->type == FABRIC_WIRE_READ)
		return f->total <= FABRIC_LENGTH_MAX &&
		       f->offset <= UINT64_MAX - f->total;
	if (f->type == FABRIC_WIRE_WRITE || f->type == FABRIC_WIRE_WRITE_IMM)
		return f->total <= FABRIC_LENGTH_MAX && f->length <= f->total &&
		       f->offset <= UINT64_MAX - f->length;
	return f->offset <= UINT64_MAX - 8;
}

int frame_decode(const struct fabric_wire_header *in, struct frame *out)
{
	uint32_t crc =
		base_crc32c(0, in, offsetof(struct fabric_wire_header, crc));
	const struct rule *rule;
	struct frame f;

	if (crc != le32_get(in->crc) || in->type >= ARRAY_LEN(rules) ||
	    in->flags & ~FABRIC_WIRE_LAST ||
	    le16_get(in->status) >= FABRIC_STATUSES)
		return -EBADMSG;
	rule = &rules[in->type];
	f.type = (enum fabric_wire_type)in->type;
	f.last = in->flags & FABRIC_WIRE_LAST;
	f.status = (enum fabric_status)le16_get(in->status);
	f.length = le32_get(in->length);
	f.sequence = le64_get(in->sequence);
	memcpy(f.key.byte, in->key, sizeof(f.key.byte));
	f.offset = le64_get(in->offset);
	f.total = le64_get(in->total);
	f.operand = le64_get(in->operand);
	f.immediate = le32_get(in->immediate);
	if (!rule->fields || f.length < rule->body_min ||
	    f.length > rule->body_max || !fields_allowed(&f, rule->fields) ||
	    !request_sane(&f))
		return -EBADMSG;
	*out = f;
	return 0;
}

/* -- bodies --------------------------------------------------------------- */

static void encode_address(const struct fabric_address *a,
                           struct fabric_wire_address *out)
{
	*out = (struct fabric_wire_address){
		.scheme = (uint8_t)a->scheme,
		.port = le16_put(a->port),
	};
	memcpy(out->ip, a->ip, sizeof(out->ip));
}

static bool decode_address(const struct fabric_wire_address *in,
                           struct fabric_address *a)
{
	static const uint8_t none[16];

	if (in->scheme < FABRIC_TCP || in->scheme > FABRIC_SIM || in->reserved)
		return false;
	*a = (struct fabric_address){
		.scheme = (enum fabric_scheme)in->scheme,
		.port = le16_get(in->port),
	};
	memcpy(a->ip, in->ip, sizeof(a->ip));
	a->any = in->scheme != FABRIC_SIM &&
	         memcmp(a->ip, none, sizeof(none)) == 0;
	return true;
}

size_t frame_encode_join(const struct frame_join *j,
                         uint8_t out[FABRIC_WIRE_CONTROL_MAX])
{
	struct fabric_wire_join *w = (struct fabric_wire_join *)out;
	struct fabric_wire_address *a = (struct fabric_wire_address *)(w + 1);

	assert(j->n_addresses <= FABRIC_WIRE_ADDRESSES);
	*w = (struct fabric_wire_join){
		.class = (uint8_t)j->class,
		.n_addresses = (uint8_t)j->n_addresses,
		.window = le32_put(j->window),
		.epoch = le64_put(j->epoch),
		.lane = le64_put(j->lane),
	};
	for (unsigned i = 0; i < j->n_addresses; i++)
		encode_address(&j->address[i], &a[i]);
	return sizeof(*w) + j->n_addresses * sizeof(*a);
}

int frame_decode_join(const void *in, size_t length, struct frame_join *out)
{
	const struct fabric_wire_join *w = in;
	const struct fabric_wire_address *a = (const void *)(w + 1);
	struct frame_join j = { 0 };

	if (length < sizeof(*w) || w->n_addresses > FABRIC_WIRE_ADDRESSES ||
	    length != sizeof(*w) + w->n_addresses * sizeof(*a) ||
	    w->class >= FABRIC_CLASSES || le16_get(w->zero))
		return -EBADMSG;
	j.class = (enum fabric_class)w->class;
	j.window = le32_get(w->window);
	j.epoch = le64_get(w->epoch);
	j.lane = le64_get(w->lane);
	j.n_addresses = w->n_addresses;
	for (unsigned i = 0; i < j.n_addresses; i++)
		if (!decode_address(&a[i], &j.address[i]))
			return -EBADMSG;
	*out = j;
	return 0;
}

size_t frame_encode_fence(const uint64_t *lanes, unsigned n,
                          uint8_t out[FABRIC_WIRE_CONTROL_MAX])
{
	le64 *w = (le64 *)out;

	assert(n > 0 && n <= FABRIC_WIRE_FENCES);
	for (unsigned i = 0; i < n; i++)
		w[i] = le64_put(lanes[i]);
	return n * sizeof(*w);
}

int frame_decode_fence(const void *in, size_t length,
                       uint64_t lanes[FABRIC_WIRE_FENCES])
{
	const le64 *w = in;
	size_t n = length / sizeof(*w);

	if (length % sizeof(*w) || n == 0 || n > FABRIC_WIRE_FENCES)
		return -EBADMSG;
	for (size_t i = 0; i < n; i++)
		lanes[i] = le64_get(w[i]);
	return (int)n;
}
