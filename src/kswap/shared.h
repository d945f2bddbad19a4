/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kswap/shared - what outlives the process that serves a swap device.
 *
 * Concept.  Two processes serve a swap device: a worker does all the work,
 * and a keeper (kswap/keeper) holds what must not be lost with it: the
 * descriptor of the file system, and this memory (a memfd).  In it lie the
 * requests that the worker has taken from the kernel and not answered, their
 * data, the seal of every page that is away, and which donors are not to be
 * believed any more.  The next worker begins with the unanswered requests, so
 * one that is killed at any instruction loses nothing:
 *
 *      kernel ----read----> slot (unique != 0) ----> store
 *                             |   worker killed: the next one does it again
 *      kernel <---write---- answered, then unique = 0
 *
 *   H1  a slot whose header has a `unique` is a request that the kernel waits
 *       for, or one that was answered last: doing it again is harmless;
 *   H2  a worker does again what it finds before it reads a new request;
 *   H3  a version seals one page once, over all workers (far/seal, E1): a
 *       write that is done again sends the same bytes, so that it is no
 *       matter which of the two arrives last.
 *
 *   H4  one worker serves at a time: the one that holds the lock, which the
 *       kernel takes from a process that has ended and gives to the next.
 *
 * Cost       24 bytes for each page of the device, and KSWAP_SLOTS slots;
 *            all locked in memory.
 * Threads    The process that serves writes; the keeper reads the counters.
 */
#ifndef KSWAP_SHARED_H
#define KSWAP_SHARED_H

#include "base/err.h"
#include "core/histogram.h"
#include "core/realtime.h"
#include "far/page_map.h"
#include "far/store.h"

#include <stdbool.h>
#include <stdint.h>

#define SHARED_REQUEST 262144u               /* bytes: of one READ or WRITE */
#define SHARED_SLOTS 64u                     /* requests at once */
#define SHARED_HEAD 80u                      /* bytes before a WRITE's data */
#define SHARED_PAGES_MAX (UINT64_C(1) << 28) /* 1 TiB */

enum shared_state {
	SHARED_NEW,     /* no worker has served yet */
	SHARED_SERVING, /* one does, or the next one will */
	SHARED_FAILED,  /* the first could not: `error` says why */
};

/* What a page of the device is: 0 is zeroes, or never written. */
struct shared_seal {
	uint64_t version;
	uint8_t tag[FAR_TAG];
};

/* A request as it came; its first SHARED_HEAD bytes end where a page begins,
 * so that one read(2) puts the data of a WRITE where direct I/O can take
 * them. */
struct shared_slot {
	/* WRITE: the first page's, once it has been sealed: done again, it is
	 * sealed as it was (H3); else 0 */
	uint64_t version;
	uint8_t pad[FAR_PAGE - SHARED_HEAD - 8];
	uint8_t request[SHARED_HEAD + SHARED_REQUEST];
	uint8_t sealed[SHARED_REQUEST]; /* what goes out, if encrypted */
};

static inline uint8_t *shared_data(struct shared_slot *slot)
{
	return slot->request + SHARED_HEAD;
}

struct shared_donor {
	uint64_t size; /* bytes, as it was when it was first opened */
	uint32_t lost; /* it may lack what was written since */
	int32_t why;   /* a negative errno */
};

struct shared_count {
	uint64_t requests;
	uint64_t pages;
	uint64_t errors; /* answered with one */
	uint64_t late;   /* of these, because the store took too long */
	struct histogram latency; /* from taken to answered */
};

struct shared {
	uint64_t size; /* bytes of the device, the header's page included */
	uint64_t n_pages;
	uint64_t length; /* bytes of the mapping */
	uint8_t key[16]; /* of the seals */
	uint64_t next_version;
	uint32_t encrypt;
	uint32_t state;  /* enum shared_state; atomic */
	int32_t worker;  /* process id of the one that serves; atomic */
	int32_t spare;   /* of the one that is ready to; atomic */
	int32_t code;    /* FAILED: a negative errno, ... */
	char error[384]; /* ... and words */
	struct realtime_got guard;
	uint32_t n_donors; /* 0: a drive */
	struct shared_donor donor[STORE_DONORS_MAX];
	/* what the operator sees */
	uint64_t away;        /* pages that have a seal */
	uint64_t zero_reads;  /* pages read that have none */
	uint64_t zero_writes; /* pages of zeroes, which go nowhere */
	uint64_t discarded;   /* pages */
	uint64_t bad_seals;   /* pages that came back as something else */
	uint64_t again;       /* requests that a dead worker had left */
	uint32_t takeovers;   /* by a worker, of what another had served */
	struct shared_count read;
	struct shared_count write;
};

/* A new one for `size` bytes, a multiple of FAR_PAGE, and its memfd.
 * @return 0; -EINVAL: too small or too large; -ENOMEM, -EMFILE; with words. */
int shared_create(uint64_t size, bool encrypt, int *fd, struct shared **out,
                  struct err *e);
/* One that shared_create() made, from its descriptor.
 * @return 0; -EINVAL, -ENOMEM; with words. */
int shared_attach(int fd, struct shared **out, struct err *e);
void shared_detach(struct shared *s); /* NULL is allowed */

/* Become the worker that serves (H4), or find that another is; `wait` until it
 * has ended.  @return whether this one is; errno. */
bool shared_is_mine(int fd, bool wait);

/* Have all that a worker uses of it in memory. */
void shared_populate(struct shared *s);

struct shared_seal *shared_seals(struct shared *s); /* n_pages of them */
struct shared_slot *shared_slots(struct shared *s); /* SHARED_SLOTS of them */

enum shared_state shared_state(const struct shared *s);
void shared_set_state(struct shared *s, enum shared_state state);

#endif /* KSWAP_SHARED_H */
