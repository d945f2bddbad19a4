/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * window/lookup - asking another node for a window, and answering.
 *
 * A question goes out on the session to the node, its answer comes back on
 * that node's session to us (docs/wire-window.md).  That session may be behind:
 * when the asker was restarted, the answerer finds out by the loss of what it
 * sends.  So an answer that was lost is sent again, for as long as somebody may
 * be waiting for it.
 *
 * Threads    One.
 * Invariants
 *   K1  a question is answered exactly once, never inside lookup_ask(), unless
 *       it was cancelled: by the other node, with -EHOSTUNREACH when that is
 *       lost, or with -ETIMEDOUT;
 *   K2  an answer counts only if it comes from the node that was asked, and
 *       not if it was meant for an earlier life of this one: ids begin at a
 *       random number;
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
#define LOOKUP_AGAIN_MS 50u /* until a lost answer is sent again */

struct fabric_peer;
struct lookup_question;
struct reactor;
struct session;

/* The session to `node`.  @return NULL: the node is not known any more. */
typedef struct session *(*lookup_session_fn)(void *ctx, const char *node);

struct lookup {
	struct reactor *reactor;
	lookup_session_fn session;
	void *ctx;
	uint64_t timeout_ns;
	uint64_t last_id;
	struct list questions;
	struct list answers;
	unsigned n_questions;
	unsigned n_answers;
};

/* `answer` is NULL if none came. */
typedef void (*lookup_done_fn)(void *ctx, int err,
                               const struct lookup_message *answer);

/*
 * How to reach nodes, and how long an answer is waited for; that to a SYNC,
 * which waits for a disk, LOOKUP_SYNC_MS.
 *
 * @return 0, or the errno of getrandom().
 */
int lookup_init(struct lookup *l, struct reactor *r, unsigned timeout_ms,
                lookup_session_fn session, void *ctx);

/* Sessions are gone, so nothing is under way; questions end silently. */
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

/* Send an answer, or a notice.  @return false: the node is not known,
 * LOOKUP_ANSWERS are under way, or no memory. */
bool lookup_answer(struct lookup *l, const char *node,
                   const struct lookup_message *answer);

#endif /* WINDOW_LOOKUP_H */
