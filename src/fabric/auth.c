/* SPDX-License-Identifier: BSD-2-Clause */
#include "fabric/auth.h"

#include "fabric/auth_codec.h"

#include "base/base.h"

#include <assert.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <string.h>
#include <sys/random.h>

/* What a MAC covers, in this order; docs/wire-auth.md. */
struct transcript {
	char label[32];
	struct auth_hello hello;
	struct auth_challenge challenge;
	uint8_t bound_to[AUTH_BINDING_LENGTH];
	/* The acceptor's identity; zeroes in the dialler's proof. */
	le64 boot;
	uint8_t id[AUTH_ID_LENGTH];
	struct auth_name name;
};
static_assert(sizeof(struct transcript) == 32 + 208 + 56 + 32 + 88, "layout");

static const char *const labels[] = {
	[AUTH_DIALLER] = "causeway dialler proof",
	[AUTH_ACCEPTOR] = "causeway acceptor proof",
};

static bool random_bytes(void *out, size_t length)
{
	return getrandom(out, length, 0) == (ssize_t)length;
}

/* -- ends ----------------------------------------------------------------- */

static const enum auth_reason reasons[] = {
	[AUTH_CAUSE_GARBAGE] = AUTH_REASON_DENIED,
	[AUTH_CAUSE_VERSION] = AUTH_REASON_VERSION,
	[AUTH_CAUSE_OPTIONS] = AUTH_REASON_VERSION,
	[AUTH_CAUSE_METHOD] = AUTH_REASON_DENIED,
	[AUTH_CAUSE_BINDING] = AUTH_REASON_DENIED,
	[AUTH_CAUSE_PROOF] = AUTH_REASON_DENIED,
	[AUTH_CAUSE_OURSELVES] = AUTH_REASON_DENIED,
	[AUTH_CAUSE_WRONG_NODE] = AUTH_REASON_DENIED,
	[AUTH_CAUSE_INTERNAL] = AUTH_REASON_DENIED,
};

static void encode_refused(enum auth_reason reason, struct auth_refused *out)
{
	memset(out, 0, sizeof(*out));
	auth_encode_header(AUTH_REFUSED, &out->header);
	out->reason = le32_put(reason);
}

void auth_encode_busy(struct auth_refused *out)
{
	encode_refused(AUTH_REASON_BUSY, out);
}

static void send_message(struct auth *a, const void *message, size_t length)
{
	memcpy(a->out, message, length);
	a->out_length = (unsigned)length;
	a->out_sent = 0;
}

void auth_abort(struct auth *a, enum auth_cause cause)
{
	a->state = AUTH_STATE_REFUSED;
	a->cause = cause;
	a->out_length = 0;
	a->out_sent = 0;
}

static void refuse(struct auth *a, enum auth_cause cause)
{
	struct auth_refused m;

	auth_abort(a, cause);
	encode_refused(reasons[cause], &m);
	send_message(a, &m, sizeof(m));
}

static void finish(struct auth *a)
{
	a->state = AUTH_STATE_DONE;
	a->peer = a->claimed;
	a->version = le16_get(a->challenge.version);
	a->options = le64_get(a->challenge.options);
}

/* -- proofs --------------------------------------------------------------- */

static bool insecure(const struct auth *a)
{
	return !a->terms->key;
}

static uint8_t method(const struct auth *a)
{
	return insecure(a) ? AUTH_INSECURE : AUTH_HMAC_SHA256;
}

/* The proof of `role`; `acceptor` is NULL in the dialler's. */
static bool make_proof(const struct auth *a, enum auth_role role,
                       const struct auth_identity *acceptor,
                       uint8_t out[AUTH_MAC_LENGTH])
{
	struct transcript t = {
		.hello = a->hello,
		.challenge = a->challenge,
	};
	size_t n = 0;

	memset(out, 0, AUTH_MAC_LENGTH);
	if (insecure(a))
		return true;
	memcpy(t.label, labels[role], strlen(labels[role]));
	memcpy(t.bound_to, a->terms->bound_to, sizeof(t.bound_to));
	if (acceptor) {
		t.boot = le64_put(acceptor->boot);
		memcpy(t.id, acceptor->id, sizeof(t.id));
		auth_encode_name(acceptor->name, &t.name);
	}
	return EVP_Q_mac(NULL, "HMAC", NULL, "SHA256", NULL,
	                 a->terms->key->proof, AUTH_KEY_LENGTH,
	                 (const uint8_t *)&t, sizeof(t), out, AUTH_MAC_LENGTH,
	                 &n) &&
	       n == AUTH_MAC_LENGTH;
}

static enum auth_cause check_proof(const struct auth *a, enum auth_role role,
                                   const struct auth_identity *acceptor,
                                   const uint8_t mac[AUTH_MAC_LENGTH])
{
	uint8_t expected[AUTH_MAC_LENGTH];

	if (!make_proof(a, role, acceptor, expected))
		return AUTH_CAUSE_INTERNAL;
	return CRYPTO_memcmp(expected, mac, sizeof(expected)) ? AUTH_CAUSE_PROOF
	                                                      : AUTH_OK;
}

/* -- messages ------------------------------------------------------------- */

static bool say_hello(struct auth *a)
{
	const struct auth_terms *t = a->terms;
	struct auth_hello *m = &a->hello;

	auth_encode_header(AUTH_HELLO, &m->header);
	m->version_min = le16_put(t->version_min);
	m->version_max = le16_put(t->version_max);
	m->method = method(a);
	m->binding = (uint8_t)t->binding;
	m->options = le64_put(t->options);
	m->boot = le64_put(t->self->boot);
	memcpy(m->id, t->self->id, sizeof(m->id));
	auth_encode_name(t->self->name, &m->name);
	auth_encode_name(t->expect, &m->expect);
	if (!(t->random ? t->random : random_bytes)(m->nonce, sizeof(m->nonce)))
		return false;
	send_message(a, m, sizeof(*m));
	return true;
}

static enum auth_cause choose(struct auth *a)
{
	const struct auth_terms *t = a->terms;
	const struct auth_hello *h = &a->hello;
	uint16_t lowest = le16_get(h->version_min);
	uint16_t highest = le16_get(h->version_max);
	uint64_t common = le64_get(h->options) & t->options;

	if (lowest < t->version_min)
		lowest = t->version_min;
	if (highest > t->version_max)
		highest = t->version_max;
	if (lowest > highest)
		return AUTH_CAUSE_VERSION;
	if (h->method != method(a))
		return AUTH_CAUSE_METHOD;
	if (h->binding != t->binding)
		return AUTH_CAUSE_BINDING;
	if (t->required & ~common)
		return AUTH_CAUSE_OPTIONS;
	a->challenge.version = le16_put(highest);
	a->challenge.options = le64_put(common);
	return AUTH_OK;
}

static enum auth_cause on_hello(struct auth *a)
{
	const struct auth_terms *t = a->terms;
	struct auth_challenge *m = &a->challenge;
	enum auth_cause cause;

	memcpy(&a->hello, a->in, sizeof(a->hello));
	if (!auth_hello_valid(&a->hello))
		return AUTH_CAUSE_GARBAGE;
	cause = choose(a);
	if (cause != AUTH_OK)
		return cause;
	auth_encode_header(AUTH_CHALLENGE, &m->header);
	m->method = method(a);
	m->binding = (uint8_t)t->binding;
	if (!(t->random ? t->random : random_bytes)(m->nonce, sizeof(m->nonce)))
		return AUTH_CAUSE_INTERNAL;
	send_message(a, m, sizeof(*m));
	a->state = AUTH_WAIT_PROOF;
	return AUTH_OK;
}

static enum auth_cause on_challenge(struct auth *a)
{
	const struct auth_terms *t = a->terms;
	struct auth_challenge *c = &a->challenge;
	struct auth_proof m;
	uint64_t options;
	uint16_t version;

	memcpy(c, a->in, sizeof(*c));
	version = le16_get(c->version);
	options = le64_get(c->options);
	if (!auth_challenge_valid(c) || (options & ~t->options))
		return AUTH_CAUSE_GARBAGE;
	if (version < t->version_min || version > t->version_max)
		return AUTH_CAUSE_VERSION;
	if (c->method != method(a))
		return AUTH_CAUSE_METHOD;
	if (c->binding != t->binding)
		return AUTH_CAUSE_BINDING;
	if (t->required & ~options)
		return AUTH_CAUSE_OPTIONS;
	/* Somebody sent our own nonce back. */
	if (memcmp(c->nonce, a->hello.nonce, sizeof(c->nonce)) == 0)
		return AUTH_CAUSE_OURSELVES;
	auth_encode_header(AUTH_PROOF, &m.header);
	if (!make_proof(a, AUTH_DIALLER, NULL, m.mac))
		return AUTH_CAUSE_INTERNAL;
	send_message(a, &m, sizeof(m));
	a->state = AUTH_WAIT_WELCOME;
	return AUTH_OK;
}

/* After the proof, so that a stranger can't find out names by trying. */
static enum auth_cause check_dialler(struct auth *a)
{
	const struct auth_identity *self = a->terms->self;
	char expect[AUTH_NAME_MAX + 1];

	auth_decode_name(&a->hello.expect, expect);
	auth_decode_name(&a->hello.name, a->claimed.name);
	a->claimed.boot = le64_get(a->hello.boot);
	memcpy(a->claimed.id, a->hello.id, sizeof(a->claimed.id));
	if (memcmp(a->claimed.id, self->id, sizeof(self->id)) == 0)
		return AUTH_CAUSE_OURSELVES;
	if (expect[0] && strcmp(expect, self->name) != 0)
		return AUTH_CAUSE_WRONG_NODE;
	return AUTH_OK;
}

static enum auth_cause on_proof(struct auth *a)
{
	const struct auth_identity *self = a->terms->self;
	struct auth_welcome m = { .boot = le64_put(self->boot) };
	const struct auth_proof *p = (const void *)a->in;
	enum auth_cause cause = check_proof(a, AUTH_DIALLER, NULL, p->mac);

	if (cause == AUTH_OK)
		cause = check_dialler(a);
	if (cause != AUTH_OK)
		return cause;
	auth_encode_header(AUTH_WELCOME, &m.header);
	memcpy(m.id, self->id, sizeof(m.id));
	auth_encode_name(self->name, &m.name);
	if (!make_proof(a, AUTH_ACCEPTOR, self, m.mac))
		return AUTH_CAUSE_INTERNAL;
	send_message(a, &m, sizeof(m));
	finish(a);
	return AUTH_OK;
}

static enum auth_cause on_welcome(struct auth *a)
{
	const struct auth_terms *t = a->terms;
	const struct auth_welcome *m = (const void *)a->in;
	enum auth_cause cause;

	if (!auth_welcome_valid(m))
		return AUTH_CAUSE_GARBAGE;
	auth_decode_name(&m->name, a->claimed.name);
	a->claimed.boot = le64_get(m->boot);
	memcpy(a->claimed.id, m->id, sizeof(a->claimed.id));
	cause = check_proof(a, AUTH_ACCEPTOR, &a->claimed, m->mac);
	if (cause != AUTH_OK)
		return cause;
	if (memcmp(a->claimed.id, t->self->id, sizeof(t->self->id)) == 0)
		return AUTH_CAUSE_OURSELVES;
	if (t->expect && t->expect[0] && strcmp(t->expect, a->claimed.name))
		return AUTH_CAUSE_WRONG_NODE;
	finish(a);
	return AUTH_OK;
}

static void on_refused(struct auth *a)
{
	const struct auth_refused *m = (const void *)a->in;

	switch (le32_get(m->reason)) {
	case AUTH_REASON_VERSION:
		auth_abort(a, AUTH_CAUSE_VERSION);
		return;
	case AUTH_REASON_BUSY:
		auth_abort(a, AUTH_CAUSE_BUSY);
		return;
	default:
		auth_abort(a, AUTH_CAUSE_REFUSED);
	}
}

static const struct {
	enum auth_type type;
	enum auth_cause (*handle)(struct auth *a);
} due[] = {
	[AUTH_WAIT_HELLO] = { AUTH_HELLO, on_hello },
	[AUTH_WAIT_CHALLENGE] = { AUTH_CHALLENGE, on_challenge },
	[AUTH_WAIT_PROOF] = { AUTH_PROOF, on_proof },
	[AUTH_WAIT_WELCOME] = { AUTH_WELCOME, on_welcome },
};

/* Length of the message whose header is in a->in; 0: it may not come now. */
static size_t due_length(const struct auth *a)
{
	const struct auth_header *h = (const void *)a->in;
	size_t length = auth_decode_length(h);

	if (length == 0 || h->type == due[a->state].type)
		return length;
	return h->type == AUTH_REFUSED && a->state != AUTH_WAIT_HELLO ? length
	                                                              : 0;
}

/* A whole message is in a->in. */
static void dispatch(struct auth *a)
{
	enum auth_cause cause;

	if (auth_decode_type((const void *)a->in) == AUTH_REFUSED) {
		on_refused(a);
		return;
	}
	cause = due[a->state].handle(a);
	if (cause != AUTH_OK)
		refuse(a, cause);
}

/* -- bytes ---------------------------------------------------------------- */

static bool running(const struct auth *a)
{
	return a->state != AUTH_STATE_DONE && a->state != AUTH_STATE_REFUSED;
}

/* Fill a->in up to `goal` bytes.  @return how many of `data` that took. */
static size_t fill(struct auth *a, const uint8_t *data, size_t length,
                   size_t goal)
{
	size_t n = goal - a->in_length;

	if (n > length)
		n = length;
	memcpy(a->in + a->in_length, data, n);
	a->in_length += (unsigned)n;
	return n;
}

size_t auth_feed(struct auth *a, const void *data, size_t length)
{
	const uint8_t *from = data;
	size_t taken = 0, goal;

	while (running(a) && !a->out_length && taken < length) {
		goal = sizeof(struct auth_header);
		if (a->in_length >= goal)
			goal = due_length(a);
		taken += fill(a, from + taken, length - taken, goal);
		if (a->in_length < goal)
			break;
		goal = due_length(a);
		if (goal == 0) {
			refuse(a, AUTH_CAUSE_GARBAGE);
		} else if (a->in_length == goal) {
			a->in_length = 0;
			dispatch(a);
		}
	}
	return taken;
}

size_t auth_pending(const struct auth *a, const void **out)
{
	*out = a->out + a->out_sent;
	return a->out_length - a->out_sent;
}

void auth_sent(struct auth *a, size_t length)
{
	assert(length <= a->out_length - a->out_sent);
	a->out_sent += (unsigned)length;
	if (a->out_sent == a->out_length)
		a->out_sent = a->out_length = 0;
}

void auth_start(struct auth *a, enum auth_role role,
                const struct auth_terms *terms)
{
	memset(a, 0, sizeof(*a));
	a->terms = terms;
	a->role = role;
	a->state = role == AUTH_DIALLER ? AUTH_WAIT_CHALLENGE : AUTH_WAIT_HELLO;
	if (role == AUTH_DIALLER && !say_hello(a))
		auth_abort(a, AUTH_CAUSE_INTERNAL);
}

/* -- for the owner -------------------------------------------------------- */

const char *auth_cause_text(enum auth_cause cause)
{
	static const char *const texts[] = {
		[AUTH_OK] = "nothing",
		[AUTH_CAUSE_GARBAGE] = "what came is not this protocol",
		[AUTH_CAUSE_VERSION] =
			"no version, or not the options, in common: one of the "
			"two programs is too old",
		[AUTH_CAUSE_OPTIONS] = "one side lacks an option that the "
				       "other requires",
		[AUTH_CAUSE_METHOD] = "one side is --insecure and the other "
				      "is not",
		[AUTH_CAUSE_BINDING] = "the two sides bind the connection to "
				       "different things: TLS on one side "
				       "only",
		[AUTH_CAUSE_PROOF] =
			"the proof is wrong: another cluster key, or an attack",
		[AUTH_CAUSE_OURSELVES] = "the node at the other end is this "
					 "one",
		[AUTH_CAUSE_WRONG_NODE] = "another node than the one dialled: "
					  "compare the names with `causeway "
					  "node list`",
		[AUTH_CAUSE_REFUSED] = "refused by the other side: see its log",
		[AUTH_CAUSE_BUSY] = "the other side has too many connections "
				    "that have not authenticated",
		[AUTH_CAUSE_TIME] = "not finished within the time limit",
		[AUTH_CAUSE_CLOSED] = "the connection ended too soon",
		[AUTH_CAUSE_INTERNAL] = "no randomness, or OpenSSL failed",
	};

	return texts[cause];
}
