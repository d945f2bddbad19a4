/* SPDX-License-Identifier: BSD-2-Clause */
/* The stand-in for the slow stack. */
#include "rig.h"

#include "base/base.h"

#include <assert.h>
#include <sys/eventfd.h>

void rig_set_role(struct rig *r, unsigned drive, enum handoff_drive_role role)
{
	__atomic_store_n(&r->handoff.drives[drive].role, role,
	                 __ATOMIC_RELEASE);
}

static void changed(struct rig *r)
{
	struct handoff_volume *v = &r->handoff.volumes[0];

	__atomic_store_n(&v->changes, v->changes + 1, __ATOMIC_RELEASE);
}

static void answer_miss(struct rig *r, const struct handoff_request *q,
                        struct handoff_reply *reply)
{
	uint64_t at =
		r->handoff.volumes[0].table_base + (q->address >> CHUNK_SHIFT);
	uint64_t per_row = geometry_chunks(&r->geometry, RIG_EXTENT);
	uint64_t place =
		r->fixed_places ? q->address >> CHUNK_SHIFT : r->next_chunk;

	if (entry_state(handoff_entry(&r->handoff, at)) == ENTRY_HOLE) {
		if (place >= r->chunks) {
			reply->kind = HANDOFF_COMPLETE;
			reply->status = HANDOFF_NO_SPACE;
			return;
		}
		changed(r);
		handoff_set_entry(&r->handoff, at,
		                  entry_make(ENTRY_NEW,
		                             (uint32_t)(place / per_row),
		                             (uint32_t)(place % per_row)));
		r->next_chunk++;
	}
	reply->kind = HANDOFF_RESUME;
}

static void answer(struct rig *r, unsigned lane,
                   const struct handoff_request *q)
{
	struct handoff_volume *v = &r->handoff.volumes[0];
	struct handoff_reply reply = { .tag = q->tag,
		                       .kind = HANDOFF_COMPLETE };
	bool ok;

	r->kinds[q->kind]++;
	switch ((enum handoff_request_kind)q->kind) {
	case HANDOFF_MISS:
		answer_miss(r, q, &reply);
		break;
	case HANDOFF_DISCARD:
		if (!handoff_claim_take(&r->handoff, lane, q->tag)) {
			reply.status = HANDOFF_TIMED_OUT;
			break;
		}
		changed(r);
		handoff_set_entry(&r->handoff,
		                  v->table_base + (q->address >> CHUNK_SHIFT),
		                  0);
		break;
	case HANDOFF_BARRIER:
		__atomic_store_n(&v->committed, v->changes, __ATOMIC_RELEASE);
		if (r->restless)
			changed(r);
		break;
	case HANDOFF_DRIVE_ERROR:
		if (r->refuse_drive_errors) {
			reply.status = HANDOFF_IO_ERROR;
			break;
		}
		rig_set_role(r, q->drive, HANDOFF_FAILED);
		reply.kind = HANDOFF_RESUME;
		break;
	case HANDOFF_NO_VOLUME:
		reply.status = HANDOFF_GONE;
		break;
	case HANDOFF_META_DONE:
		return;
	case HANDOFF_REQUEST_KINDS:
		assert(0);
	}
	r->answered++;
	ok = handoff_push_reply(&r->handoff, lane, &reply);
	assert(ok);
}

static void take(struct rig *r)
{
	struct handoff_request q;

	for (unsigned lane = 0; lane < r->n_lanes; lane++) {
		while (r->n_late < ARRAY_LEN(r->late) &&
		       handoff_pop_request(&r->handoff, lane, &q)) {
			r->late[r->n_late++] = (struct rig_late){
				.request = q,
				.lane = lane,
				.polls =
					r->delay
						? (unsigned)(rig_next(
								     &r->slow_seed) %
				                             r->delay)
						: 0,
			};
		}
	}
}

static void give(struct rig *r)
{
	unsigned lanes = 0;

	for (unsigned i = 0; i < r->n_late;) {
		struct rig_late late = r->late[i];

		if (late.polls) {
			r->late[i++].polls--;
			continue;
		}
		r->late[i] = r->late[--r->n_late];
		answer(r, late.lane, &late.request);
		lanes |= 1u << late.lane;
	}
	for (unsigned lane = 0; lane < r->n_lanes; lane++)
		if (lanes & 1u << lane)
			handoff_wake_lane(&r->handoff, lane);
}

static bool nothing_waits(struct rig *r)
{
	for (unsigned lane = 0; lane < r->n_lanes; lane++)
		if (handoff_requests_waiting(&r->handoff, lane))
			return false;
	return true;
}

bool rig_stand_in(struct rig *r)
{
	eventfd_t n;

	if (r->stopped)
		return false;
	if (r->asleep && eventfd_read(r->handoff.slow_wake_fd, &n) != 0)
		return false;
	r->asleep = false;
	handoff_slow_sleeps(&r->handoff, false);
	take(r);
	give(r);
	if (r->n_late)
		return true;
	handoff_slow_sleeps(&r->handoff, true);
	r->asleep = nothing_waits(r);
	return !r->asleep;
}
