/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A hostile peer of the handshake, in either role; the first byte chooses
 * role and method.  Without the key nobody gets in (A1), and no one makes it
 * take more than AUTH_BYTES_MAX (A3).
 */
#include "base/base.h"
#include "fabric/auth.h"
#include "fabric/auth_codec.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool constant(void *out, size_t length)
{
	memset(out, 0x42, length);
	return true;
}

static void check(const struct auth *a, const struct auth_terms *t, size_t took)
{
	struct auth_name n;

	if (took > AUTH_BYTES_MAX)
		abort();
	if (a->state == AUTH_STATE_DONE) {
		if (t->key || a->version < t->version_min ||
		    a->version > t->version_max || (a->options & ~t->options) ||
		    t->required & ~a->options ||
		    memcmp(a->peer.id, t->self->id, AUTH_ID_LENGTH) == 0)
			abort();
		auth_encode_name(a->peer.name, &n);
		if (n.length == 0)
			abort();
	}
	if (a->state == AUTH_STATE_REFUSED && a->cause == AUTH_OK)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct auth_key key;
	static const struct auth_identity self = { .id = "x", .name = "self" };
	unsigned how = size ? data[0] : 0;
	struct auth_terms t = {
		.key = how & 1 ? &key : NULL,
		.self = &self,
		.version_min = 1,
		.version_max = 2,
		.options = 7,
		.required = how & 2 ? 1 : 0,
		.binding = AUTH_BIND_NOTHING,
		.random = constant,
	};
	struct auth a;
	size_t took = 0, n;
	const void *out;

	auth_start(&a, how & 4 ? AUTH_DIALLER : AUTH_ACCEPTOR, &t);
	for (size_t at = 1; at < size;) {
		size_t step = how >> 4 ? how >> 4 : size;

		n = auth_pending(&a, &out);
		auth_sent(&a, n);
		n = auth_feed(&a, data + at,
		              step < size - at ? step : size - at);
		took += n;
		at += n;
		if (n == 0 && auth_pending(&a, &out) == 0)
			break;
	}
	check(&a, &t, took);
	return 0;
}
