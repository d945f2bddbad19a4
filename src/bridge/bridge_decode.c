/* SPDX-License-Identifier: BSD-2-Clause */
#include "bridge/bridge_decode.h"

#include "base/base.h"

#include <errno.h>

static const int errnos[] = {
	[BRIDGE_OK] = 0,
	[BRIDGE_INVALID] = -EINVAL,
	[BRIDGE_BAD_KEY] = -EBADF,
	[BRIDGE_DENIED] = -EACCES,
	[BRIDGE_RANGE] = -ERANGE,
	[BRIDGE_FULL] = -ENOSPC,
	[BRIDGE_NO_MEMORY] = -ENOMEM,
	[BRIDGE_NOT_SEALED] = -EPERM,
	[BRIDGE_NOT_FOUND] = -ENOENT,
	[BRIDGE_UNREACHABLE] = -EHOSTUNREACH,
	[BRIDGE_BUSY] = -EBUSY,
	[BRIDGE_STALE] = -ESTALE,
	[BRIDGE_TIMED_OUT] = -ETIMEDOUT,
	[BRIDGE_OTHER_VERSION] = -EPROTO,
};

int bridge_status_errno(enum bridge_status status)
{
	if ((unsigned)status >= ARRAY_LEN(errnos))
		return -EPROTO;
	return errnos[status];
}

enum bridge_status bridge_status_from_errno(int err)
{
	for (unsigned i = 0; i < ARRAY_LEN(errnos); i++)
		if (errnos[i] == err)
			return (enum bridge_status)i;
	return BRIDGE_INVALID;
}

/* -- names: zero to the end, so that nothing else travels in them ---------- */

enum name_use { NAME_UNUSED, NAME_MAY, NAME_MUST };

static bool take_name(const char field[BRIDGE_NAME], enum name_use use,
                      char out[BRIDGE_NAME])
{
	size_t n = strnlen(field, BRIDGE_NAME);

	for (size_t i = n; i < BRIDGE_NAME; i++)
		if (field[i])
			return false;
	if (n == 0 ? use == NAME_MUST
	           : use == NAME_UNUSED || !base_is_name(field, n))
		return false;
	memcpy(out, field, BRIDGE_NAME);
	return true;
}

/* -- requests -------------------------------------------------------------- */

/* What a request may carry besides what its type says. */
static const struct shape {
	enum name_use node, name;
	unsigned number_max; /* 0: unused */
	bool must_number;
	bool must_length;
	bool rights;
} shapes[] = {
	[BRIDGE_HELLO] = { 0 },
	[BRIDGE_REGISTER] = { .rights = true },
	[BRIDGE_GRANT] = { .node = NAME_MAY,
	                   .number_max = BRIDGE_RANGES,
	                   .must_number = true,
	                   .rights = true },
	[BRIDGE_REVOKE] = { 0 },
	[BRIDGE_IMPORT] = { .node = NAME_MUST },
	[BRIDGE_OPEN] = { .node = NAME_MUST,
	                  .name = NAME_MUST,
	                  .rights = true },
	[BRIDGE_CLOSE] = { 0 },
	[BRIDGE_QUEUE] = { .number_max = 1u << 20, .must_number = true },
	[BRIDGE_UNQUEUE] = { .number_max = UINT32_MAX },
	[BRIDGE_BORROW] = { .node = NAME_MUST, .must_length = true },
};
#define REPLIES (BRIDGE_NOTICE + 1u)

int bridge_decode_request(const void *packet, size_t length,
                          struct bridge_request *out)
{
	const struct bridge_request_wire *w = packet;
	struct bridge_request r = { 0 };
	const struct shape *shape;
	uint32_t type;

	if (length != sizeof(*w))
		return -EINVAL;
	if (le32_get(w->version) != BRIDGE_VERSION)
		return -EPROTO;
	type = le32_get(w->type);
	if (type == 0 || type >= ARRAY_LEN(shapes))
		return -EINVAL;
	shape = &shapes[type];
	r.type = (enum bridge_type)type;
	r.rights = le32_get(w->rights);
	r.number = le32_get(w->number);
	r.offset = le64_get(w->offset);
	r.length = le64_get(w->length);
	r.lease_ms = le64_get(w->lease_ms);
	r.bytes_per_s = le64_get(w->bytes_per_s);
	r.ops_per_s = le64_get(w->ops_per_s);
	memcpy(r.key, w->key, sizeof(r.key));
	memcpy(r.process, w->process, sizeof(r.process));
	if (r.rights > (shape->rights ? BRIDGE_RIGHTS : 0) ||
	    r.number > shape->number_max ||
	    (shape->must_number && r.number == 0) ||
	    (shape->must_length && r.length == 0) ||
	    r.length > BRIDGE_LENGTH_MAX || r.offset > BRIDGE_LENGTH_MAX ||
	    r.lease_ms > UINT32_MAX || r.bytes_per_s > INT64_MAX ||
	    r.ops_per_s > INT64_MAX ||
	    !take_name(w->node, shape->node, r.node) ||
	    !take_name(w->name, shape->name, r.name))
		return -EINVAL;
	if (type == BRIDGE_GRANT)
		for (unsigned i = 0; i < r.number; i++) {
			memcpy(r.range[i].key, w->range[i].key, BRIDGE_KEY);
			r.range[i].offset = le64_get(w->range[i].offset);
			r.range[i].length = le64_get(w->range[i].length);
		}
	*out = r;
	return 0;
}

void bridge_encode_request(const struct bridge_request *r,
                           struct bridge_request_wire *out)
{
	*out = (struct bridge_request_wire){
		.version = le32_put(BRIDGE_VERSION),
		.type = le32_put(r->type),
		.rights = le32_put(r->rights),
		.number = le32_put(r->number),
		.offset = le64_put(r->offset),
		.length = le64_put(r->length),
		.lease_ms = le64_put(r->lease_ms),
		.bytes_per_s = le64_put(r->bytes_per_s),
		.ops_per_s = le64_put(r->ops_per_s),
	};
	memcpy(out->key, r->key, BRIDGE_KEY);
	memcpy(out->process, r->process, BRIDGE_KEY);
	memcpy(out->node, r->node, BRIDGE_NAME);
	memcpy(out->name, r->name, BRIDGE_NAME);
	for (unsigned i = 0;
	     i < BRIDGE_RANGES && i < r->number && r->type == BRIDGE_GRANT;
	     i++) {
		memcpy(out->range[i].key, r->range[i].key, BRIDGE_KEY);
		out->range[i].offset = le64_put(r->range[i].offset);
		out->range[i].length = le64_put(r->range[i].length);
	}
}

/* -- replies --------------------------------------------------------------- */

int bridge_decode_reply(const void *packet, size_t length,
                        struct bridge_reply *out)
{
	const struct bridge_reply_wire *w = packet;
	struct bridge_reply r = { 0 };

	if (length != sizeof(*w))
		return -EINVAL;
	if (le32_get(w->version) != BRIDGE_VERSION)
		return -EPROTO;
	if (le32_get(w->type) >= REPLIES ||
	    le32_get(w->status) >= ARRAY_LEN(errnos) ||
	    !take_name(w->node, NAME_MAY, r.node) ||
	    !memchr(w->words, 0, sizeof(w->words)))
		return -EINVAL;
	r.type = (enum bridge_type)le32_get(w->type);
	r.status = (enum bridge_status)le32_get(w->status);
	r.rights = le32_get(w->rights);
	r.number = le32_get(w->number);
	r.length = le64_get(w->length);
	memcpy(r.key, w->key, sizeof(r.key));
	memcpy(r.words, w->words, sizeof(r.words));
	*out = r;
	return 0;
}

void bridge_encode_reply(const struct bridge_reply *r,
                         struct bridge_reply_wire *out)
{
	*out = (struct bridge_reply_wire){
		.version = le32_put(BRIDGE_VERSION),
		.type = le32_put(r->type),
		.status = le32_put(r->status),
		.rights = le32_put(r->rights),
		.number = le32_put(r->number),
		.length = le64_put(r->length),
	};
	memcpy(out->key, r->key, BRIDGE_KEY);
	memcpy(out->node, r->node, BRIDGE_NAME);
	memcpy(out->words, r->words, BRIDGE_WORDS);
	out->words[BRIDGE_WORDS - 1] = '\0';
}
