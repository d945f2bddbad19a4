/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * far/reach - what it takes to reach one piece of memory on a donor.
 *
 * A context of libcauseway, a region for the data of commands, a queue, and
 * the window.  Making these asks the daemon and through it the donor, which
 * may take seconds; so it can be done by a thread of its own, and what it made
 * is handed to the reactor.
 */
#ifndef FAR_REACH_H
#define FAR_REACH_H

#include "base/err.h"
#include "core/task.h"

#include <causeway/causeway.h>
#include <pthread.h>
#include <stdbool.h>

struct reactor;

struct reach {
	struct causeway *context; /* NULL: none of these is there */
	struct causeway_region *region;
	struct causeway_queue *queue;
	struct causeway_window *window;
	/* Of a loan, to find it again after the daemon's restart; else "". */
	char descriptor[CAUSEWAY_DESCRIPTOR_MAX];
};

struct reach_spec {
	const char *socket;     /* window.sock of this node's daemon */
	const char *name;       /* NODE/WINDOW, or NODE, which lends */
	uint64_t length;        /* of what it lends */
	const char *descriptor; /* a loan that there is already; "": none */
	size_t region_bytes;
	unsigned commands;
};

/*
 * Blocks for some CAUSEWAY_TIMEOUT_MS at most.
 *
 * @param free  with -ENOSPC: what the node could lend
 * @return 0; -ECONNREFUSED, -ENOENT with no context: no daemon at the socket;
 *         else as causeway_window_open(), causeway_borrow(); with words.
 */
int reach_open(const struct reach_spec *spec, struct reach *out, uint64_t *free,
               struct err *e);

/* A loan is given back.  Nothing may be outstanding.  None is allowed. */
void reach_close(struct reach *reach);

/* -- by a thread ----------------------------------------------------------- */

/* One attempt; embedded in who wants it, zeroed. */
struct reach_attempt {
	/* Called on the reactor, once; `reach`, `err`, ... are valid. */
	void (*ended)(struct reach_attempt *attempt);
	struct reach reach; /* with err 0 */
	int err;
	uint64_t free;
	struct err words;
	bool is_running;
	/* its own */
	struct reach_spec spec;
	struct reactor *reactor;
	pthread_t thread;
	struct task task;
};

/* `spec` and its strings stay until ended().  @return 0; -EAGAIN. */
int reach_start(struct reach_attempt *a, struct reactor *r,
                const struct reach_spec *spec);

/* Run the reactor until the attempt has ended; what it made stays. */
void reach_finish(struct reach_attempt *a);

#endif /* FAR_REACH_H */
