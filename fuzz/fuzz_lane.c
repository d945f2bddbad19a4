/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A lane whose other end sends anything: as the side that is asked, and as
 * the side that waits for answers.
 *
 * Input: one byte of choices, then frames: headers whose checksum is mended,
 * with bodies as long as they say, cut where the input ends.
 *
 * Properties: nothing outside of regions and vectors is touched (ASan); what
 * the lane sends are frames; every operation ends once or is still pending.
 */
#include "../tests/support/memory_service.h"

#include "base/crc.h"
#include "core/reactor.h"
#include "fabric/frame_lane.h"
#include "fabric/target.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define REGION 150000u
#define OPS 4u
#define TURNS 64u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct script { /* a stream that reads from the input */
	struct stream stream;
	const uint8_t *data;
	size_t size, at;
	size_t chunk;   /* bytes of a read, at most */
	struct frame f; /* of which bytes are on their way */
	uint8_t header[64];
	size_t header_at; /* 64: in a body */
	uint64_t body_left;
	size_t out_at; /* in a frame that the lane sends */
	uint64_t out_left;
	uint8_t out[64];
	bool failed, destroyed;
};

static struct memory_service service;
static unsigned ended[OPS];

static struct script *script_of(struct stream *s)
{
	return container_of(s, struct script, stream);
}

/* The next header of the input, made plausible. */
static bool next_header(struct script *s)
{
	struct fabric_wire_header *h = (struct fabric_wire_header *)s->header;
	size_t n = s->size - s->at < 60 ? s->size - s->at : 60;

	if (n == 0)
		return false;
	memset(s->header, 0, sizeof(s->header));
	memcpy(s->header, s->data + s->at, n);
	s->at += n;
	h->crc = le32_put(base_crc32c(0, h, 60));
	s->header_at = 0;
	s->body_left = le32_get(h->length);
	return true;
}

static uint8_t next_byte(struct script *s)
{
	if (s->header_at < 64)
		return s->header[s->header_at++];
	s->body_left--;
	return s->at < s->size ? s->data[s->at++] : 0;
}

static ssize_t script_readv(struct stream *stream, const struct iovec *iov,
                            unsigned n)
{
	struct script *s = script_of(stream);
	size_t done = 0;

	for (unsigned i = 0; i < n; i++)
		for (size_t k = 0; k < iov[i].iov_len; k++) {
			if (done == s->chunk)
				return (ssize_t)done;
			if (s->header_at == 64 && s->body_left == 0 &&
			    !next_header(s))
				return done ? (ssize_t)done : -EAGAIN;
			((uint8_t *)iov[i].iov_base)[k] = next_byte(s);
			done++;
		}
	return (ssize_t)done;
}

/* What the lane sends must be frames. */
static void take_out(struct script *s, uint8_t byte)
{
	struct frame f;

	if (s->out_left) {
		s->out_left--;
		return;
	}
	s->out[s->out_at++] = byte;
	if (s->out_at < 64)
		return;
	if (frame_decode((struct fabric_wire_header *)s->out, &f))
		abort();
	s->out_at = 0;
	s->out_left = f.length;
}

static ssize_t script_writev(struct stream *stream, const struct iovec *iov,
                             unsigned n)
{
	struct script *s = script_of(stream);
	size_t done = 0;

	for (unsigned i = 0; i < n; i++)
		for (size_t k = 0; k < iov[i].iov_len; k++) {
			if (done == 40000)
				return (ssize_t)done;
			take_out(s, ((uint8_t *)iov[i].iov_base)[k]);
			done++;
		}
	return (ssize_t)done;
}

static int script_connected(struct stream *s)
{
	(void)s;
	return 0;
}

static bool script_want(struct stream *s, bool readable, bool writable)
{
	(void)s;
	(void)readable;
	(void)writable;
	return true;
}

static uint64_t script_unacknowledged(struct stream *s)
{
	(void)s;
	return 0;
}

static void script_destroy(struct stream *s)
{
	script_of(s)->destroyed = true;
}

static const struct stream_ops script_ops = {
	.scheme = FABRIC_SIM,
	.readv = script_readv,
	.writev = script_writev,
	.connected = script_connected,
	.want = script_want,
	.unacknowledged = script_unacknowledged,
	.destroy = script_destroy,
};

/* -- the lane's owner ----------------------------------------------------- */

static void control(struct lane *l, const struct frame *f, const void *body)
{
	(void)l;
	(void)f;
	(void)body;
}

static void completed(struct lane *l, struct fabric_op *op,
                      enum fabric_status status)
{
	(void)l;
	if (status >= FABRIC_STATUSES || ended[op->number]++)
		abort();
}

static void failed(struct lane *l, int err)
{
	if (err >= 0)
		abort();
	*(bool *)l->owner_data = true;
}

static const struct lane_owner owner = { .control = control,
	                                 .completed = completed,
	                                 .failed = failed };

static void submit_some(struct lane *l, struct fabric_op *ops,
                        struct iovec *vectors, uint8_t *buffer)
{
	static const enum fabric_opcode opcodes[OPS] = {
		FABRIC_READ, FABRIC_FAA, FABRIC_WRITE, FABRIC_READ
	};
	static const uint64_t lengths[OPS] = { 100, 8, 70000, 70000 };

	for (unsigned i = 0; i < OPS; i++) {
		bool atomic = opcodes[i] == FABRIC_FAA;

		vectors[i] = (struct iovec){ buffer, lengths[i] };
		ops[i] = (struct fabric_op){ .opcode = opcodes[i],
			                     .length = lengths[i],
			                     .iov = atomic ? NULL : &vectors[i],
			                     .n_iov = !atomic,
			                     .number = i,
			                     .sequence = i + 1 };
		lane_submit(l, &ops[i]);
	}
}

static void run(struct script *s, struct reactor *r, bool asked)
{
	struct fabric_op ops[OPS];
	struct iovec vectors[OPS];
	uint8_t *buffer = malloc(70000);
	struct target *t = asked ? target_create(&service.service, NULL) : NULL;
	struct lane *l;

	if (!buffer || frame_lane_create(r, &s->stream, false, &l) ||
	    lane_open(l, t))
		abort();
	l->owner = &owner;
	l->owner_data = &s->failed;
	l->class = FABRIC_LATENCY;
	if (!asked)
		submit_some(l, ops, vectors, buffer);
	for (unsigned i = 0, idle = 0; i < TURNS && idle < 2 && !s->failed;
	     i++) {
		s->stream.ready(&s->stream);
		idle = reactor_poll(r) ? 0 : idle + 1;
	}
	while (list_pop(&l->pending))
		;
	lane_destroy(l);
	reactor_poll(r);
	reactor_poll(r);
	if (!s->destroyed)
		abort();
	target_destroy(t);
	free(buffer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct script s = { .stream.ops = &script_ops, .header_at = 64 };
	uint8_t *region = calloc(1, REGION);
	static struct reactor *r;

	if (size < 1) {
		free(region);
		return 0;
	}
	if (!region ||
	    (!r && reactor_create(&(struct reactor_opts){ .name = "fuzz" }, &r,
	                          NULL)))
		abort();
	memory_service_init(&service);
	service.region[0] = (struct memory_region){
		.base = region, .length = REGION, .rights = 7, .split = 70001
	};
	memset(ended, 0, sizeof(ended));
	s.chunk = data[0] & 2 ? 100000 : 1 + data[0] % 97;
	s.data = data + 1;
	s.size = size - 1;
	run(&s, r, data[0] & 1);
	free(region);
	return 0;
}
