/* SPDX-License-Identifier: BSD-2-Clause */
#include "../test.h"

#include "../../support/block_rig.h"

#include "block/finish.h"

#include <errno.h>

static unsigned order[8];
static unsigned n_ended;

struct numbered {
	struct block_request q;
	unsigned number;
	struct numbered *then; /* to end from this one's callback */
};

static void ended(struct block_request *q, int err)
{
	struct numbered *n = container_of(q, struct numbered, q);

	assert_int_equal(err, -(int)n->number);
	order[n_ended++] = n->number;
	if (n->then)
		block_finish(&n->then->q, -(int)n->then->number);
}

static void requests_end_later_in_order_with_their_errors(void **state)
{
	struct reactor *r = reactor_current();
	struct numbered n[4];

	(void)state;
	n_ended = 0;
	for (unsigned i = 0; i < 4; i++)
		n[i] = (struct numbered){ .q.done = ended, .number = i };
	n[0].then = &n[3];
	for (unsigned i = 0; i < 3; i++)
		block_finish(&n[i].q, -(int)i);
	assert_int_equal(n_ended, 0);
	while (n_ended < 4)
		reactor_poll(r);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(order[i], i);
}

/* As in a simulation, where one thread drives every node by hand. */
static void each_reactor_ends_its_own(void **state)
{
	struct reactor *mine = reactor_current();
	struct reactor *other = rig_reactor();
	struct numbered n[4];

	(void)state;
	n_ended = 0;
	for (unsigned i = 0; i < 4; i++) {
		n[i] = (struct numbered){ .q.done = ended, .number = i };
		reactor_bind(i % 2 ? other : mine);
		block_finish(&n[i].q, -(int)i);
	}
	while (reactor_poll(other))
		;
	assert_int_equal(n_ended, 2);
	assert_int_equal(order[0], 1);
	assert_int_equal(order[1], 3);
	reactor_bind(mine);
	while (reactor_poll(mine))
		;
	assert_int_equal(n_ended, 4);
	assert_int_equal(order[2], 0);
	assert_int_equal(order[3], 2);
	reactor_destroy(other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests_end_later_in_order_with_their_errors),
		cmocka_unit_test(each_reactor_ends_its_own),
	};
	struct reactor *r = rig_reactor();
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	reactor_destroy(r);
	return failed;
}
