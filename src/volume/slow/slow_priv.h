/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of the slow stack share. */
#ifndef VOLUME_SLOW_SLOW_PRIV_H
#define VOLUME_SLOW_SLOW_PRIV_H

#include "core/slab.h"
#include "drive/label.h"
#include "volume/slow/call.h"
#include "volume/slow/grace.h"
#include "volume/slow/metaio.h"
#include "volume/slow/pool.h"
#include "volume/slow/request.h"
#include "volume/slow/slow.h"

#define SLOW_META_COPIES 3u /* drives that hold a pool's metadata */
/* Hand-offs that wait: more than all lanes together may have outstanding. */
#define SLOW_WAITS_MAX (HANDOFF_LANES * HANDOFF_RING)
#define SLOW_VOLUME_BYTES_MAX RECORD_VOLUME_BYTES_MAX
#define SLOW_LEAF 512u /* entries in a page of the table */

/* -- volumes -------------------------------------------------------------- */

struct volume {
	struct pool *pool; /* NULL: the slot is free */
	struct handoff_volume *shared;
	uint64_t id;
	uint64_t base; /* of its entries */
	uint64_t chunks;
	uint64_t *touched;  /* bit per leaf: may have entries */
	uint64_t taken;     /* changes in the commit that is under way */
	uint64_t unsettled; /* NEW entries that were found at start */
	struct volume_deletion *deletion;
	enum raid_profile profile;
	uint32_t slot;
};

uint64_t volume_chunks(uint64_t bytes);
/* Entries that so many chunks take in the table: whole leaves. */
uint64_t volume_range(uint64_t chunks);
/* Room for its entries.  @return 0 and the first; -ENOSPC. */
int volume_find_range(const struct slow *s, uint64_t chunks, uint64_t *base);
/* A free slot, or -ENOSPC. */
int volume_find_slot(const struct slow *s);
/* Take over what the shared slot says (pool, id, base, size, profile).
 * @return 0; -ENOMEM. */
int volume_attach(struct slow *s, unsigned slot);
void volume_detach(struct volume *v);
/* Fill a free shared slot; its state stays FREE. */
void volume_describe(struct pool *p, unsigned slot, uint64_t base,
                     const struct record_volume *r);
void volume_touch(struct volume *v, uint64_t chunk);
/* Next chunk >= `from` in a leaf that may have entries, or v->chunks. */
uint64_t volume_next_touched(const struct volume *v, uint64_t from);
/* Go on with a deletion that is in memory (after a restart). */
int volume_resume_deletion(struct volume *v);
/* Something was committed or a grace period ended. */
void volume_step_deletions(struct slow *s);
bool volume_deleting(const struct pool *p);
uint64_t volume_entry(const struct volume *v, uint64_t chunk);

/* -- the slow stack ------------------------------------------------------- */

/* What the label of an open drive says. */
struct drive_view {
	enum label_verdict verdict;
	char words[LABEL_WORDS]; /* "": nobody has looked yet */
};

struct assembly;

struct slow {
	struct handoff *h;
	struct reactor *reactor;
	uint64_t (*now_ns)(void);
	void (*random)(void *out, size_t n);
	unsigned commit_interval_ms;
	uint64_t log_bytes;
	struct poller poller;
	struct watch wake;
	struct timer tick;         /* grace periods and deadlines */
	struct timer commit_timer; /* commits that nobody waits for */
	struct metaio metaio;
	struct pool *pool[HANDOFF_POOLS];
	struct volume volume[HANDOFF_VOLUMES];
	struct slab waits_slab;
	struct list waits;
	struct list calls;
	struct assembly *assembly;
	struct slow_stats stats;
	/* answers that found their ring full */
	struct {
		struct handoff_reply *r;
		uint32_t n, at, size;
	} overflow[HANDOFF_LANES];
	uint16_t pushed; /* lanes to wake */
	bool loading;
	struct drive_view *view; /* of HANDOFF_DRIVES slots */
};

/* Send to a lane, now or when its ring has room; woken at the end of poll. */
void slow_push(struct slow *s, unsigned lane, const struct handoff_reply *r);
void slow_complete(struct slow *s, unsigned lane, uint64_t tag,
                   enum handoff_status status);
void slow_resume(struct slow *s, unsigned lane, uint64_t tag, uint64_t entry);
uint64_t slow_now(const struct slow *s);
/* Something is pending that a timer must commit, or that must be polled. */
void slow_arm_commit(struct slow *s);
void slow_arm_tick(struct slow *s);

#endif /* VOLUME_SLOW_SLOW_PRIV_H */
