/* SPDX-License-Identifier: BSD-2-Clause */
/* The inside of a verbs lane, for the files that share it. */
#ifndef FABRIC_VERBS_LANE_PRIV_H
#define FABRIC_VERBS_LANE_PRIV_H

#include "base/base.h"
#include "core/reactor.h"
#include "fabric/target.h"
#include "fabric/verbs.h"
#include "fabric/verbs_codec.h"
#include "fabric/verbs_lane.h"
#include "fabric/verbs_stream.h"

struct ibv_mr;

enum known_state {
	KEY_NONE,
	KEY_ASKED,   /* MAP is under way */
	KEY_MAPPED,  /* RDMA may use it */
	KEY_REFUSED, /* it may not */
};

/* Dialler: a key of the peer's. */
struct known {
	enum known_state state;
	struct fabric_key key;
	struct verbs_map map;
};

/* Acceptor: a key of ours that the peer has mapped. */
struct granted {
	unsigned n; /* 0: none */
	struct fabric_key key;
	struct ibv_mr *mr[VERBS_WIRE_PARTS];
};

/* An operation that is under way by RDMA. */
struct one {
	struct fabric_op *op; /* in lane.pending */
	uint64_t posted;      /* bytes that were given to pieces */
	uint64_t moved;       /* bytes that have moved */
	unsigned pieces;      /* under way */
	bool marked;          /* WRITE: `mark` was sent */
	bool answered;        /* and answered */
	enum fabric_status status;
	struct fabric_op mark;
};

struct piece {
	struct one *one;
	uint64_t offset; /* in the operation */
	uint32_t length;
};

struct verbs_lane {
	struct lane lane;
	struct lane *inner;
	struct stream *stream; /* inner's */
	struct target *target;
	struct task task;
	bool task_queued;
	bool busy;
	bool gone;

	/* dialler */
	struct list *next; /* first in pending that has not begun; &pending */
	unsigned n_inner;  /* operations that the frame lane has */
	struct one one[VERBS_UNDER_WAY];
	unsigned first_one, n_ones;
	struct piece piece[VERBS_PIECES];
	unsigned free_pieces; /* bit set */
	struct verbs_user user;
	struct fabric_op advance; /* a READ's mark */
	bool advancing;
	uint64_t told; /* the newest number that the target knows of */
	struct known *known;
	unsigned next_known;

	/* acceptor */
	struct granted *granted;
};

/* -- verbs_serve.c: the acceptor's half ----------------------------------- */

void verbs_serve_map(struct verbs_lane *l, const struct frame *f);
/* VB2 */
void verbs_serve_revoked(struct verbs_lane *l, const struct fabric_key *key);
/* Deregister everything; the queue pair is gone. */
void verbs_serve_end(struct verbs_lane *l);

#endif /* FABRIC_VERBS_LANE_PRIV_H */
