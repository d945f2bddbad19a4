/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A hostile slow stack under the real fast one: replies of any content, and
 * scribbles over every part of the shared memory, between requests of honest
 * clients and drives.  The input is a list of steps.
 *
 * Properties (volume/fast/fast.h, F3 and F4): nothing crashes; no drive is
 * asked for what is outside it; each request is answered exactly once, at the
 * latest when its time is up.
 */
#include "../tests/unit/volume/rig.h"

#include "base/base.h"
#include "base/clock.h"
#include "volume/fast/fast_priv.h"

#include <string.h>

#define CHUNKS 8u
#define SIZE (CHUNKS * CHUNK_BYTES)
#define CLIENTS 24u
#define CLIENT_BYTES (2 * CHUNK_BYTES)
#define TIMEOUT_MS 1000u
/* Parts of one request may each wait once for every drive and its answer. */
#define PATIENCE 2000u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct client {
	struct block_request request;
	struct iovec iov;
	bool busy;
	uint8_t *bytes;
};

static struct rig rig;
static struct client clients[CLIENTS];
static uint64_t now_ns = NS_PER_S;

static uint64_t read_now(const struct clock *c)
{
	(void)c;
	return now_ns;
}
static const struct clock simulated = { .now_ns = read_now };

/* -- the input ------------------------------------------------------------ */

struct input {
	const uint8_t *at;
	size_t left;
};

static uint64_t take(struct input *in, unsigned bytes)
{
	uint64_t v = 0;

	if (bytes > in->left)
		bytes = (unsigned)in->left;
	memcpy(&v, in->at, bytes);
	in->at += bytes;
	in->left -= bytes;
	return v;
}

/* -- steps ---------------------------------------------------------------- */

static void request_done(struct block_request *q, int err)
{
	struct client *c = container_of(q, struct client, request);

	(void)err;
	if (!c->busy)
		abort(); /* answered twice */
	c->busy = false;
}

static void submit_request(struct input *in)
{
	struct client *c = &clients[take(in, 1) % CLIENTS];
	uint64_t sector = take(in, 2) % (SIZE / BLOCK_SECTOR);
	uint64_t n = take(in, 1) % (CLIENT_BYTES / BLOCK_SECTOR) + 1;
	uint64_t what = take(in, 1);
	enum block_op op = (enum block_op)(what % BLOCK_OPS);
	bool data = op == BLOCK_READ || op == BLOCK_WRITE;

	if (c->busy)
		return;
	if (what & 0x80) { /* whole chunks */
		sector &= ~UINT64_C(127);
		n = 128;
	}
	if (n > SIZE / BLOCK_SECTOR - sector)
		n = SIZE / BLOCK_SECTOR - sector;
	c->busy = true;
	c->iov = (struct iovec){ c->bytes, n * BLOCK_SECTOR };
	c->request = (struct block_request){
		.op = op,
		.flags = op == BLOCK_WRITE && what & 0x40 ? BLOCK_FUA : 0,
		.offset = op == BLOCK_FLUSH ? 0 : sector * BLOCK_SECTOR,
		.length = op == BLOCK_FLUSH ? 0 : n * BLOCK_SECTOR,
		.iov = data ? &c->iov : NULL,
		.iov_count = data,
		.done = request_done,
	};
	block_submit(rig.volume, &c->request);
}

static void any_reply(struct input *in)
{
	struct handoff_reply r = { 0 };

	for (unsigned i = 0; i < sizeof(r); i += 8) {
		uint64_t v = take(in, 8);

		memcpy((uint8_t *)&r + i, &v, 8);
	}
	handoff_push_reply(&rig.handoff, 0, &r);
}

static void meta_reply(struct input *in)
{
	const struct handoff_reply r = {
		.tag = take(in, 1),
		.kind = HANDOFF_META_IO,
		.opcode = (uint8_t)take(in, 1),
		.drive = (uint16_t)(take(in, 1) % 5),
		.flags = (uint16_t)take(in, 2),
		.offset = take(in, 8),
		.length = take(in, 4),
		.arena = take(in, 8),
	};

	handoff_push_reply(&rig.handoff, 0, &r);
}

/* An answer to a real hand-off, with or without what it asked for. */
static void plausible_reply(struct input *in)
{
	struct handoff_request q;
	struct handoff_reply r = { .kind = HANDOFF_RESUME };
	uint64_t how = take(in, 1);
	uint64_t place = take(in, 2);

	if (!handoff_pop_request(&rig.handoff, 0, &q))
		return;
	r.tag = q.tag;
	if (how & 1)
		handoff_set_entry(&rig.handoff,
		                  RIG_TABLE_BASE +
		                          q.address / CHUNK_BYTES % CHUNKS,
		                  entry_make(how & 2 ? ENTRY_NEW : ENTRY_MAPPED,
		                             place % 20, place / 256 % 40));
	if (how & 4 && q.drive < rig.n_drives)
		rig_set_role(&rig, q.drive, HANDOFF_FAILED);
	if (how & 8) {
		r.kind = HANDOFF_COMPLETE;
		r.status = (uint16_t)(how >> 4);
	}
	handoff_push_reply(&rig.handoff, 0, &r);
	if (how & 0x80)
		handoff_push_reply(&rig.handoff, 0, &r); /* twice */
}

static void scribble(struct input *in)
{
	struct handoff *h = &rig.handoff;
	const struct {
		void *at;
		size_t bytes;
	} places[] = {
		{ h->header, sizeof(*h->header) },
		{ h->lanes, offsetof(struct handoff_lane, requests) },
		{ h->lanes, sizeof(*h->lanes) },
		{ h->drives, 6 * sizeof(*h->drives) },
		{ h->pools, 2 * sizeof(*h->pools) },
		{ h->volumes, sizeof(*h->volumes) },
		{ h->rows, RIG_EXTENTS * sizeof(*h->rows) },
		{ h->rows, sizeof(*h->rows) },
		{ h->table + RIG_TABLE_BASE, CHUNKS * 8 },
	};
	size_t i = take(in, 1) % ARRAY_LEN(places);
	size_t at = take(in, 3) % places[i].bytes;
	size_t n = take(in, 1) % 16 + 1;
	uint64_t v[2] = { take(in, 8), 0 };

	if (n > 8)
		v[1] = take(in, 8);
	if (n > places[i].bytes - at)
		n = places[i].bytes - at;
	memcpy((uint8_t *)places[i].at + at, v, n);
}

static void fail_drive(struct input *in)
{
	struct rig_drive *d = &rig.drive[take(in, 1) % rig.n_drives];
	unsigned what = (unsigned)take(in, 1);

	d->fail_reads = what & 3;
	d->fail_writes = what >> 2 & 3;
	d->fail_flushes = what >> 4 & 1;
}

static void open_volume(struct input *in)
{
	struct block_device *dev;
	struct fast_extent extents[4];

	(void)in;
	if (fast_volume_open(rig.fast, "p/v", &dev, NULL))
		return;
	if (dev->grain != BLOCK_SECTOR || dev->size % BLOCK_SECTOR)
		abort();
	fast_volume_extents(dev, 0, dev->size, extents, 4);
	block_close(dev);
}

static void turns(struct input *in)
{
	for (uint64_t n = take(in, 1) % 8 + 1; n > 0; n--)
		reactor_poll(rig.reactors[0]);
}

static void time_passes(struct input *in)
{
	now_ns += take(in, 1) * 10 * NS_PER_MS;
	turns(in);
}

static void replace(struct input *in)
{
	(void)in;
	rig_replace_slow(&rig);
}

static void (*const steps[])(struct input *in) = {
	submit_request,  submit_request, any_reply, meta_reply, plausible_reply,
	plausible_reply, scribble,       scribble,  fail_drive, open_volume,
	turns,           time_passes,    replace,
};

/* -- one input ------------------------------------------------------------ */

static bool anybody_busy(void)
{
	for (unsigned i = 0; i < CLIENTS; i++)
		if (clients[i].busy)
			return true;
	return false;
}

/* F3: with nobody to answer, time alone ends everything. */
static void wait_for_all(void)
{
	for (unsigned i = 0; anybody_busy(); i++) {
		if (i > PATIENCE)
			abort();
		now_ns += 50 * NS_PER_MS;
		for (unsigned k = 0; k < 4; k++)
			reactor_poll(rig.reactors[0]);
	}
}

static void start(void)
{
	rig_init_with(&rig, &(struct rig_opts){ .profile = RAID5,
	                                        .n_drives = 3,
	                                        .size = SIZE,
	                                        .miss_timeout_ms = TIMEOUT_MS,
	                                        .clock = &simulated });
	for (unsigned i = 0; i < CLIENTS; i++) {
		clients[i].bytes = calloc(1, CLIENT_BYTES);
		if (!clients[i].bytes)
			abort();
	}
}

/* As it was before the first input, so that each is a case of its own. */
static void reset(void)
{
	struct handoff_header *header = rig.handoff.header;
	struct lane *lane = &rig.fast->worker[0].lane;

	now_ns += NS_PER_S; /* the lane's timer runs out */
	reactor_poll(rig.reactors[0]);
	rig_detach_slow(&rig);
	memset(&header->generation, 0,
	       sizeof(*header) - offsetof(struct handoff_header, generation));
	memset(lane->shared, 0, sizeof(*lane->shared));
	memset(lane->sequence, 0, sizeof(lane->sequence));
	for (unsigned i = 0; i < LANE_WAITS; i++)
		lane->free_slot[i] = (uint16_t)(LANE_WAITS - 1 - i);
	memset(rig.fast->suspect, 0, sizeof(rig.fast->suspect));
	memset(rig.handoff.pools, 0, 2 * sizeof(*rig.handoff.pools));
	rig_reset_memory(&rig);
	rig_attach_slow(&rig);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };

	if (!rig.fast)
		start();
	while (in.left > 0)
		steps[take(&in, 1) % ARRAY_LEN(steps)](&in);
	wait_for_all();
	for (unsigned i = 0; i < rig.n_drives; i++) {
		if (rig.drive[i].refused)
			abort(); /* F4 */
		rig.drive[i].fail_reads = rig.drive[i].fail_writes = 0;
		rig.drive[i].fail_flushes = 0;
	}
	reset();
	return 0;
}
