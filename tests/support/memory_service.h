/* SPDX-License-Identifier: BSD-2-Clause */
/* A service (fabric/service.h) over plain memory, for tests of the fabric. */
#ifndef TESTS_MEMORY_SERVICE_H
#define TESTS_MEMORY_SERVICE_H

#include "base/base.h"
#include "fabric/service.h"

#include <assert.h>
#include <string.h>

#define MEMORY_REGIONS 8u
#define MEMORY_SENDS 4096u

struct memory_region {
	uint8_t *base;
	uint64_t length;
	unsigned rights;
	bool revoked;
	uint64_t revoke_at;   /* bytes from now, 0: never */
	uint64_t moved_after; /* bytes asked for after it was revoked */
	uint64_t split;       /* where it is cut in two, 0: nowhere */
};

struct memory_service {
	struct fabric_service service;
	struct memory_region region[MEMORY_REGIONS];
	unsigned n_accesses, n_finished, n_received, n_immediates;
	enum fabric_status last_status;
	uint64_t last_length;
	uint32_t sent[MEMORY_SENDS];      /* first four bytes of each message */
	uint8_t message[FABRIC_SEND_MAX]; /* the last */
	size_t message_length;
	uint32_t immediate[MEMORY_SENDS];
	/* called with each immediate; NULL: nothing */
	void (*on_immediate)(struct memory_service *m, uint32_t immediate,
	                     uint64_t offset, uint64_t length);
	unsigned ups, downs;
};

/* Region i's key. */
static inline struct fabric_key memory_key(unsigned i)
{
	struct fabric_key k = { { 0x4b, (uint8_t)i, 1, 2, 3 } };

	return k;
}

static inline struct memory_region *memory_find(struct memory_service *m,
                                                const struct fabric_key *key)
{
	for (unsigned i = 0; i < MEMORY_REGIONS; i++) {
		struct fabric_key k = memory_key(i);

		if (m->region[i].base && memcmp(key, &k, sizeof(k)) == 0)
			return &m->region[i];
	}
	return NULL;
}

static inline void memory_locate(struct memory_region *g, uint64_t offset,
                                 uint64_t length, struct iovec *out,
                                 unsigned *n)
{
	uint64_t first = length;

	*n = 0;
	if (g->split > offset && g->split < offset + length)
		first = g->split - offset;
	out[(*n)++] = (struct iovec){ g->base + offset, first };
	if (first < length)
		out[(*n)++] = (struct iovec){ g->base + offset + first,
			                      length - first };
}

static inline enum fabric_status memory_access(void *ctx,
                                               struct fabric_peer *from,
                                               const struct fabric_key *key,
                                               unsigned rights, uint64_t offset,
                                               uint64_t length,
                                               struct iovec *out, unsigned *n)
{
	struct memory_service *m = ctx;
	struct memory_region *g = memory_find(m, key);

	(void)from;
	m->n_accesses++;
	if (!g)
		return FABRIC_BAD_KEY;
	if (g->revoked)
		return FABRIC_REVOKED;
	if ((g->rights & rights) != rights)
		return FABRIC_DENIED;
	if (length > g->length || offset > g->length - length)
		return FABRIC_RANGE;
	if (!out)
		return FABRIC_OK;
	assert(length > 0 && length <= FABRIC_PIECE && *n >= 2);
	if (g->revoke_at && g->revoke_at <= length) {
		g->revoked = true;
		return FABRIC_REVOKED;
	}
	if (g->revoke_at)
		g->revoke_at -= length;
	memory_locate(g, offset, length, out, n);
	return FABRIC_OK;
}

static inline void memory_finished(void *ctx, struct fabric_peer *from,
                                   const struct fabric_key *key,
                                   enum fabric_opcode opcode, uint64_t length,
                                   enum fabric_status status)
{
	struct memory_service *m = ctx;

	(void)from;
	(void)key;
	(void)opcode;
	m->n_finished++;
	m->last_status = status;
	m->last_length = length;
}

static inline enum fabric_status memory_received(void *ctx,
                                                 struct fabric_peer *from,
                                                 enum fabric_class class,
                                                 const void *data,
                                                 size_t length)
{
	struct memory_service *m = ctx;

	(void)from;
	(void)class;
	m->message_length = length;
	if (length)
		memcpy(m->message, data, length);
	if (length >= 4)
		memcpy(&m->sent[m->n_received % MEMORY_SENDS], data, 4);
	m->n_received++;
	return FABRIC_OK;
}

static inline void memory_immediate(void *ctx, struct fabric_peer *from,
                                    const struct fabric_key *key,
                                    uint32_t immediate, uint64_t offset,
                                    uint64_t length)
{
	struct memory_service *m = ctx;

	(void)from;
	(void)key;
	m->immediate[m->n_immediates++ % MEMORY_SENDS] = immediate;
	if (m->on_immediate)
		m->on_immediate(m, immediate, offset, length);
}

static inline void memory_peer_state(void *ctx, struct fabric_peer *peer,
                                     bool up)
{
	struct memory_service *m = ctx;

	(void)peer;
	if (up)
		m->ups++;
	else
		m->downs++;
}

static inline enum fabric_status memory_map(void *ctx, struct fabric_peer *from,
                                            const struct fabric_key *key,
                                            unsigned *rights, struct iovec *out,
                                            unsigned *n)
{
	struct memory_region *g = memory_find(ctx, key);

	(void)from;
	if (!g)
		return FABRIC_BAD_KEY;
	if (g->revoked)
		return FABRIC_REVOKED;
	*rights = g->rights;
	memory_locate(g, 0, g->length, out, n);
	return FABRIC_OK;
}

static inline void memory_service_init(struct memory_service *m)
{
	memset(m, 0, sizeof(*m));
	m->service = (struct fabric_service){ .ctx = m,
		                              .access = memory_access,
		                              .finished = memory_finished,
		                              .received = memory_received,
		                              .immediate = memory_immediate,
		                              .peer_state = memory_peer_state,
		                              .map = memory_map };
}

#endif /* TESTS_MEMORY_SERVICE_H */
