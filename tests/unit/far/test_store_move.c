/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * shows S18, S19, X4: donors come, leave and die under a load that knows what
 * each page must hold.  Their requests end in an order that a seed chooses.
 */
#include "../test.h"

#include "../../support/block_rig.h"

#include "base/base.h"
#include "base/list.h"
#include "block/finish.h"
#include "drive/drive.h"
#include "far/store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE 4096u
#define FLIGHT 24u /* requests at once */
#define ROWS 3u
#define PAGES (ROWS * (STORE_EXTENT / PAGE))
#define NEAR 400u /* pages of a row that are used */
#define DOMAINS 8u

static uint64_t seed;

/* Time passes as requests are drawn, so that a run is the same on any host. */
static uint64_t draws;

static uint64_t now(const struct clock *c)
{
	(void)c;
	return draws * NS_PER_US;
}

static const struct clock drawn = { .now_ns = now };

/* -- donors whose requests wait until they are drawn ----------------------- */

struct donor {
	struct block_device dev;
	struct block_device *below;
	struct list link;
	unsigned domain;
	bool is_dead;
	struct block_request *waiting[FLIGHT + 64];
	unsigned n;
};

static struct list donors;
static unsigned n_closed;

static void donor_submit(struct block_device *dev, struct block_request *q)
{
	struct donor *d = container_of(dev, struct donor, dev);

	assert_true(d->n < ARRAY_LEN(d->waiting));
	d->waiting[d->n++] = q;
}

static void donor_close(struct block_device *dev)
{
	struct donor *d = container_of(dev, struct donor, dev);

	assert_int_equal(d->n, 0);
	list_remove(&d->link);
	block_close(d->below);
	free(d);
	n_closed++;
}

static unsigned extent_mib; /* of a member of a row */

static const struct block_ops donor_ops = { "donor", donor_submit,
	                                    donor_close };

/* What was there before, where it will be used. */
static void scribble(struct block_device *dev)
{
	static uint8_t junk[NEAR * PAGE];

	for (size_t i = 0; i < sizeof(junk); i++)
		junk[i] = (uint8_t)(i * 31 >> 3);
	for (uint64_t at = 0; at < dev->size; at += extent_mib << 20)
		assert_int_equal(
			rig_do(dev, BLOCK_WRITE, 0, at, sizeof(junk), junk), 0);
}

static struct block_device *donor(unsigned domain, unsigned extents)
{
	struct donor *d = calloc(1, sizeof(*d));
	char spec[32];

	snprintf(spec, sizeof(spec), "ram:%uM", extent_mib * extents);
	assert_int_equal(drive_open(spec, &d->below, NULL), 0);
	scribble(d->below);
	d->dev = (struct block_device){ .ops = &donor_ops,
		                        .size = d->below->size,
		                        .grain = d->below->grain };
	d->domain = domain;
	list_append(&donors, &d->link);
	return &d->dev;
}

/* One request of some donor goes on, or fails. */
static void draw(void)
{
	LIST_FOREACH (l, &donors) {
		struct donor *d = list_entry(l, struct donor, link);
		struct block_request *q;
		unsigned i;

		if (d->n == 0 || rig_random(&seed) % 3 == 0)
			continue;
		i = (unsigned)(rig_random(&seed) % d->n);
		q = d->waiting[i];
		d->waiting[i] = d->waiting[--d->n];
		if (d->is_dead)
			block_finish(q, -ENXIO);
		else
			block_submit(d->below, q);
	}
	draws++;
	reactor_poll(reactor_current());
}

/* -- the store and what it says -------------------------------------------- */

static struct block_device *store;
static struct {
	unsigned n_lost, n_left, n_whole;
	uint64_t wanted;
	uint64_t useless;
	bool is_degraded;
} heard;

static void lost(void *ctx, unsigned index, int err)
{
	(void)ctx;
	(void)index;
	(void)err;
	heard.n_lost++;
	heard.is_degraded = true;
}

static void left(void *ctx, unsigned index)
{
	(void)ctx;
	(void)index;
	heard.n_left++;
}

static void wants(void *ctx, uint64_t bytes, uint64_t domains)
{
	(void)ctx;
	assert_true(bytes > 0);
	heard.wanted = bytes;
	heard.useless = domains;
}

static void whole(void *ctx)
{
	(void)ctx;
	heard.n_whole++;
	heard.is_degraded = false;
}

/* -- the load -------------------------------------------------------------- */

struct load {
	struct rig_call call;
	uint64_t page;
	bool is_write;
	bool is_busy;
	uint8_t data[PAGE];
};

static uint32_t version[PAGES]; /* 0: never written */
static bool is_taken[PAGES];
static struct load loads[FLIGHT];
static uint32_t last_version;

static void fill(uint8_t *data, uint64_t page, uint32_t v)
{
	const uint64_t word = page << 32 | v;

	for (unsigned i = 0; i < PAGE; i += sizeof(word))
		memcpy(data + i, &word, sizeof(word));
}

static void finish(struct load *l)
{
	uint8_t wants_data[PAGE];

	l->is_busy = is_taken[l->page] = false;
	assert_int_equal(l->call.err, 0);
	fill(wants_data, l->page, version[l->page]);
	if (!l->is_write)
		assert_memory_equal(l->data, wants_data, PAGE);
}

static void begin(struct load *l)
{
	/* Near each other, so that they meet what is being moved. */
	uint64_t page = rig_random(&seed) % ROWS * (STORE_EXTENT / PAGE) +
	                rig_random(&seed) % NEAR;

	if (is_taken[page])
		return;
	l->page = page;
	l->is_write = version[page] == 0 || rig_random(&seed) % 2;
	l->is_busy = is_taken[page] = true;
	if (l->is_write) {
		version[page] = ++last_version;
		fill(l->data, page, version[page]);
	}
	rig_submit(&l->call, store, l->is_write ? BLOCK_WRITE : BLOCK_READ, 0,
	           page * PAGE, PAGE, l->data);
}

static void work(unsigned rounds)
{
	for (unsigned r = 0; r < rounds; r++) {
		for (unsigned i = 0; i < FLIGHT; i++) {
			if (loads[i].is_busy && loads[i].call.calls)
				finish(&loads[i]);
			if (!loads[i].is_busy && rig_random(&seed) % 2)
				begin(&loads[i]);
		}
		draw();
	}
}

static void drain(void)
{
	for (unsigned i = 0; i < FLIGHT; i++)
		while (loads[i].is_busy) {
			if (loads[i].call.calls)
				finish(&loads[i]);
			draw();
		}
}

static void check_all(void)
{
	uint8_t *data = malloc(PAGE), *wants_data = malloc(PAGE);

	for (uint64_t p = 0; p < PAGES; p++) {
		struct rig_call c;

		if (version[p] == 0)
			continue;
		rig_submit(&c, store, BLOCK_READ, 0, p * PAGE, PAGE, data);
		while (!c.calls)
			draw();
		assert_int_equal(c.err, 0);
		fill(wants_data, p, version[p]);
		assert_memory_equal(data, wants_data, PAGE);
	}
	free(data);
	free(wants_data);
}

/* Up to 2 members are copies, more are RAID 5. */
static void open_store(unsigned n, unsigned members, unsigned extents)
{
	struct block_device *devices[9];
	const struct store_opts o = {
		.donors = devices,
		.n_donors = n,
		.copies = members < 3 ? members : 1,
		.raid5 = members < 3 ? 0 : members,
		.watcher = { lost, left, wants, whole, NULL },
	};

	memset(&heard, 0, sizeof(heard));
	memset(version, 0, sizeof(version));
	memset(loads, 0, sizeof(loads));
	n_closed = 0;
	extent_mib = members < 3 ? 16 : 16 / (members - 1);
	list_init(&donors);
	for (unsigned i = 0; i < n; i++)
		devices[i] = donor(i, extents);
	assert_int_equal(store_create(&o, &store, NULL), 0);
	assert_int_equal(store->size, ROWS * STORE_EXTENT);
}

static void close_store(void)
{
	drain();
	/* What a move has out goes on while the store closes. */
	LIST_FOREACH (l, &donors) {
		struct donor *d = list_entry(l, struct donor, link);

		while (d->n > 0)
			draw();
	}
	block_close(store);
	assert_true(list_empty(&donors));
}

static void work_until(const unsigned *counter, unsigned value)
{
	for (unsigned i = 0; *counter < value && i < 20000; i++)
		work(10);
	assert_int_equal(*counter, value);
}

static unsigned index_of(unsigned domain, enum store_donor_state state)
{
	struct store_donor_info info[STORE_DONORS_MAX];

	store_info(store, info);
	for (unsigned i = 0; i < STORE_DONORS_MAX; i++)
		if (info[i].state == state && info[i].domain == domain)
			return i;
	return STORE_DONORS_MAX;
}

static void kill_donors(unsigned domain)
{
	LIST_FOREACH (l, &donors) {
		struct donor *d = list_entry(l, struct donor, link);

		if (d->domain == domain)
			d->is_dead = true;
	}
}

/* -- one thing at a time --------------------------------------------------- */

static void a_copy_that_is_lost_is_made_again(void **state)
{
	(void)state;
	open_store(2, 2, ROWS);
	work(3000);
	kill_donors(0);
	work_until(&heard.n_lost, 1);
	work(200);
	assert_int_equal(heard.wanted, ROWS * STORE_EXTENT);
	assert_int_equal(heard.useless, 1u << 1);
	store_add(store, donor(2, ROWS), 2, false);
	work_until(&heard.n_whole, 1);
	/* The other one may go, now. */
	kill_donors(1);
	work_until(&heard.n_lost, 2);
	drain();
	check_all();
	close_store();
}

static void parity_that_is_lost_is_made_again(void **state)
{
	(void)state;
	for (unsigned n = 3; n <= 9; n = 2 * n - 1) { /* 3, 5, 9 */
		open_store(n, n, ROWS);
		work(3000);
		kill_donors(1);
		work_until(&heard.n_lost, 1);
		work(200);
		assert_int_equal(heard.wanted, ROWS * STORE_EXTENT / (n - 1));
		assert_int_equal(heard.useless, ((1u << n) - 1) & ~(1u << 1));
		store_add(store, donor(n, ROWS), n, false);
		work_until(&heard.n_whole, 1);
		/* Any other one may go, now. */
		kill_donors(n - 1);
		work_until(&heard.n_lost, 2);
		drain();
		check_all();
		close_store();
	}
}

static void a_donor_that_leaves_is_emptied_first(void **state)
{
	(void)state;
	for (unsigned members = 1; members <= 3; members++) {
		open_store(members, members, ROWS);
		work(3000);
		store_add(store, donor(7, ROWS), 7, false);
		store_leave(store, 0);
		work_until(&heard.n_left, 1);
		assert_int_equal(heard.n_lost, 0);
		assert_int_equal(n_closed, 1);
		assert_int_equal(index_of(0, STORE_DONOR_ONLINE),
		                 STORE_DONORS_MAX);
		drain();
		check_all();
		close_store();
	}
}

/* What went to chunks that had moved is not on the donor that leaves. */
static void a_new_donor_that_dies_leaves_no_old_bytes(void **state)
{
	(void)state;
	open_store(2, 2, ROWS);
	work(3000);
	store_add(store, donor(3, ROWS), 3, false);
	store_leave(store, 0);
	work(400);
	assert_int_not_equal(index_of(0, STORE_DONOR_LEAVING),
	                     STORE_DONORS_MAX);
	kill_donors(3);
	work_until(&heard.n_lost, 1);
	work(1000);
	drain();
	check_all();
	close_store();
}

static void without_room_the_other_copy_serves_alone(void **state)
{
	(void)state;
	open_store(2, 2, ROWS);
	work(3000);
	store_leave(store, 1);
	work(100);
	assert_int_equal(heard.wanted, ROWS * STORE_EXTENT);
	assert_int_equal(heard.useless, 1u << 0);
	store_no_room(store);
	work_until(&heard.n_left, 1);
	assert_int_equal(heard.n_lost, 0);
	/* Later somebody has. */
	heard.wanted = 0;
	store_ask_again(store);
	work(100);
	assert_int_equal(heard.wanted, ROWS * STORE_EXTENT);
	store_add(store, donor(5, ROWS), 5, false);
	work_until(&heard.n_whole, 1);
	kill_donors(0);
	drain();
	check_all();
	close_store();
}

static void the_only_copy_moves_to_the_spare(void **state)
{
	(void)state;
	open_store(1, 1, ROWS);
	store_add(store, donor(6, ROWS), 6, true);
	work(3000);
	assert_int_equal(heard.wanted, 0);
	store_leave(store, 0);
	work_until(&heard.n_left, 1);
	drain();
	check_all();
	close_store();
}

/* A single copy dies in the middle of its move: what had moved is there, the
 * rest is an error, and never other bytes. */
static void what_was_lost_on_the_way_is_an_error(void **state)
{
	struct store_donor_info info[STORE_DONORS_MAX];
	uint8_t data[PAGE], wants_data[PAGE];
	unsigned n_good = 0, n_bad = 0;

	(void)state;
	open_store(1, 1, ROWS);
	work(6000);
	drain();
	store_add(store, donor(6, ROWS), 6, false);
	store_leave(store, 0);
	for (unsigned i = 0; i < 150; i++)
		draw();
	kill_donors(0);
	store_lose(store, 0, -ENXIO);
	for (unsigned i = 0; i < 2000; i++)
		draw();
	store_info(store, info);
	assert_int_equal(info[0].state, STORE_DONOR_NONE);
	for (uint64_t p = 0; p < PAGES; p++) {
		struct rig_call c;

		if (version[p] == 0)
			continue;
		rig_submit(&c, store, BLOCK_READ, 0, p * PAGE, PAGE, data);
		while (!c.calls)
			draw();
		n_bad += c.err == -EIO;
		if (c.err)
			continue;
		n_good++;
		fill(wants_data, p, version[p]);
		assert_memory_equal(data, wants_data, PAGE);
	}
	assert_true(n_good > 0 && n_bad > 0);
	close_store();
}

/* -- anything at any time -------------------------------------------------- */

static void answer_wants(void)
{
	unsigned domain = (unsigned)(rig_random(&seed) % DOMAINS);

	if (!heard.wanted)
		return;
	heard.wanted = 0;
	if (!(heard.useless >> domain & 1) && rig_random(&seed) % 4)
		store_add(store,
		          donor(domain, 1 + (unsigned)(rig_random(&seed) % 3)),
		          domain, false);
	else {
		heard.is_degraded = true;
		store_no_room(store);
	}
}

/* One domain at most is dying, and never while a copy is missing. */
static void harm(void)
{
	struct store_donor_info info[STORE_DONORS_MAX];
	unsigned i = (unsigned)(rig_random(&seed) % 6);

	store_info(store, info);
	switch (rig_random(&seed) % 4) {
	case 0:
		if (info[i].state == STORE_DONOR_ONLINE)
			store_leave(store, i);
		break;
	case 1:
		store_ask_again(store);
		break;
	default:
		for (unsigned k = 0; k < STORE_DONORS_MAX; k++)
			if (info[k].state == STORE_DONOR_LEAVING)
				return;
		if (!heard.is_degraded && info[i].state == STORE_DONOR_ONLINE)
			store_lose(store, i, -ETIMEDOUT);
	}
}

static void any_order(unsigned n, unsigned members, unsigned extents)
{
	unsigned n_lost = 0, n_left = 0, n_whole = 0;

	for (unsigned run = 0; run < 12; run++) {
		seed = 0x9e3779b97f4a7c15u + run;
		open_store(n, members, extents);
		for (unsigned i = 0; i < 1500; i++) {
			work(24);
			answer_wants();
			if (rig_random(&seed) % 16 == 0)
				harm();
		}
		drain();
		check_all();
		close_store();
		n_lost += heard.n_lost;
		n_left += heard.n_left;
		n_whole += heard.n_whole;
	}
	/* It has been tried. */
	printf("# %u lost, %u left, %u whole\n", n_lost, n_left, n_whole);
	assert_true(n_lost > 5 && n_left > 50 && n_whole > 5);
}

static void no_order_of_events_loses_a_copy(void **state)
{
	(void)state;
	any_order(3, 2, 2);
}

static void no_order_of_events_loses_what_has_parity(void **state)
{
	(void)state;
	any_order(3, 3, 3);
	any_order(5, 5, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_copy_that_is_lost_is_made_again),
		cmocka_unit_test(a_donor_that_leaves_is_emptied_first),
		cmocka_unit_test(a_new_donor_that_dies_leaves_no_old_bytes),
		cmocka_unit_test(without_room_the_other_copy_serves_alone),
		cmocka_unit_test(the_only_copy_moves_to_the_spare),
		cmocka_unit_test(what_was_lost_on_the_way_is_an_error),
		cmocka_unit_test(parity_that_is_lost_is_made_again),
		cmocka_unit_test(no_order_of_events_loses_a_copy),
		cmocka_unit_test(no_order_of_events_loses_what_has_parity),
	};
	const struct reactor_opts o = { .clock = &drawn };
	struct reactor *r;
	int failed;

	if (reactor_create(&o, &r, NULL))
		return 1;
	reactor_bind(r);
	seed = 1;
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	reactor_destroy(r);
	return failed;
}
