/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * far/packer - a thread that compresses pages while the pager goes on.
 *
 * Concept.  The pager sits on the core of the program (far/seat.c), so what
 * it does there the program waits for.  To copy and compress a page takes as
 * long as to place one, and nobody waits for it: another core does that.
 * A job is the pages that an agent has moved aside, in the program's staging
 * area; the thread copies them, and compresses what compresses.
 *
 * Errors     job.err: -ESRCH: the process has gone; -EFAULT: it has other
 *            memory now.
 * Threads    packer_submit() and `done` on one reactor's thread.  From submit
 *            to done the job is the packer's; packer_is_done() says that it
 *            has let go of it, `done` then still runs.
 */
#ifndef FAR_PACKER_H
#define FAR_PACKER_H

#include "base/list.h"
#include "core/task.h"
#include "far/channel_format.h"
#include "far/tier.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct reactor;

struct pack_job {
	pid_t pid;
	uint64_t staging;
	uint64_t moved;  /* bit i: page i lies there */
	uint8_t *page;   /* FAR_BATCH pages to copy them to */
	uint8_t *packed; /* of each, TIER_PACKED bytes; NULL: copy only */
	struct task done;
	/* the outcome */
	int err;
	uint16_t length[FAR_BATCH]; /* 0: it does not compress */
	/* the packer's own */
	struct list link;
	_Atomic bool is_done;
};

struct packer {
	struct reactor *reactor;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct list jobs;
	bool stop, is_running;
};

/* On the calling thread, in `work` of tier_pack_size(); NULL: copy only. */
void packer_run(struct pack_job *job, void *work);

/* @return 0; a negative errno: no thread. */
int packer_start(struct packer *p, struct reactor *reactor);
/* What was submitted is done first; a packer that is all zeroes is allowed. */
void packer_stop(struct packer *p);

void packer_submit(struct packer *p, struct pack_job *job);

static inline bool packer_is_done(const struct pack_job *job)
{
	return atomic_load_explicit(&job->is_done, memory_order_acquire);
}

#endif /* FAR_PACKER_H */
