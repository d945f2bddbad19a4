/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A message between nodes about windows, from a peer that may say anything.
 * Properties: what decodes encodes to the same bytes; a question gets an
 * answer that decodes, and names a key only if that key is the asker's; no
 * more is lent than is offered.
 */
#include "window/host.h"
#include "window/key.h"
#include "window/lookup_decode.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct reactor *reactor;
static struct window_host *host;
static struct fabric_key good; /* of node "peer" */
static struct fabric_key lent; /* the latest loan's, ... */
static const char *lent_to = "";

static void prepare(void)
{
	const struct reactor_opts opts = { .name = "fuzz" };

	if (reactor_create(&opts, &reactor, NULL))
		abort();
	reactor_bind(reactor);
	if (window_host_create(&(struct window_host_opts){ .reactor = reactor,
	                                                   .node = "here" },
	                       &host, NULL) ||
	    window_create(host, "w", 4096, NULL, NULL) ||
	    window_allow(host, "w", "peer", FABRIC_RIGHT_READ, NULL, NULL))
		abort();
	if (window_offer_set(
		    host,
		    &(struct window_offer){ .size = 8 << 20, .lease_ms = 1000 },
		    0, NULL))
		abort();
	good = list_entry(host_named(host, "w")->owner.grants.next,
	                  struct grant, owner_link)
	               ->key;
}

static bool is_holder(const char *node, const struct fabric_key *key)
{
	return key_equal(key, &lent)
	               ? !strcmp(node, lent_to)
	               : !strcmp(node, "peer") && key_equal(key, &good);
}

static void ask(const struct lookup_message *m, const char *node)
{
	struct lookup_message answer, again;
	struct lookup_wire wire;
	struct guard guard;
	struct grant *g;

	guard_init(&guard, GUARD_QUESTIONS, node, NULL, 1);
	host_answer(host, &guard, m, &answer, &g);
	lookup_encode(&answer, &wire);
	if (lookup_decode(&wire, sizeof(wire), &again) || answer.id != m->id ||
	    host->lend.lent > host->lend.offered)
		abort();
	if (answer.status != LOOKUP_OK) {
		if (g || !key_is_none(&answer.key))
			abort();
		return;
	}
	if (m->what == LOOKUP_LEND) {
		lent = answer.key;
		lent_to = node;
	}
	if (!key_is_none(&answer.key) && !is_holder(node, &answer.key))
		abort();
	if ((m->what == LOOKUP_RENEW || m->what == LOOKUP_RETURN) &&
	    (!key_equal(&m->key, &lent) || strcmp(node, lent_to) != 0))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t bytes[sizeof(struct lookup_wire) + 1];
	struct lookup_wire *w = (struct lookup_wire *)bytes;
	struct lookup_message m;
	unsigned choices = size ? *data++ : 0;

	if (!host)
		prepare();
	size -= size > 0;
	if (size > sizeof(bytes))
		size = sizeof(bytes);
	memcpy(bytes, data, size);
	/* Random input guesses neither the service nor a key. */
	if (choices & 1 && size >= 4)
		w->service = le32_put(LOOKUP_SERVICE);
	if (choices & 2 && size >= sizeof(*w))
		memcpy(w->key, good.byte, sizeof(w->key));
	if (choices & 4 && size >= sizeof(*w))
		memcpy(w->key, lent.byte, sizeof(w->key));
	if (lookup_decode(bytes, size, &m) == 0) {
		struct lookup_wire again;

		lookup_encode(&m, &again);
		if (memcmp(&again, bytes, sizeof(again)) != 0)
			abort();
		if (m.type == LOOKUP_ASK) {
			ask(&m, "peer");
			ask(&m, "stranger");
		}
	}
	return 0;
}
