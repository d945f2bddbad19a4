/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A thread that scribbles over the shared memory, at every moment between two
 * loads of the fast stack: with wrong values, and with right ones of another
 * shape, so that what was checked may be something else when it is used.
 * (Races are the point: not for the thread sanitizer.)
 * shows V14
 */
#include "../test.h"

#include "rig.h"

#include "base/base.h"
#include "base/clock.h"

#include <pthread.h>
#include <string.h>

#define CHUNKS 64u
#define SIZE (CHUNKS * CHUNK_BYTES)
#define CLIENTS 32u
#define SECONDS 2u
#define TIMEOUT_MS 20u

static struct rig rig;
static bool stop;

/* -- the scribbler -------------------------------------------------------- */

static const struct {
	uint8_t profile, width, data, strip_shift;
} shapes[] = {
	{ RAID0, 1, 1, 16 }, { RAID0, 4, 4, 14 }, { RAID0, 8, 8, 13 },
	{ RAID1, 2, 1, 16 }, { RAID5, 3, 2, 15 }, { RAID5, 5, 4, 14 },
	{ RAID5, 9, 8, 13 }, { 7, 255, 0, 63 },
};

static void scribble_row(uint64_t r)
{
	volatile struct handoff_row *row = &rig.handoff.rows[r % RIG_EXTENTS];
	size_t s = (r >> 8) % ARRAY_LEN(shapes);

	row->profile = shapes[s].profile;
	row->width = shapes[s].width;
	row->data = shapes[s].data;
	row->strip_shift = shapes[s].strip_shift;
	row->state = r >> 16 & 63 ? 1 : 0;
	row->drive[r >> 20 & 15] = (uint16_t)((r >> 24) % 12);
	row->extent[r >> 28 & 15] = (uint32_t)((r >> 32) % 17);
	if (r >> 40 & 1)
		row->extent_bytes = r >> 44 & 15 ? RIG_EXTENT : r;
	if (r >> 42 & 1)
		row->data_start = r >> 48 & 15 ? RIG_DATA_START : r >> 20;
}

static void scribble_entry(uint64_t r)
{
	uint64_t entry =
		entry_make((enum entry_state)(r >> 8 & 3),
	                   (uint32_t)(r >> 16 & 15), (uint32_t)(r >> 24 & 31));

	handoff_set_entry(&rig.handoff, RIG_TABLE_BASE + r % CHUNKS,
	                  r >> 60 ? entry : r);
}

static void scribble_objects(uint64_t r)
{
	volatile struct handoff_volume *v = rig.handoff.volumes;
	volatile struct handoff_drive *d = rig.handoff.drives;

	switch (r % 8) {
	case 0:
		v->state = r >> 8 & 31 ? HANDOFF_VOLUME_ACTIVE : r >> 16 & 3;
		break;
	case 1:
		v->generation = r >> 8 & 31 ? 1 : 2;
		break;
	case 2:
		v->size = r >> 8 & 1 ? SIZE : r;
		v->table_base = r >> 9 & 1 ? RIG_TABLE_BASE : r;
		break;
	case 3:
		v->row_base = r >> 8 & 1 ? 0 : (uint32_t)r;
		v->pool = (uint16_t)(r >> 9 & 1 ? 0 : r);
		break;
	case 4:
		v->changes = r >> 8 & 3;
		v->committed = r >> 10 & 3;
		break;
	default:
		d += (r >> 8) % 10;
		d->role = (uint32_t)(r >> 12 & 7 ? 1 : r >> 15 & 3);
		d->pool = (uint16_t)(r >> 18 & 7 ? 0 : r);
		d->grain = (uint32_t)r;
		d->size = r;
	}
}

static void scribble_lane(uint64_t r)
{
	struct handoff_lane *lane = rig.handoff.lanes;
	struct handoff_reply reply = { .kind = (uint8_t)(r % 4),
		                       .opcode = (uint8_t)(r >> 8 & 3),
		                       .drive = (uint16_t)(r >> 10 & 15),
		                       .status = (uint16_t)(r >> 14 & 7),
		                       .offset = r >> 20,
		                       .length = r >> 40 & ~511u,
		                       .arena = r >> 30 };
	/* A tag in flight, mostly: low slots, low sequence numbers. */
	reply.tag = (r >> 20 & 31) | (r >> 25 & 15) << 16;
	if (r >> 60 == 0)
		lane->to_fast.head =
			r & 15 ? lane->to_fast.tail + (r >> 4 & 3) : r;
	else if (r >> 60 == 1)
		lane->to_slow.tail =
			r & 15 ? lane->to_slow.head - (r >> 4 & 3) : r;
	else if (r >> 60 == 2)
		lane->inflight[0][r & 1] = r;
	else
		handoff_push_reply(&rig.handoff, 0, &reply);
}

static void *scribbler(void *arg)
{
	uint64_t seed = 31337;

	(void)arg;
	while (!__atomic_load_n(&stop, __ATOMIC_ACQUIRE)) {
		uint64_t r = rig_next(&seed), what = rig_next(&seed) % 16;

		if (what < 8)
			scribble_row(r);
		else if (what < 12)
			scribble_entry(r);
		else if (what < 14)
			scribble_objects(r);
		else
			scribble_lane(r);
	}
	return NULL;
}

/* -- clients -------------------------------------------------------------- */

struct client {
	struct block_request request;
	struct iovec iov;
	bool busy;
	uint8_t *bytes;
};

static struct client clients[CLIENTS];
static uint64_t answers, errors;

static void request_done(struct block_request *q, int err)
{
	struct client *c = container_of(q, struct client, request);

	assert_true(c->busy);
	c->busy = false;
	answers++;
	errors += err != 0;
}

static void submit_something(struct client *c)
{
	uint64_t r = rig_random(&rig);
	enum block_op op = (enum block_op)(r % BLOCK_OPS);
	uint64_t sectors = (r >> 8) % 256 + 1;
	uint64_t sector = (r >> 16) % (SIZE / BLOCK_SECTOR - 256);
	bool data = op == BLOCK_READ || op == BLOCK_WRITE;

	c->busy = true;
	c->iov = (struct iovec){ c->bytes, sectors * BLOCK_SECTOR };
	c->request = (struct block_request){
		.op = op,
		.flags = op == BLOCK_WRITE && r >> 40 & 1 ? BLOCK_FUA : 0,
		.offset = op == BLOCK_FLUSH ? 0 : sector * BLOCK_SECTOR,
		.length = op == BLOCK_FLUSH ? 0 : sectors * BLOCK_SECTOR,
		.iov = data ? &c->iov : NULL,
		.iov_count = data,
		.done = request_done,
	};
	block_submit(rig.volume, &c->request);
}

/* Most hand-offs get an answer, so that there is more to do than wait. */
static void answer_some(void)
{
	struct handoff_request q;

	for (unsigned i = 0;
	     i < CLIENTS && handoff_pop_request(&rig.handoff, 0, &q); i++) {
		uint64_t r = rig_random(&rig);
		const struct handoff_reply reply = {
			.tag = q.tag,
			.kind = r % 8 ? HANDOFF_RESUME : HANDOFF_COMPLETE,
			.status = (uint16_t)(r >> 8 & 7),
		};

		if (r >> 16 & 15)
			handoff_push_reply(&rig.handoff, 0, &reply);
	}
}

static bool anybody_busy(void)
{
	for (unsigned i = 0; i < CLIENTS; i++)
		if (clients[i].busy)
			return true;
	return false;
}

static void open_and_look(void)
{
	struct fast_extent extents[8];
	struct block_device *dev;

	if (fast_volume_open(rig.fast, "p/v", &dev, NULL))
		return;
	assert_int_equal(dev->grain, BLOCK_SECTOR);
	assert_int_equal(dev->size % BLOCK_SECTOR, 0);
	fast_volume_extents(dev, 0, dev->size, extents, 8);
	block_close(dev);
}

static void scribbles_at_any_moment_stay_in_the_shared_memory(void **state)
{
	uint64_t end = clock_now_ns() + SECONDS * NS_PER_S;
	pthread_t thread;

	(void)state;
	rig_init_with(&rig,
	              &(struct rig_opts){ .profile = RAID5,
	                                  .n_drives = 9,
	                                  .size = SIZE,
	                                  .miss_timeout_ms = TIMEOUT_MS });
	rig.stopped = true;
	for (unsigned i = 0; i < CLIENTS; i++) {
		clients[i].bytes = malloc(256u * BLOCK_SECTOR);
		assert_non_null(clients[i].bytes);
	}
	assert_int_equal(pthread_create(&thread, NULL, scribbler, NULL), 0);
	while (clock_now_ns() < end) {
		for (unsigned i = 0; i < CLIENTS; i++)
			if (!clients[i].busy)
				submit_something(&clients[i]);
		for (unsigned i = 0; i < 8; i++)
			reactor_poll(rig.reactors[0]);
		answer_some();
		open_and_look();
	}
	__atomic_store_n(&stop, true, __ATOMIC_RELEASE);
	pthread_join(thread, NULL);
	end = clock_now_ns() + 60 * NS_PER_S;
	while (anybody_busy()) { /* F3 */
		assert_true(clock_now_ns() < end);
		reactor_poll(rig.reactors[0]);
	}
	assert_true(answers > 1000 && errors > 100 && answers > errors);
	for (unsigned i = 0; i < rig.n_drives; i++) {
		assert_int_equal(rig.drive[i].refused, 0); /* F4 */
		assert_true(rig.drive[i].reads > 0 && rig.drive[i].writes > 0);
	}
	for (unsigned i = 0; i < CLIENTS; i++)
		free(clients[i].bytes);
	rig_detach_slow(&rig);
	rig_fini(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			scribbles_at_any_moment_stay_in_the_shared_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
