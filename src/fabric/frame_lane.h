/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fabric/frame_lane - a lane (fabric/lane.h) that speaks our framing over a
 * stream.
 *
 * Concept.  One loop takes frames out of a receive buffer, one fills a send
 * buffer; both are emptied into as few system calls as there can be, so that
 * many small requests or answers share one.  Bodies of up to FRAME_SMALL
 * bytes go through the buffers; longer ones go straight between the stream
 * and the memory they are for.  When the stream takes only a part of such a
 * body, the rest is copied to the buffer at once: nothing of it is looked at
 * again later, when its key may be gone (V1, O4).
 *
 * A lane that has work is *hot*: it asks the stream in every turn of the
 * reactor and saves epoll's part.  Otherwise it waits for readiness.
 *
 * Bounds     FRAME_LANE_IN and FRAME_LANE_OUT bytes of buffers once it is
 *            open; FRAME_CONTROL_QUEUE bytes of control frames.  A peer that
 *            does not take its answers is not read from.  A turn of the
 *            reactor moves FRAME_TURN bytes of a lane or little more, so
 *            that bulk keeps nobody waiting for longer than that takes.
 */
#ifndef FABRIC_FRAME_LANE_H
#define FABRIC_FRAME_LANE_H

#include "fabric/lane.h"
#include "fabric/stream.h"

#define FRAME_SMALL 16384u
/* Bytes of a body in a frame that we send.  With its header it is a little less
 * than the 64 KiB that TCP passes down at once; more would leave a few bytes
 * that go through the whole stack alone. */
#define FRAME_PIECE 65024u
#define FRAME_LANE_IN 131072u
#define FRAME_LANE_OUT 196608u
#define FRAME_CONTROL_QUEUE 4224u
#define FRAME_TURN 65536u

/*
 * Takes the stream over, also on failure.  `connecting`: it was dialled, up()
 * will follow; otherwise it is in GREETING.
 *
 * @return 0; -ENOMEM.
 */
int frame_lane_create(struct reactor *r, struct stream *s, bool connecting,
                      struct lane **out);

#endif /* FABRIC_FRAME_LANE_H */
