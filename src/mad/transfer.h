/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mad/transfer - SA messages of any length over a port: a server's table
 * replies and the long requests that come to it, a client's queries.
 *
 * The owner has an agent for the SA class and offers every datagram that it
 * receives to transfer_receive(); what is part of a transfer is taken, the
 * rest (requests of one MAD, their responses) is the owner's.
 *
 * Threads    Those of the port.
 *
 * Invariants
 *   X1  done runs exactly once, never inside the call that started it;
 *   X2  at most TRANSFERS_MAX transfers at a time, and of one peer at most
 *       TRANSFERS_PER_PEER; further ones are refused with -EBUSY;
 *   X3  a transfer without progress for tries * timeout ends: -ETIMEDOUT;
 *       each of these timeouts may be a quarter too long.
 */
#ifndef MAD_TRANSFER_H
#define MAD_TRANSFER_H

#include "base/list.h"
#include "core/timer.h"
#include "mad/port.h"
#include "mad/rmpp.h"

#define TRANSFERS_MAX 1024u
#define TRANSFERS_PER_PEER 16u

struct transfers;

struct transfer_opts {
	unsigned timeout_ms; /* without progress, then another try */
	unsigned tries;
	size_t receive_max; /* bytes of records in one message */
	/*
	 * A request in RMPP (GetMulti) is whole and acknowledged: `d` is its
	 * first segment, `data` what all segments hold, both valid until this
	 * returns.  NULL: such requests are aborted.
	 */
	void (*request)(struct transfers *ts, const struct mad_datagram *d,
	                const uint8_t *data, size_t length);
};

struct transfers {
	struct mad_agent *agent;
	struct transfer_opts opts;
	struct list sends;
	struct list queries;
	struct list requests;
	struct timer timer;
	bool armed;
	unsigned n;
	uint32_t next_tid;
	uint64_t n_unsent; /* MADs that the port did not take */
};

void transfer_init(struct transfers *ts, struct mad_agent *agent,
                   const struct transfer_opts *o);

/* Ends all: each done runs, with -ECANCELED, before this returns.  Not from
 * inside a done. */
void transfer_fini(struct transfers *ts);

/* -- a message that we send ------------------------------------------------ */

struct transfer {
	/* the owner's */
	void (*done)(struct transfer *t, int err);

	/* transfer's */
	struct transfers *owner;
	struct list link;
	struct mad_address to;
	struct rmpp_sender sender;
	uint64_t due_ns;
	unsigned tries;
};

/*
 * Answer a request with a table: `head` is its response (method, status,
 * attribute offset, ... filled in), `data` the records, borrowed until done.
 *
 * err in done: 0, -ETIMEDOUT, -ECONNABORTED (the peer gave up), -ECANCELED.
 * @return 0; -EBUSY (see X2), -EALREADY (the very answer is under way: the
 *         peer has asked again), -EMSGSIZE: done will not run.
 */
int transfer_send(struct transfers *ts, struct transfer *t,
                  const struct mad_address *to, const struct mad *head,
                  const void *data, size_t length);

/* -- a query of ours ------------------------------------------------------- */

struct transfer_query {
	/* the owner's; `request` is one MAD, as by mad_init() */
	struct mad_address to;
	struct mad request;
	/*
	 * err 0: `head` is the response's header (look at its mad_status()),
	 * `data` its records: of a table reply all of them, of any other the
	 * 200 bytes of the MAD.  Valid until done returns.
	 * Else head is NULL: -ETIMEDOUT, -ECONNABORTED, -ECANCELED, -EIO.
	 */
	void (*done)(struct transfer_query *q, int err, const struct mad *head,
	             const void *data, size_t length);

	/* transfer's */
	struct transfers *owner;
	struct list link;
	struct rmpp_receiver receiver;
	uint64_t due_ns;
	uint32_t tid;
	unsigned tries;
	bool started; /* a segment has come */
};

/* @return 0; -EBUSY: done will not run. */
int transfer_query(struct transfers *ts, struct transfer_query *q);

/* -- what comes in --------------------------------------------------------- */

/* @return whether it was part of a transfer. */
bool transfer_receive(struct transfers *ts, const struct mad_datagram *d);

#endif /* MAD_TRANSFER_H */
