/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Three managers of one fabric under load; one after the other is killed and
 * started again, frozen and thawed, or cut off and joined again, at random,
 * mostly the master.  Each time: whoever is next is a settled master within 2
 * s; 5 s after it is over one is master and the others stand by; every host has
 * the virtual LID that it had at first; every flow arrives, in order, and
 * only what was on a cut cable is lost.
 *
 *     CYCLES=200 model_takeover [SEED]
 *
 * shows L4, L17
 */
#include "../unit/test.h"

#include "../unit/subnet/sm_rig.h"

#include "base/clock.h"
#include "subnet/subnet_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MANAGERS 3u
#define HOSTS 24u
#define TAKEOVER_MS 2000u
#define AGREE_MS 5000u

static uint64_t seed = 1;
static unsigned n_cycles = 40;

enum harm { KILL, FREEZE, PARTITION, HARMS };

static const char *const harm_names[] = { "killed", "frozen", "cut off" };
static const char *const places[MANAGERS] = { "H00000:1", "H00009:1",
	                                      "H00017:1" };

struct world {
	struct sm_rig rig;
	uint64_t random;
	uint16_t vlid[HOSTS];
	uint64_t lost_link;
	unsigned cycle;
	unsigned victim;
	enum harm harm;
	unsigned slowest[HARMS], agreed; /* ms */
};

#define HOLDS(w, what)                                                         \
	do {                                                                   \
		if (!(what))                                                   \
			fail_msg("seed %lu, cycle %u, manager %u %s: %s",      \
			         seed, (w)->cycle, (w)->victim,                \
			         harm_names[(w)->harm], #what);                \
	} while (0)

static uint64_t draw(struct world *w)
{
	w->random ^= w->random << 13;
	w->random ^= w->random >> 7;
	w->random ^= w->random << 17;
	return w->random;
}

static bool is_settled_master(const struct world *w, unsigned i)
{
	struct subnet_status st;

	if (!w->rig.sm[i].s)
		return false;
	subnet_status(w->rig.sm[i].s, &st);
	return st.settled;
}

static unsigned in_state(const struct world *w, enum subnet_state state)
{
	struct subnet_status st;
	unsigned n = 0;

	for (unsigned i = 0; i < MANAGERS; i++) {
		if (!w->rig.sm[i].s)
			continue;
		subnet_status(w->rig.sm[i].s, &st);
		n += st.state == state;
	}
	return n;
}

/* A millisecond; a link sends some packets while a manager waits for answers,
 * and one when none has anything to do. */
#define TICKS_BUSY 20u
static void pass(struct world *w)
{
	while (sm_rig_poll(&w->rig))
		ibnet_tick(w->rig.net, TICKS_BUSY);
	ibnet_tick(w->rig.net, 1);
	w->rig.now_ns += NS_PER_MS;
}

/* -- what happens ---------------------------------------------------------- */

static void start(struct world *w, unsigned i)
{
	w->rig.sm[i].apart = true;
	sm_rig_start(&w->rig, i, places[i]);
}

static void hurt(struct world *w)
{
	switch (w->harm) {
	case KILL:
		sm_rig_stop(&w->rig, w->victim);
		break;
	case FREEZE:
		w->rig.sm[w->victim].frozen = true;
		break;
	case PARTITION:
	case HARMS:
		ibnet_cut(ibnet_find(w->rig.net, places[w->victim]));
	}
}

static void heal(struct world *w)
{
	switch (w->harm) {
	case KILL:
		start(w, w->victim);
		break;
	case FREEZE:
		w->rig.sm[w->victim].frozen = false;
		break;
	case PARTITION:
	case HARMS:
		ibnet_restore(ibnet_find(w->rig.net, places[w->victim]));
	}
}

/* -- what must hold -------------------------------------------------------- */

static int next_master(const struct world *w)
{
	for (unsigned i = 0; i < MANAGERS; i++)
		if (i != w->victim && is_settled_master(w, i))
			return (int)i;
	return -1;
}

static void wait_for_master(struct world *w)
{
	unsigned ms = 0;

	for (; next_master(w) < 0; ms++) {
		HOLDS(w, ms < TAKEOVER_MS);
		pass(w);
	}
	if (ms > w->slowest[w->harm])
		w->slowest[w->harm] = ms;
}

static void wait_for_agreement(struct world *w)
{
	unsigned ms = 0;

	for (; in_state(w, SUBNET_MASTER) != 1 ||
	       in_state(w, SUBNET_STANDBY) != MANAGERS - 1;
	     ms++) {
		HOLDS(w, ms < AGREE_MS);
		pass(w);
	}
	if (ms > w->agreed)
		w->agreed = ms;
}

/* The one; it may be busy with a pass. */
static struct subnet *master(struct world *w)
{
	for (unsigned ms = 0; ms < AGREE_MS; ms++) {
		for (unsigned i = 0; i < MANAGERS; i++)
			if (is_settled_master(w, i))
				return w->rig.sm[i].s;
		pass(w);
	}
	fail_msg("seed %lu, cycle %u: nobody is settled", seed, w->cycle);
	return NULL;
}

static uint16_t vlid_of(struct world *w, unsigned host)
{
	struct subnet *s = master(w);
	struct query_lag lag;
	uint32_t at = 0;
	char name[16];

	snprintf(name, sizeof(name), "H%05u", host);
	while (query_lag(s, &at, &lag))
		if (strcmp(lag.desc, name) == 0)
			return lag.virtual_lid;
	return 0;
}

static void check_data(struct world *w)
{
	struct ibnet_data_stats d;

	HOLDS(w, ibnet_flow_silent(w->rig.net) == 0);
	ibnet_data_get(w->rig.net, &d);
	HOLDS(w, d.flows.reordered == 0 && d.flows.duplicated == 0);
	HOLDS(w, d.flows.sent == d.flows.received + d.in_flight + d.lost_link +
	                                 d.lost_group);
	if (w->harm != PARTITION)
		HOLDS(w, d.lost_link + d.lost_group == w->lost_link);
	w->lost_link = d.lost_link + d.lost_group;
}

static void one_cycle(struct world *w)
{
	struct subnet_status st;

	w->harm = draw(w) % HARMS;
	w->victim = (unsigned)(draw(w) % MANAGERS);
	for (unsigned i = 0; i < MANAGERS && draw(w) % 4; i++) {
		subnet_status(w->rig.sm[i].s, &st);
		if (st.state == SUBNET_MASTER)
			w->victim = i;
	}
	hurt(w);
	wait_for_master(w);
	for (unsigned ms = (unsigned)(draw(w) % 1000); ms > 0; ms--)
		pass(w);
	heal(w);
	wait_for_agreement(w);
	for (unsigned i = 0; i < HOSTS; i++)
		HOLDS(w, vlid_of(w, i) == w->vlid[i]);
	check_data(w);
}

static void one_master_whatever_happens(void **state)
{
	static struct world world;
	struct world *w = &world;
	struct ibnet_data_stats d;
	struct err e = { 0 };
	uint32_t id;

	(void)state;
	w->random = seed * 2654435761u + 1;
	sm_rig_init(&w->rig, "clos:hosts=24,ports=2,radix=12");
	start(w, 0);
	assert_true(sm_rig_settle(&w->rig, 0, 5000) >= 0);
	start(w, 1);
	start(w, 2);
	for (unsigned ms = 0; ms < 2000; ms++)
		pass(w);
	for (unsigned i = 0; i < HOSTS; i++) {
		char name[16];

		w->vlid[i] = vlid_of(w, i);
		assert_int_not_equal(w->vlid[i], 0);
		snprintf(name, sizeof(name), "H%05u", i);
		assert_int_equal(ibnet_flow_add(ibnet_node(w->rig.net, name),
		                                vlid_of(w, (i + 5) % HOSTS),
		                                &id, &e),
		                 0);
	}
	for (w->cycle = 0; w->cycle < n_cycles; w->cycle++)
		one_cycle(w);
	ibnet_data_get(w->rig.net, &d);
	print_message("%u cycles: takeover within %u ms (killed), %u ms "
	              "(frozen), %u ms (cut off); agreed within %u ms; "
	              "%lu packets, %lu lost on cut cables\n",
	              n_cycles, w->slowest[KILL], w->slowest[FREEZE],
	              w->slowest[PARTITION], w->agreed, d.flows.sent,
	              w->lost_link);
	ibnet_flow_clear(w->rig.net);
	sm_rig_fini(&w->rig);
}

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_master_whatever_happens),
	};
	const char *cycles = getenv("CYCLES");

	if (argc > 1)
		seed = strtoull(argv[1], NULL, 0);
	if (cycles)
		n_cycles = (unsigned)strtoul(cycles, NULL, 0);
	return cmocka_run_group_tests_name("model/takeover", tests, NULL, NULL);
}
