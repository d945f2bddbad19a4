/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * window/lookup - asking another node for a window, and answering.
 *
 * A question goes out on the session to the node, its answer comes back on
 * that node's session to us (docs/wire-window.md).
 *
 * Threads    One.
 * Invariants
 *   K1  a question is answered exactly once, never inside lookup_ask(), unless
 *       it was cancelled: by the other node, with -EHOSTUNREACH when that is
 *       lost, or with -ETIMEDOUT;
 *   K2  an answer counts only if it comes from the node that was asked;
 *   K3  at most LOOKUP_OPEN questions and LOOKUP_ANSWERS answers are under
 *       way.
 */
#ifndef WINDOW_LOOKUP_H
#define WINDOW_LOOKUP_H

#include "base/list.h"
#include "window/lookup_decode.h"

#define LOOKUP_OPEN 256u
#define LOOKUP_ANSWERS 64u
#define LOOKUP_SYNC_MS 60000u

struct fabric_peer;
struct lookup_question;
struct reactor;
struct session;

struct lookup {
	struct reactor *reactor;
	uint64_t timeout_ns;
	uint64_t last_id;
	struct list questions;
	unsigned n_questions;
	unsigned n_answers;
};

/* `answer` is NULL if none came. */
typedef void (*lookup_done_fn)(void *ctx, int err,
                               const struct lookup_message *answer);

/* A SYNC waits for a disk, LOOKUP_SYNC_MS at most. */
void lookup_init(struct lookup *l, struct reactor *r, unsigned timeout_ms);

/* Sessions are gone, so nothing is outstanding; questions end silently. */
void lookup_fini(struct lookup *l);

/*
 * `ask` without its id.  @return NULL: LOOKUP_OPEN are open, or no memory.
 */
struct lookup_question *lookup_ask(struct lookup *l, struct session *session,
                                   const char *node,
                                   const struct lookup_message *ask,
                                   lookup_done_fn done, void *ctx);

/* done() will not be called. */
void lookup_cancel(struct lookup_question *q);
/* All that are open to `node` (NULL: to any) end with `err`, inside. */
void lookup_end_all(struct lookup *l, const char *node, int err);

/* A message from `node`, that is an answer. */
void lookup_answered(struct lookup *l, const char *node,
                     const struct lookup_message *answer);

/* Send an answer, or a notice.  @return whether it could be sent. */
bool lookup_post(struct lookup *l, struct session *session,
                 const struct lookup_message *m);

#endif /* WINDOW_LOOKUP_H */
