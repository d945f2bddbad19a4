/* SPDX-License-Identifier: BSD-2-Clause */
#include "window/process.h"

#include "base/base.h"
#include "bridge/bridge_decode.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define RENEWALS 4u /* in the length of a lease */
#define RENEW_MIN_MS 250u

struct process_loan {
	struct process *process;
	char node[WINDOW_NAME_MAX + 1];
	struct fabric_key key;
	uint64_t lease_ms;
	struct timer timer;
	struct lookup_question *question; /* NULL: none is open */
};

static void renew_later(struct process_loan *loan)
{
	uint64_t ms = loan->lease_ms / RENEWALS;

	if (ms < RENEW_MIN_MS)
		ms = RENEW_MIN_MS;
	(void)timer_start(loan->process->host->reactor, &loan->timer,
	                  ms * NS_PER_MS);
}

static void renewed(void *ctx, int err, const struct lookup_message *answer)
{
	struct process_loan *loan = ctx;

	loan->question = NULL;
	if (!err && answer->flags & LOOKUP_RECALLED)
		process_notice(loan->process, loan->node, &loan->key,
		               answer->lease_ms);
	/* An owner that does not answer may do so later. */
	if (!err || !answer)
		renew_later(loan);
}

static struct lookup_question *ask(struct process_loan *loan,
                                   enum lookup_what what, lookup_done_fn done)
{
	struct window_host *host = loan->process->host;
	struct session *session = host_session(host, loan->node);
	const struct lookup_message m = { .what = what, .key = loan->key };

	return session ? lookup_ask(&host->lookup, session, loan->node, &m,
	                            done, loan)
	               : NULL;
}

static void renew(struct timer *t)
{
	struct process_loan *loan = container_of(t, struct process_loan, timer);

	loan->question = ask(loan, LOOKUP_RENEW, renewed);
	if (!loan->question)
		renew_later(loan);
}

struct process_loan *process_loan_start(struct process *p, const char *node,
                                        const struct lookup_message *answer)
{
	struct process_loan *loan = calloc(1, sizeof(*loan));

	if (!loan)
		return NULL;
	loan->process = p;
	snprintf(loan->node, sizeof(loan->node), "%s", node);
	loan->key = answer->key;
	loan->lease_ms = answer->lease_ms;
	loan->timer.fire = renew;
	renew_later(loan);
	return loan;
}

void process_loan_end(struct process_loan *loan)
{
	struct lookup_question *last;

	if (!loan)
		return;
	timer_stop(loan->process->host->reactor, &loan->timer);
	if (loan->question)
		lookup_cancel(loan->question);
	/* Should it not arrive, the lease ends. */
	last = loan->process->host->stopping
	               ? NULL
	               : ask(loan, LOOKUP_RETURN, renewed);
	if (last)
		lookup_cancel(last);
	free(loan);
}

/* -- to the process -------------------------------------------------------- */

void process_notice(struct process *p, const char *node,
                    const struct fabric_key *key, uint64_t left_ms)
{
	const struct import *i = process_import(p, key);
	struct bridge_reply notice = {
		.type = BRIDGE_NOTICE,
		.number = left_ms < UINT32_MAX ? (uint32_t)left_ms : UINT32_MAX,
	};
	struct bridge_reply_wire wire;

	if (!i || strcmp(i->node, node) != 0 || p->state != PROCESS_SERVED)
		return;
	memcpy(notice.key, key->byte, sizeof(notice.key));
	bridge_encode_reply(&notice, &wire);
	/* No room: the process does not listen, and will be told again. */
	(void)send(p->connection.fd, &wire, sizeof(wire),
	           MSG_DONTWAIT | MSG_NOSIGNAL);
}
