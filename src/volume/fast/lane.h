/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * volume/fast/lane - the fast side of a lane: hand-offs that wait for their
 * answers.  Everything runs on the lane's worker.
 */
#ifndef VOLUME_FAST_LANE_H
#define VOLUME_FAST_LANE_H

#include "core/reactor.h"
#include "core/slab.h"
#include "volume/handoff.h"

#define LANE_WAITS 512u /* hand-offs outstanding per lane */

struct fast_worker;
struct lane_wait;

/* RESUME, or COMPLETE with 0 or a negative errno.  Runs exactly once. */
typedef void (*lane_done_fn)(struct lane_wait *w, bool resume, int err);

struct lane_wait {
	struct list link; /* while it has no slot */
	struct handoff_request request;
	lane_done_fn done;
	bool sent;
};

struct lane {
	struct handoff_lane *shared;
	struct poller poller;
	struct watch watch; /* the lane's eventfd */
	struct timer timer; /* deadlines */
	struct lane_wait *slot[LANE_WAITS];
	uint16_t sequence[LANE_WAITS];
	uint16_t free_slot[LANE_WAITS];
	unsigned n_free;
	struct list queue; /* waits without a slot */
	bool enabled;      /* a slow stack is, or soon will be, there */
	bool serving;      /* it answers: records may be pushed */
	bool full;         /* a record found no room in the ring */
	/* metadata I/O, lane 0 only */
	struct slab meta;
	unsigned meta_inflight;
	struct list meta_done;
};

int lane_init(struct fast_worker *w);
void lane_fini(struct fast_worker *w);

/* Hand over; wait->request is filled in but for tag and deadline. */
void lane_send(struct fast_worker *w, struct lane_wait *wait);

/*
 * The slow stack is gone: forget the rings.
 * @return whether all is still; if not, to be called again.
 */
bool lane_detach(struct fast_worker *w);

#endif /* VOLUME_FAST_LANE_H */
