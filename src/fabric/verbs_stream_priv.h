/* SPDX-License-Identifier: BSD-2-Clause */
/* The inside of a verbs stream, for the two files that share it. */
#ifndef FABRIC_VERBS_STREAM_PRIV_H
#define FABRIC_VERBS_STREAM_PRIV_H

#include "base/base.h"
#include "core/reactor.h"
#include "fabric/lane.h"
#include "fabric/verbs_stream.h"

#include <rdma/rdma_cma.h>

enum verbs_stream_state {
	VERBS_RESOLVING,
	VERBS_ROUTING,
	VERBS_CONNECTING,
	VERBS_UP,
	VERBS_DEAD,
};

struct verbs_stream {
	struct stream stream;
	struct reactor *reactor;
	struct rdma_cm_id *id;
	enum verbs_stream_state state;
	int err; /* of DEAD: 0 is the orderly end */

	struct ibv_pd *pd;
	struct ibv_cq *cq;
	struct ibv_comp_channel *channel;
	struct watch watch; /* of the channel */
	bool watching;
	struct poller poller;

	/* Send slots, then receive slots; the first few of each are
	 * registered by mr[0], the others by mr[1]. */
	uint8_t *slots;
	struct ibv_mr *mr[2];
	unsigned n_slots;    /* each way */
	uint32_t free_sends; /* bit set */
	uint32_t send_length[VERBS_SLOTS];
	uint8_t filled[VERBS_SLOTS]; /* ring of receive slots, oldest first */
	unsigned first_filled, n_filled;
	uint32_t length[VERBS_SLOTS]; /* of what was received */
	uint32_t taken;               /* of the first filled one */
	uint64_t unacknowledged;      /* bytes */

	uint8_t *pieces;
	struct ibv_mr *pieces_mr;
	struct verbs_user *user[VERBS_PIECES]; /* NULL: free */
	uint32_t piece_length[VERBS_PIECES];
	uint32_t reads; /* bit set */
	uint32_t moved; /* bit set, to be told */

	bool want_read, want_write;
	struct lane *lane; /* to count in */
	bool telling;      /* its users are being called */
	bool destroyed;    /* inside that */
};

static inline struct verbs_stream *verbs_stream_of(struct stream *s)
{
	return container_of(s, struct verbs_stream, stream);
}

static inline uint8_t *verbs_stream_send_slot(struct verbs_stream *v,
                                              unsigned i)
{
	return v->slots + (size_t)i * 2 * VERBS_SLOT;
}

static inline void verbs_stream_die(struct verbs_stream *v, int err)
{
	if (v->state == VERBS_DEAD)
		return;
	v->state = VERBS_DEAD;
	v->err = err;
}

/* -- verbs_stream.c: bytes ------------------------------------------------ */

/* Set what the stream, its poller and its watch call. */
void verbs_stream_init(struct verbs_stream *v);

/* @return 0; a negative errno. */
int verbs_stream_post_receive(struct verbs_stream *v, unsigned i);

/* @return whether there was anything in the completion queue. */
bool verbs_stream_take(struct verbs_stream *v);

/* Call its users, who may destroy it. */
void verbs_stream_tell(struct verbs_stream *v);

/* -- verbs_connect.c: its beginning and its end --------------------------- */

void verbs_stream_destroy(struct stream *s);
void verbs_stream_free(struct verbs_stream *v);

#endif /* FABRIC_VERBS_STREAM_PRIV_H */
