/* SPDX-License-Identifier: BSD-2-Clause */
#include "../test.h"

#include "base/base.h"
#include "core/reactor.h"
#include "fabric/service.h"
#include "window/grant.h"
#include "window/key.h"
#include "window/region.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>

#define R FABRIC_RIGHT_READ
#define W FABRIC_RIGHT_WRITE
#define A FABRIC_RIGHT_ATOMIC
#define PAGE 4096u

static struct reactor *reactor;
static struct grant_table table;
static struct grant_owner owner;
static uint64_t time_ns;

static uint64_t now(const struct clock *c)
{
	(void)c;
	return time_ns;
}

static const struct clock hand = { .now_ns = now };

static int setup(void **state)
{
	const struct reactor_opts opts = { .name = "test", .clock = &hand };

	(void)state;
	time_ns = NS_PER_S;
	assert_int_equal(reactor_create(&opts, &reactor, NULL), 0);
	reactor_bind(reactor);
	assert_int_equal(grant_table_init(&table, reactor, 100000), 0);
	grant_owner_init(&owner, "w", 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	grant_table_fini(&table);
	reactor_bind(NULL);
	reactor_destroy(reactor);
	return 0;
}

static struct region *region(uint64_t pages)
{
	struct region *r;

	assert_int_equal(region_make(NULL, pages * PAGE, &r, NULL), 0);
	return r;
}

static struct grant *grant(const struct grant_range *ranges, unsigned n,
                           unsigned rights, struct grant_limits limits)
{
	const struct grant_holder holder = { .node = "b" };
	struct grant *g;

	assert_int_equal(grant_create(&table,
	                              &(struct grant_spec){ .holder = &holder,
	                                                    .rights = rights,
	                                                    .limits = limits,
	                                                    .owner = &owner,
	                                                    .n_ranges = n,
	                                                    .range = ranges },
	                              &g),
	                 0);
	return g;
}

static struct grant *whole(struct region *r, unsigned rights)
{
	const struct grant_range range = { .region = r, .length = r->length };

	return grant(&range, 1, rights, (struct grant_limits){ 0 });
}

/* shows M16: every offset and length around every edge, against a rule in
 * wider numbers than could wrap */
static void bounds(void **state)
{
	static const uint64_t edges[] = {
		0,
		1,
		7,
		PAGE - 1,
		PAGE,
		PAGE + 1,
		2 * PAGE - 1,
		2 * PAGE,
		2 * PAGE + 1,
		UINT64_C(1) << 31,
		UINT64_C(1) << 32,
		(UINT64_C(1) << 63) - 1,
		UINT64_C(1) << 63,
		(UINT64_C(1) << 63) + 1,
		UINT64_MAX - 2 * PAGE,
		UINT64_MAX - 2 * PAGE + 1,
		UINT64_MAX - PAGE,
		UINT64_MAX - 7,
		UINT64_MAX - 1,
		UINT64_MAX,
	};
	struct region *r = region(3);
	const struct grant_range range = { .region = r,
		                           .offset = 5,
		                           .length = 2 * PAGE };
	struct grant *g = grant(&range, 1, R | W, (struct grant_limits){ 0 });
	unsigned n_good = 0;

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(edges); i++)
		for (unsigned j = 0; j < ARRAY_LEN(edges); j++) {
			uint64_t offset = edges[i], length = edges[j];
			long double end =
				(long double)offset + (long double)length;
			bool good = end <= 2 * PAGE;
			struct iovec iov[GRANT_RANGES];
			unsigned n = GRANT_RANGES;

			assert_int_equal(
				grant_check(g, R, offset, length, time_ns),
				good ? FABRIC_OK : FABRIC_RANGE);
			if (!good || length == 0)
				continue;
			assert_int_equal(
				grant_resolve(g, offset, length, iov, &n),
				FABRIC_OK);
			assert_int_equal(n, 1);
			assert_ptr_equal(iov[0].iov_base, r->base + 5 + offset);
			assert_int_equal(iov[0].iov_len, length);
			n_good++;
		}
	assert_true(n_good > 20);
	region_put(r);
}

/* shows M16: each set of rights against each need */
static void rights(void **state)
{
	struct region *r = region(1);

	(void)state;
	for (unsigned has = 0; has <= (R | W | A); has++) {
		struct grant *g = whole(r, has);

		for (unsigned need = 0; need <= (R | W | A); need++)
			assert_int_equal(grant_check(g, need, 0, 8, time_ns),
			                 (need & ~has) ? FABRIC_DENIED
			                               : FABRIC_OK);
	}
	region_put(r);
}

/* shows M21: a gather key is its ranges one after the other, byte by byte;
 * and what is narrowed from it is what was there */
static void gather(void **state)
{
	struct region *r[3] = { region(1), region(2), region(1) };
	const struct grant_range ranges[] = {
		{ .region = r[0], .offset = 100, .length = 3 },
		{ .region = r[1], .offset = 0, .length = 1 },
		{ .region = r[0], .offset = 0, .length = 5 },
		{ .region = r[2], .offset = 4090, .length = 6 },
	};
	struct grant *g = grant(ranges, 4, R, (struct grant_limits){ 0 });
	uint8_t *expect[15];
	unsigned k = 0;

	(void)state;
	for (unsigned i = 0; i < 4; i++)
		for (unsigned b = 0; b < ranges[i].length; b++)
			expect[k++] =
				ranges[i].region->base + ranges[i].offset + b;
	assert_int_equal(g->length, 15);
	for (uint64_t from = 0; from < 15; from++)
		for (uint64_t length = 1; length <= 15 - from; length++) {
			struct grant_range narrow[GRANT_RANGES];
			struct iovec iov[GRANT_RANGES];
			unsigned n = GRANT_RANGES, n_narrow = 0;
			uint64_t at = from;

			assert_int_equal(
				grant_resolve(g, from, length, iov, &n),
				FABRIC_OK);
			for (unsigned i = 0; i < n; i++)
				for (size_t b = 0; b < iov[i].iov_len; b++)
					assert_ptr_equal(
						(uint8_t *)iov[i].iov_base + b,
						expect[at++]);
			assert_int_equal(at, from + length);
			assert_int_equal(grant_narrow(g, from, length, narrow,
			                              &n_narrow),
			                 0);
			assert_int_equal(n_narrow, n);
			for (unsigned i = 0; i < n; i++)
				assert_ptr_equal(narrow[i].region->base +
				                         narrow[i].offset,
				                 iov[i].iov_base);
		}
	assert_int_equal(grant_check(g, R, 15, 1, time_ns), FABRIC_RANGE);
	/* Room for fewer pieces than there are. */
	{
		struct iovec iov[3];
		unsigned n = 3;

		assert_int_equal(grant_resolve(g, 0, 15, iov, &n),
		                 FABRIC_RANGE);
	}
	for (unsigned i = 0; i < 3; i++)
		region_put(r[i]);
}

static void narrow_bounds(void **state)
{
	struct grant_range out[GRANT_RANGES];
	struct region *r = region(1);
	struct grant *g = whole(r, R);
	unsigned n = 0;

	(void)state;
	assert_int_equal(grant_narrow(g, 0, 0, out, &n), -ERANGE);
	assert_int_equal(grant_narrow(g, PAGE, 1, out, &n), -ERANGE);
	assert_int_equal(grant_narrow(g, 1, PAGE, out, &n), -ERANGE);
	assert_int_equal(grant_narrow(g, UINT64_MAX, 2, out, &n), -ERANGE);
	assert_int_equal(n, 0);
	for (unsigned i = 0; i < GRANT_RANGES; i++)
		assert_int_equal(grant_narrow(g, i, 1, out, &n), 0);
	assert_int_equal(grant_narrow(g, 0, 1, out, &n), -ENOSPC);
	assert_int_equal(n, GRANT_RANGES);
	region_put(r);
}

/* shows M23: good to its last nanosecond, gone with the next */
static void leases(void **state)
{
	struct region *r = region(1);
	const struct grant_range range = { .region = r, .length = PAGE };
	struct grant *g[3];
	uint64_t began = time_ns;

	(void)state;
	/* The later ones were made first. */
	for (unsigned i = 3; i-- > 0;)
		g[i] = grant(
			&range, 1, R,
			(struct grant_limits){
				.expires_ns = began + (i + 1) * NS_PER_MS });
	for (unsigned i = 0; i < 3; i++) {
		struct fabric_key key = g[i]->key;

		time_ns = began + (i + 1) * NS_PER_MS - 1;
		assert_int_equal(grant_check(g[i], R, 0, 8, time_ns),
		                 FABRIC_OK);
		time_ns++;
		assert_int_equal(grant_check(g[i], R, 0, 8, time_ns),
		                 FABRIC_EXPIRED);
		while (reactor_poll(reactor))
			;
		assert_int_equal(table.n_living, 2 - i);
		/* Whoever comes late is told. */
		assert_ptr_equal(grant_find(&table, &key), g[i]);
		assert_int_equal(g[i]->state, GRANT_EXPIRED);
	}
	assert_int_equal(r->n_users, 1);
	region_put(r);
}

/* shows M23: so many a second on average, however they come */
static void quotas(void **state)
{
	struct region *r = region(4);
	const struct grant_range range = { .region = r, .length = 4 * PAGE };
	struct grant *ops = grant(&range, 1, R | W,
	                          (struct grant_limits){ .ops_per_s = 100 });
	struct grant *bytes = grant(
		&range, 1, R | W, (struct grant_limits){ .bytes_per_s = PAGE });
	unsigned done = 0;

	(void)state;
	for (unsigned ms = 0; ms < 10000; ms++, time_ns += NS_PER_MS)
		while (grant_check(ops, R, 0, 8, time_ns) == FABRIC_OK) {
			grant_charge(ops, FABRIC_READ, 8, FABRIC_OK);
			done++;
		}
	/* A second's worth at once, then 100 a second. */
	assert_in_range(done, 1090, 1101);
	assert_int_equal(ops->counters.n_reads, done);

	/* One of 4 seconds' worth passes, and those after it wait. */
	assert_int_equal(grant_check(bytes, W, 0, 4 * PAGE, time_ns),
	                 FABRIC_OK);
	grant_charge(bytes, FABRIC_WRITE, 4 * PAGE, FABRIC_OK);
	time_ns += 2999 * NS_PER_MS;
	assert_int_equal(grant_check(bytes, W, 0, 1, time_ns), FABRIC_QUOTA);
	time_ns += 2 * NS_PER_MS;
	assert_int_equal(grant_check(bytes, W, 0, 1, time_ns), FABRIC_OK);
	assert_int_equal(bytes->counters.bytes_written, 4 * PAGE);
	/* What is refused is counted and costs nothing. */
	grant_charge(bytes, FABRIC_WRITE, 4 * PAGE, FABRIC_DENIED);
	assert_int_equal(grant_check(bytes, W, 0, 1, time_ns), FABRIC_OK);
	assert_int_equal(bytes->counters.n_refused, 1);
	region_put(r);
}

/* shows X1: three uses of one table; revoke one, only that stops */
static void only_that(void **state)
{
	struct region *lent = region(1), *drive = region(1), *guest = region(1);
	struct grant *g[] = { whole(lent, R | W), whole(drive, R | W),
		              whole(guest, R | W), whole(lent, R) };

	(void)state;
	grant_end(&table, g[0], GRANT_REVOKED);
	assert_int_equal(grant_check(g[0], R, 0, 1, time_ns), FABRIC_REVOKED);
	for (unsigned i = 1; i < 4; i++)
		assert_int_equal(grant_check(g[i], R, 0, 1, time_ns),
		                 FABRIC_OK);
	grant_end_region(&table, drive);
	assert_int_equal(grant_check(g[1], R, 0, 1, time_ns), FABRIC_REVOKED);
	assert_int_equal(grant_check(g[2], W, 0, 1, time_ns), FABRIC_OK);
	assert_int_equal(grant_check(g[3], R, 0, 1, time_ns), FABRIC_OK);
	assert_int_equal(drive->n_users, 1);
	region_put(lent);
	region_put(drive);
	region_put(guest);
}

/* Memory stays mapped while an operation uses it, and not longer. */
static void held(void **state)
{
	struct region *r = region(1);
	struct grant *g = whole(r, R);

	(void)state;
	grant_get(g);
	grant_end_region(&table, r);
	assert_int_equal(r->n_users, 2);
	assert_non_null(g->range[0].region);
	grant_put(g);
	assert_int_equal(r->n_users, 1);
	assert_null(g->range[0].region);
	region_put(r);
}

/* The dead are remembered, so many and no more. */
static void remembered(void **state)
{
	struct region *r = region(1);
	struct fabric_key first = { 0 }, last = { 0 };

	(void)state;
	for (unsigned i = 0; i < GRANT_REMEMBERED + 1; i++) {
		struct grant *g = whole(r, R);

		if (i == 0)
			first = g->key;
		last = g->key;
		grant_end(&table, g, GRANT_REVOKED);
	}
	assert_null(grant_find(&table, &first));
	assert_non_null(grant_find(&table, &last));
	assert_int_equal(table.n_dead, GRANT_REMEMBERED);
	assert_int_equal(r->n_users, 1);
	region_put(r);
}

/* What a process may not give us. */
static void bad_memory(void **state)
{
	int sealed = memfd_create("t", MFD_ALLOW_SEALING);
	int open_end = memfd_create("t", MFD_ALLOW_SEALING);
	int frozen = memfd_create("t", MFD_ALLOW_SEALING);
	int pair[2];
	const struct {
		int *fd;
		uint64_t offset, length;
		unsigned rights;
		int err;
	} rows[] = {
		{ &sealed, 0, PAGE, R | W, 0 },
		{ &sealed, PAGE, PAGE, R | W, 0 },
		{ &sealed, 0, 2 * PAGE - 1, R | W, 0 },
		{ &sealed, 0, 0, R, -EINVAL },
		{ &sealed, 1, PAGE, R, -EINVAL },
		{ &sealed, PAGE, PAGE + 1, R, -EINVAL },
		{ &sealed, 2 * PAGE, 1, R, -EINVAL },
		{ &sealed, UINT64_MAX - PAGE + 1, PAGE, R, -EINVAL },
		{ &open_end, 0, PAGE, R, -EPERM },
		{ &frozen, 0, PAGE, R | W, -EACCES },
		{ &frozen, 0, PAGE, R, 0 },
		{ &pair[0], 0, PAGE, R, -EPERM },
	};

	(void)state;
	assert_int_equal(pipe(pair), 0);
	assert_int_equal(ftruncate(sealed, 2 * PAGE), 0);
	assert_int_equal(ftruncate(open_end, 2 * PAGE), 0);
	assert_int_equal(ftruncate(frozen, 2 * PAGE), 0);
	assert_int_equal(fcntl(sealed, F_ADD_SEALS, F_SEAL_SHRINK), 0);
	assert_int_equal(
		fcntl(frozen, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_WRITE), 0);
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		struct region *r = NULL;
		struct err e = { 0 };

		assert_int_equal(region_map(*rows[i].fd, rows[i].offset,
		                            rows[i].length, rows[i].rights, &r,
		                            &e),
		                 rows[i].err);
		if (rows[i].err)
			assert_true(e.text[0]);
		region_put(r);
	}
	for (unsigned i = 0; i < 2; i++)
		close(pair[i]);
	close(sealed);
	close(open_end);
	close(frozen);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(bounds, setup, teardown),
		cmocka_unit_test_setup_teardown(rights, setup, teardown),
		cmocka_unit_test_setup_teardown(gather, setup, teardown),
		cmocka_unit_test_setup_teardown(narrow_bounds, setup, teardown),
		cmocka_unit_test_setup_teardown(leases, setup, teardown),
		cmocka_unit_test_setup_teardown(quotas, setup, teardown),
		cmocka_unit_test_setup_teardown(only_that, setup, teardown),
		cmocka_unit_test_setup_teardown(held, setup, teardown),
		cmocka_unit_test_setup_teardown(remembered, setup, teardown),
		cmocka_unit_test(bad_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
