/* SPDX-License-Identifier: BSD-2-Clause */
/* The acceptor's half of a verbs lane: memory that the peer may use. */
#include "fabric/verbs_lane_priv.h"

#include <infiniband/verbs.h>
#include <string.h>

static struct granted *find(struct verbs_lane *l, const struct fabric_key *key)
{
	for (unsigned i = 0; i < VERBS_MAPS; i++)
		if (l->granted[i].n &&
		    memcmp(&l->granted[i].key, key, sizeof(*key)) == 0)
			return &l->granted[i];
	return NULL;
}

static struct granted *find_free(struct verbs_lane *l)
{
	for (unsigned i = 0; i < VERBS_MAPS; i++)
		if (l->granted[i].n == 0)
			return &l->granted[i];
	return NULL;
}

/* @return whether the adapter will use none of it any more. */
static bool deregister(struct granted *g)
{
	while (g->n) {
		if (ibv_dereg_mr(g->mr[g->n - 1]))
			return false;
		g->n--;
	}
	return true;
}

/* The key's rights and no more (VB1). */
static unsigned access_of(unsigned rights)
{
	unsigned access = 0;

	if (rights & FABRIC_RIGHT_READ)
		access |= IBV_ACCESS_REMOTE_READ;
	if (rights & FABRIC_RIGHT_WRITE)
		access |= IBV_ACCESS_REMOTE_WRITE | IBV_ACCESS_LOCAL_WRITE;
	return access;
}

static enum fabric_status grant(struct verbs_lane *l, struct granted *g,
                                const struct fabric_key *key,
                                struct verbs_map *m)
{
	const struct fabric_service *s = target_service(l->target);
	struct iovec iov[VERBS_WIRE_PARTS];
	unsigned n = VERBS_WIRE_PARTS;
	enum fabric_status status;

	if (!s->map)
		return FABRIC_DENIED;
	status = s->map(s->ctx, target_peer(l->target), key, &m->rights, iov,
	                &n);
	if (status != FABRIC_OK)
		return status;
	g->key = *key;
	for (unsigned i = 0; i < n; i++) {
		struct ibv_mr *mr = ibv_reg_mr(verbs_stream_domain(l->stream),
		                               iov[i].iov_base, iov[i].iov_len,
		                               access_of(m->rights));

		if (!mr)
			return FABRIC_BUSY;
		g->mr[g->n++] = mr;
		m->part[m->n].address = (uintptr_t)iov[i].iov_base;
		m->part[m->n].length = iov[i].iov_len;
		m->part[m->n++].rkey = mr->rkey;
	}
	return FABRIC_OK;
}

void verbs_serve_map(struct verbs_lane *l, const struct frame *f)
{
	struct verbs_map m = { 0 };
	struct verbs_wire_mapped body;
	struct granted *g;
	struct frame answer = { .type = FABRIC_WIRE_MAPPED,
		                .key = f->key,
		                .status = FABRIC_BUSY,
		                .last = true };

	g = find(l, &f->key) ? NULL : find_free(l);
	if (g)
		answer.status = grant(l, g, &f->key, &m);
	if (g && answer.status != FABRIC_OK)
		deregister(g);
	if (answer.status == FABRIC_OK)
		answer.length = (uint32_t)verbs_codec_encode(&m, &body);
	/* Without an answer the peer does without RDMA. */
	(void)lane_control(l->inner, &answer, &body);
}

void verbs_serve_revoked(struct verbs_lane *l, const struct fabric_key *key)
{
	struct granted *g = l->granted ? find(l, key) : NULL;
	const struct frame f = { .type = FABRIC_WIRE_UNMAP,
		                 .key = *key,
		                 .last = true };

	if (!g)
		return;
	if (!deregister(g)) {
		verbs_stream_cut(l->stream);
		deregister(g);
	}
	(void)lane_control(l->inner, &f, NULL);
}

void verbs_serve_end(struct verbs_lane *l)
{
	for (unsigned i = 0; l->granted && i < VERBS_MAPS; i++)
		deregister(&l->granted[i]);
}
