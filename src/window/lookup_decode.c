/* SPDX-License-Identifier: BSD-2-Clause */
#include "window/lookup_decode.h"

#include "base/base.h"
#include "fabric/service.h"

#include <errno.h>

#define ALL_RIGHTS                                                             \
	(FABRIC_RIGHT_READ | FABRIC_RIGHT_WRITE | FABRIC_RIGHT_ATOMIC)

static const int errnos[] = {
	[LOOKUP_OK] = 0,
	[LOOKUP_BAD_KEY] = -EBADF,
	[LOOKUP_NOT_FOUND] = -ENOENT,
	[LOOKUP_DENIED] = -EACCES,
	[LOOKUP_REVOKED] = -ESTALE,
	[LOOKUP_EXPIRED] = -EKEYEXPIRED,
	[LOOKUP_BUSY] = -EBUSY,
	[LOOKUP_IO_ERROR] = -EIO,
	[LOOKUP_FULL] = -ENOSPC,
};

int lookup_status_errno(enum lookup_status status)
{
	return errnos[status];
}

enum lookup_status lookup_status_from_errno(int err)
{
	for (unsigned i = 0; i < ARRAY_LEN(errnos); i++)
		if (errnos[i] == err)
			return (enum lookup_status)i;
	return LOOKUP_IO_ERROR;
}

static bool all_zero(const void *bytes, size_t n)
{
	const uint8_t *b = bytes;

	while (n > 0 && b[n - 1] == 0)
		n--;
	return n == 0;
}

static int decode_ask(const struct lookup_wire *w, struct lookup_message *m)
{
	size_t n = strnlen(w->name, sizeof(w->name));
	uint32_t what = le32_get(w->what);

	if (m->rights & ~ALL_RIGHTS || m->lease_ms || m->flags ||
	    (m->length != 0) != (what == LOOKUP_LEND))
		return -EINVAL;
	m->what = (enum lookup_what)what;
	switch (what) {
	case LOOKUP_KEY:
	case LOOKUP_SYNC:
	case LOOKUP_RENEW:
	case LOOKUP_RETURN:
		return n == 0 && all_zero(w->name, sizeof(w->name)) ? 0
		                                                    : -EINVAL;
	case LOOKUP_LEND:
		return m->rights == 0 && all_zero(w->name, sizeof(w->name)) &&
		                       all_zero(w->key, sizeof(w->key)) &&
		                       all_zero(w->process, sizeof(w->process))
		               ? 0
		               : -EINVAL;
	case LOOKUP_NAME:
		return base_is_name(w->name, n) &&
		                       all_zero(w->name + n,
		                                sizeof(w->name) - n) &&
		                       all_zero(w->key, sizeof(w->key)) &&
		                       all_zero(w->process, sizeof(w->process))
		               ? 0
		               : -EINVAL;
	default:
		return -EINVAL;
	}
}

static int decode_answer(const struct lookup_wire *w, struct lookup_message *m)
{
	uint32_t status = le32_get(w->what);

	if (status >= ARRAY_LEN(errnos) || m->rights & ~ALL_RIGHTS ||
	    m->flags & ~LOOKUP_FLAGS || !all_zero(w->name, sizeof(w->name)) ||
	    !all_zero(w->process, sizeof(w->process)) ||
	    (status != LOOKUP_OK && (m->rights || m->lease_ms || m->flags ||
	                             (m->length && status != LOOKUP_FULL) ||
	                             !all_zero(w->key, sizeof(w->key)))))
		return -EINVAL;
	m->status = (enum lookup_status)status;
	return 0;
}

static int decode_notice(const struct lookup_wire *w,
                         const struct lookup_message *m)
{
	return le32_get(w->what) || m->rights || m->length || m->flags ||
	                       m->id || !all_zero(w->name, sizeof(w->name)) ||
	                       !all_zero(w->process, sizeof(w->process))
	               ? -EINVAL
	               : 0;
}

int lookup_decode(const void *data, size_t length, struct lookup_message *out)
{
	const struct lookup_wire *w = data;
	struct lookup_message m = { 0 };
	uint32_t type;
	int err;

	if (length < sizeof(w->service) ||
	    le32_get(w->service) != LOOKUP_SERVICE)
		return -ENOMSG;
	if (length != sizeof(*w))
		return -EINVAL;
	type = le32_get(w->type);
	m.type = (enum lookup_type)type;
	m.id = le64_get(w->id);
	m.rights = le32_get(w->rights);
	m.length = le64_get(w->length);
	m.lease_ms = le64_get(w->lease_ms);
	m.flags = le64_get(w->flags);
	memcpy(m.key.byte, w->key, sizeof(w->key));
	memcpy(m.process.byte, w->process, sizeof(w->process));
	memcpy(m.name, w->name, sizeof(m.name));
	if (type == LOOKUP_ASK)
		err = decode_ask(w, &m);
	else if (type == LOOKUP_ANSWER)
		err = decode_answer(w, &m);
	else
		err = type == LOOKUP_NOTICE ? decode_notice(w, &m) : -EINVAL;
	if (!err)
		*out = m;
	return err;
}

void lookup_encode(const struct lookup_message *m, struct lookup_wire *out)
{
	*out = (struct lookup_wire){
		.service = le32_put(LOOKUP_SERVICE),
		.type = le32_put(m->type),
		.id = le64_put(m->id),
		.what = le32_put(m->type == LOOKUP_ANSWER ? (uint32_t)m->status
		                                          : (uint32_t)m->what),
		.rights = le32_put(m->rights),
		.length = le64_put(m->length),
		.lease_ms = le64_put(m->lease_ms),
		.flags = le64_put(m->flags),
	};
	memcpy(out->key, m->key.byte, sizeof(out->key));
	memcpy(out->process, m->process.byte, sizeof(out->process));
	memcpy(out->name, m->name, sizeof(out->name));
}
