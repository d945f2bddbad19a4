/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mad/transact - requests and their responses: a window of outstanding MADs,
 * tries and timeouts of our own.
 *
 * A request is embedded in its issuer's struct.  At most `window` of them are
 * on the wire; others wait in a queue, first come, first sent, so issuing one
 * never fails and allocates nothing.  The TID's low half is a slot's index and
 * its turn, so a response finds its request by one look at an array, and one
 * that comes too late finds nothing.
 *
 *      submit            window has room        response, last timeout,
 *   ------------> QUEUED ---------------> SENT ------ cancel --------> DONE
 *                                         ^  | timeout, tries left
 *                                         +--+
 *
 * Threads    Those of the port.
 *
 * Invariants
 *   T1  done runs exactly once for each submit or cancel, and never inside
 *       either;
 *   T2  at most `window` requests are outstanding;
 *   T3  a request is done at the latest after tries * timeout once it was
 *       sent, whatever the port does;
 *   T4  a response counts if slot and turn, class, attribute and method fit;
 *       any other is counted as stray and changes nothing;
 *   T5  done may submit the same request again.
 */
#ifndef MAD_TRANSACT_H
#define MAD_TRANSACT_H

#include "base/list.h"
#include "core/task.h"
#include "core/timer.h"
#include "mad/port.h"

#define TRANSACT_WINDOW_MAX 4096u
#define TRANSACT_TRIES_MAX 16u

struct transact_request;

/*
 * err: 0: `reply` is the response, whose mad_status() may be an error, valid
 * until done returns.  Otherwise reply is NULL: -ETIMEDOUT (no try was
 * answered), -ECANCELED, -ENODEV or -EIO (the port can't send).
 */
typedef void (*transact_done_fn)(struct transact_request *q, int err,
                                 const struct mad *reply);

enum transact_state {
	TRANSACT_IDLE = 0, /* the issuer's */
	TRANSACT_QUEUED,
	TRANSACT_SENT,
	TRANSACT_FAILED, /* done is about to run with an error */
};

struct transact_request {
	/* the issuer's, set before submit; `mad` as by mad_init() */
	struct mad_address to;
	struct mad mad;
	transact_done_fn done;

	/* transact's, from submit until done; zero before the first submit */
	struct list link;
	uint64_t due_ns;
	int err;
	uint16_t slot;
	uint8_t tries; /* how often it was sent; may be read in done */
	uint8_t state; /* enum transact_state */
};

struct transact_opts {
	unsigned window;     /* 1 .. TRANSACT_WINDOW_MAX */
	unsigned tries;      /* 1 .. TRANSACT_TRIES_MAX */
	unsigned timeout_ms; /* of one try; at least 1 */
	uint8_t mgmt_class;  /* MAD_CLASS_SUBN_LID, _SA, _PERF */
};

struct transact_stats {
	uint64_t submitted;
	uint64_t sent; /* tries counted each */
	uint64_t answered;
	uint64_t retried;
	uint64_t timed_out;
	uint64_t bounced; /* tries that the port gave back */
	uint64_t stray;
	uint32_t outstanding; /* now */
	uint32_t queued;      /* now */
};

struct transact;

/* Attaches an agent to the port.  @return 0; -ENOMEM, -EINVAL, -EBUSY. */
int transact_create(struct mad_port *p, const struct transact_opts *o,
                    struct transact **out);

/* NULL is allowed.  Every request must be done; not from inside a done. */
void transact_destroy(struct transact *t);

void transact_submit(struct transact *t, struct transact_request *q);

/* Its done follows soon, with -ECANCELED unless a failure was already on its
 * way.  Harmless on an idle one. */
void transact_cancel(struct transact *t, struct transact_request *q);

/* All that are queued or sent. */
void transact_cancel_all(struct transact *t);

/* A smaller one takes effect as responses come. */
void transact_set_window(struct transact *t, unsigned window);

void transact_get_stats(const struct transact *t, struct transact_stats *out);

#endif /* MAD_TRANSACT_H */
