/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fabric/verbs_lane - a frame lane over a verbs stream that moves READs and
 * WRITEs by RDMA; fabric/verbs.h says which and why.
 *
 * Concept.  It wraps the frame lane: what is not RDMA's is handed to it.
 * Operations wait in `pending` in the order of their submission.  Either the
 * first few of them are under way by RDMA, or the frame lane has what was
 * before them: never both (VB3).
 *
 *     pending:  [ under way by RDMA | waiting ]     frame lane: empty
 *     pending:  [ waiting ]                         frame lane: has some
 *
 * The target hears of what RDMA did by requests without bytes that have the
 * operation's number (a "mark"): of each WRITE, whose answer is then that of
 * its mark, so that a copy of it is known as such; of READs now and then, so
 * that numbers don't run away from it.
 */
#ifndef FABRIC_VERBS_LANE_H
#define FABRIC_VERBS_LANE_H

#include "fabric/lane.h"
#include "fabric/stream.h"

/* Shorter WRITEs go with their frame. */
#define VERBS_WRITE_MIN 4096u
#define VERBS_UNDER_WAY 16u /* operations by RDMA */

/*
 * Takes the verbs stream over, also on failure; see frame_lane_create().
 * @return 0; -ENOMEM.
 */
int verbs_lane_create(struct reactor *r, struct stream *s, bool connecting,
                      struct lane **out);

#endif /* FABRIC_VERBS_LANE_H */
