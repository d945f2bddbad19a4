/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the parts of far/store share: store.c serves requests, store_place.c
 * says where rows are and could be, store_move.c moves them.
 *
 * A move is of one row and one member at a time, MOVE_CHUNKS at a time.  Below
 * `chunk` requests go by `both`, from there on by the row's own map; chunks
 * that are being copied take no writes (they are held), and the copy begins
 * when those that were under way have ended.
 */
#ifndef FAR_STORE_PRIV_H
#define FAR_STORE_PRIV_H

#include "far/store.h"

#include "base/list.h"
#include "core/reactor.h"
#include "core/slab.h"
#include "volume/raid/raid.h"

#define CHUNKS (STORE_EXTENT / CHUNK_BYTES) /* of a row */
#define MOVE_CHUNKS 4u                      /* a divisor of that */

struct store_device {
	struct block_device *dev;
	enum store_donor_state state;
	unsigned domain;
	bool is_spare;
	bool is_leaving; /* RETIRING: left() is owed */
	uint32_t extents;
	uint32_t used;    /* extents that were given, for ever */
	uint64_t barrier; /* RETIRING: parts up to this one may know it */
};

struct store_row {
	struct handoff_row map;
	uint64_t written[CHUNKS / 64]; /* bits: the chunk has been written */
	uint64_t locked[CHUNKS / 64];  /* raid5: a part has it for itself */
	uint64_t lost[CHUNKS / 64];    /* its only copy went in a move */
	bool is_stuck;                 /* it could not be read to be moved */
};

/* A request's part in one chunk. */
struct store_part {
	struct raid_op op;
	struct store *store;
	struct block_request *request;
	struct list link; /* store.active, by number */
	struct list held; /* mover.held or store.locked_out */
	bool has_lock;
	uint64_t number;
	uint32_t row;
	uint32_t chunk;
	uint64_t at;       /* in the request, bytes */
	uint8_t served;    /* READ that was wrong: the member it came from */
	uint8_t n_avoided; /* members that it was then read without, in turn
	                    * from `served` on; the last of them was ... */
	uint16_t suspect;  /* ... this donor, or none */
	struct iovec iov[RAID_IOV_IN];
};

enum mover_state {
	MOVER_IDLE,
	MOVER_PAUSED, /* between two groups of chunks */
	MOVER_QUIET,  /* until writes to them have ended */
	MOVER_COPYING,
};

/* One chunk on its way. */
struct mover_copy {
	struct mover *mover;
	struct raid_op read;
	struct block_request write;
	uint32_t chunk;
	struct iovec iov;   /* all of it */
	struct iovec strip; /* what is written */
};

static inline bool store_is_written(const struct store_row *row, uint32_t chunk)
{
	return row->written[chunk / 64] >> chunk % 64 & 1;
}

struct mover {
	enum mover_state state;
	bool is_ending;   /* the store is being closed */
	bool is_aborted;  /* the target is out; seen at the next step */
	bool has_failed;  /* to read one of the chunks */
	bool has_asked;   /* wants() was called, and not answered */
	bool is_degraded; /* whole() is owed */
	uint32_t row;
	unsigned member;
	uint32_t chunk; /* the first of MOVE_CHUNKS */
	uint16_t target;
	uint32_t extent;
	struct handoff_row both;
	struct mover_copy copy[MOVE_CHUNKS];
	unsigned pending; /* copies */
	uint8_t *buffer;  /* of all copies */
	uint64_t began_ns;
	struct timer pause;
	struct task look; /* for work */
	bool is_looking;
	struct list held;    /* parts */
	unsigned n_retiring; /* devices */
};

struct store {
	struct block_device dev;
	struct reactor *reactor;
	struct store_watcher watcher;
	bool is_fixed;
	struct geometry geometry; /* of every row */
	uint64_t extent;          /* bytes of a member */
	struct store_device device[STORE_DONORS_MAX];
	struct raid_worker worker;
	struct handoff_drive drives[HANDOFF_DRIVES];
	bool suspect[HANDOFF_DRIVES];
	struct store_row *row;
	uint32_t n_rows;
	struct slab parts;
	uint64_t last_part;
	struct list active;                  /* parts */
	struct list locked_out;              /* of these, wait for a chunk */
	struct block_request *first, **last; /* that wait for parts */
	struct mover mover;
};

/* -- store.c --------------------------------------------------------------- */

/* Start it, or start it again.  @return 0, or the error that it ended with. */
int store_start_part(struct store_part *p);
void store_end_part(struct store_part *p, int err);
/* A device for a slot that is free.  @return its number; -ENOSPC. */
int store_take(struct store *s, struct block_device *dev, unsigned domain,
               bool is_spare);

/* -- store_place.c --------------------------------------------------------- */

enum store_donor_state store_state_of(const struct store *s, uint16_t slot);
bool store_has_data(const struct store *s, uint16_t slot);
/* Whether those that are there to stay suffice without `member`. */
bool store_can_spare(const struct store *s, const struct handoff_row *row,
                     unsigned member);
bool store_can_read(const struct store *s, const struct handoff_row *row);
/* Bits: where another member than `member` is. */
uint64_t store_other_domains(const struct store *s,
                             const struct handoff_row *row, unsigned member);
/* A donor that could be `member`; STORE_DONORS_MAX: none. */
unsigned store_find_target(const struct store *s, const struct handoff_row *row,
                           unsigned member, bool is_spare);
/* As many rows as fit; store.row is NULL if there is no memory. */
void store_make_rows(struct store *s);

/* -- store_move.c ---------------------------------------------------------- */

int store_move_init(struct store *s);
/* Waits for what is under way, and nothing else. */
void store_move_fini(struct store *s);
/* Where this part's chunk lies now; NULL: nowhere for a write, which is held.
 */
const struct handoff_row *store_move_map(struct store *s, struct store_part *p);
/* A part has ended, and may have been waited for. */
void store_move_part_ended(struct store *s, const struct store_part *p);
/* The device is out: see to its rows, soon. */
void store_move_lost(struct store *s, unsigned slot);
/* Look for work, soon. */
void store_move_look(struct store *s);

#endif /* FAR_STORE_PRIV_H */
