/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mad/rmpp - multi-packet SA messages (IBA 13.6): segmentation and reassembly
 * as pure state machines; mad/transfer.h runs them over a port.
 *
 * A message is an SA header, the same in every segment, and up to
 * RMPP_LENGTH_MAX bytes of records, 200 to a segment.
 *
 *   sender                    receiver
 *   DATA 1 (first)   ------>
 *                    <------  ACK 1, window up to W
 *   DATA 2 .. W      ------>
 *                    <------  ACK W, window up to 2 W
 *   DATA (last)      ------>
 *                    <------  ACK last
 *
 * Invariants
 *   Q1  a receiver never holds more than its `max` bytes, whatever lengths
 *       the segments claim; it grows its buffer by what has arrived;
 *   Q2  records are delivered once, in order, all or not at all;
 *   Q3  segments that arrive twice or out of order do no harm: the answer is
 *       the ACK of the last one in order.
 */
#ifndef MAD_RMPP_H
#define MAD_RMPP_H

#include "mad/mad.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RMPP_LENGTH_MAX (64u << 20) /* bytes of records in a message */
#define RMPP_WINDOW 64u             /* segments, of our receivers */

enum rmpp_event {
	RMPP_NOTHING,
	RMPP_PROGRESS, /* the sender may have more to send; see next() */
	RMPP_COMPLETE,
	RMPP_FAILED, /* see ->status */
};

static inline uint8_t rmpp_flags(const struct mad *m)
{
	return ((const struct sa_mad *)m)->rmpp.flags & 7u;
}

/* Part of a multi-packet exchange, ACKs and aborts included. */
static inline bool rmpp_is_active(const struct mad *m)
{
	return m->header.mgmt_class == MAD_CLASS_SA &&
	       (rmpp_flags(m) & RMPP_ACTIVE) != 0;
}

/* -- sending --------------------------------------------------------------- */

struct rmpp_sender {
	struct mad head;     /* header and SA header of every segment */
	const uint8_t *data; /* borrowed until the end */
	size_t length;
	uint32_t n_segments;
	uint32_t next;        /* the segment to send next */
	uint32_t acked;       /* the last one that was acknowledged */
	uint32_t window_last; /* the last one that may be sent */
	uint32_t rewound;     /* `acked` when an ACK was repeated */
	uint8_t status;       /* enum rmpp_status, after RMPP_FAILED */
};

/*
 * `head`: a whole SA MAD with the message's header, SM_Key, offset and mask.
 * @return 0; -EMSGSIZE.
 */
int rmpp_sender_init(struct rmpp_sender *s, const struct mad *head,
                     const void *data, size_t length);

/* Whether there is a segment to send now, and then which. */
bool rmpp_sender_next(struct rmpp_sender *s, struct mad *out);

/*
 * An ACK, STOP or ABORT of this message.  *reply is an ABORT to send back if
 * the answer is RMPP_FAILED and *replies is set.
 */
enum rmpp_event rmpp_sender_receive(struct rmpp_sender *s, const struct mad *m,
                                    struct mad *reply, bool *replies);

/* Nothing came for a response time: start again behind what is
 * acknowledged. */
void rmpp_sender_rewind(struct rmpp_sender *s);

/* -- receiving ------------------------------------------------------------- */

struct rmpp_receiver {
	uint8_t *data; /* records so far; free() by rmpp_receiver_fini() */
	size_t length; /* bytes of them */
	size_t room;   /* allocated */
	size_t max;    /* that the owner allows */
	uint32_t last; /* the last segment that arrived in order */
	uint32_t window_last;
	struct mad head; /* of the first segment */
	uint8_t status;  /* enum rmpp_status, after RMPP_FAILED */
};

/* `max` at most RMPP_LENGTH_MAX. */
void rmpp_receiver_init(struct rmpp_receiver *r, size_t max);
void rmpp_receiver_fini(struct rmpp_receiver *r);

/*
 * A segment, or an ABORT or STOP.  *reply, an ACK or ABORT, is to be sent back
 * if *replies is set, whatever the answer is.
 */
enum rmpp_event rmpp_receiver_receive(struct rmpp_receiver *r,
                                      const struct mad *m, struct mad *reply,
                                      bool *replies);

/* An ABORT that answers `m`, or that ends the message of which it is. */
void rmpp_make_abort(const struct mad *m, enum rmpp_status status,
                     struct mad *out);

/* An ACK that answers segment `m`. */
void rmpp_make_ack(const struct mad *m, uint32_t last, uint32_t window_last,
                   struct mad *out);

const char *rmpp_status_words(uint8_t status);

#endif /* MAD_RMPP_H */
