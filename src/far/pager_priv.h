/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * far/pager's structs.  pager.c keeps the limit and the programs, join.c lets
 * programs in, space.c reads what the kernel says of one, fault.c brings pages
 * in, evict.c takes them out, scan.c finds what there is to take, compress.c
 * keeps what stays here compressed, seat.c says on which core.
 */
#ifndef FAR_PAGER_PRIV_H
#define FAR_PAGER_PRIV_H

#include "base/list.h"
#include "core/reactor.h"
#include "core/slab.h"
#include "far/channel_format.h"
#include "far/packer.h"
#include "far/page_map.h"
#include "far/pager.h"
#include "far/prefetch.h"
#include "far/resident.h"
#include "far/seal.h"
#include "far/slots.h"
#include "far/swap.h"
#include "far/tier.h"

#include <sched.h>
#include <stdbool.h>
#include <stdint.h>

#define NO_PAGE UINT64_MAX     /* given up, and another took its place */
#define FETCH_MAX PREFETCH_MAX /* pages of one read */
#define FETCHES_MAX 256u       /* at once; 32 MiB of buffers */
#define HELD_MAX 64u           /* threads of a program that wait for zeroes */
#define PARCELS_MAX 32u        /* at once: 8 MiB, twice that encrypted */
#define SPILLS_MAX 8u          /* at once, from the tier to slots */

/* Pages that left together, until their slots hold them. */
struct parcel {
	struct pager *pager;
	struct space *space; /* NULL: it has ended */
	struct list link;    /* pager.parcels */
	unsigned writes;     /* requests that are out */
	unsigned n;          /* pages; page i is number[i] */
	uint64_t number[FAR_BATCH];
	uint32_t slot[FAR_BATCH]; /* FAR_NO_SLOT: not written */
	struct swap_request run[FAR_BATCH];
	uint8_t *page;   /* from parcel_pages: as they left */
	uint8_t *sealed; /* what is written: `page`, or encrypted */
	struct pack_job job;
	bool packing; /* the packer has the job */
};

/* Pages that come together: from neighbouring slots. */
struct fetch {
	struct swap_request swap;
	struct pager *pager;
	struct space *space; /* NULL: it has ended */
	struct list link;    /* space.fetches */
	uint64_t number[FETCH_MAX];
	uint64_t asked_ns; /* 0: prefetch */
	uint64_t right;    /* bits: pages that came as they had left */
	uint8_t *page;     /* from fetch_pages */
};

/* One address space: a program, or the child of a fork. */
struct space {
	struct pager *pager;
	struct list link;     /* pager.spaces */
	pid_t pid;            /* 0: a child that has not joined */
	bool is_child;        /* of a fork: begun with its parent's pages */
	struct space *parent; /* NULL: it has ended */
	struct watch faults;  /* userfaultfd */
	struct watch event;   /* the agent's */
	struct watch death;   /* pidfd */
	int pagemap_fd;
	struct far_channel *channel; /* NULL: no agent, nothing leaves */
	uint64_t staging;            /* its area in the program */
	bool ended;

	struct page_map *map;
	struct resident resident;
	struct prefetch prefetch;
	struct list fetches;

	/* zeroes: how many pages at once, while they are asked for in turn */
	uint64_t zero_next;
	uint32_t zero_window;
	/* pages of zeroes that wait until others have left */
	uint64_t held[HELD_MAX];
	unsigned n_held;
	/* pages whose threads are woken when all messages are read */
	uint64_t again[HELD_MAX];
	unsigned n_again;
	bool reading;
	uint32_t events; /* batches of messages with any, times 2 */

	/* what is registered, sorted; scan.c */
	struct space_range {
		uint64_t start, end;
	} * range;
	size_t n_ranges;
	uint64_t cursor;  /* page where the scan goes on */
	bool scanned_all; /* since a range was added */
	bool stuck;       /* little could be moved, since the last tick */

	/* the command that the agent has; `parcel` NULL: none */
	struct parcel *parcel;
	uint32_t commands;
	/* pages that did not move, for it to make the program's own; `owning`:
	 * it is at it */
	uint64_t own[FAR_BATCH];
	unsigned n_own;
	bool owning;
	bool retried; /* it has been, for what moves now */

	uint64_t rss;    /* bytes, when last looked at */
	uint64_t shared; /* of these, its parent's too, when it joined */
};

/* Where the pager sits, seat.c. */
struct seat {
	struct space *space; /* NULL: nowhere */
	pid_t tid;           /* the thread that faults there */
	cpu_set_t here;      /* the core */
	cpu_set_t before;    /* that the thread might use */
	cpu_set_t own;       /* that the pager may use */
	unsigned spin_us;    /* of the reactor, elsewhere */
	uint64_t looked_ns, waited_ns, rest_until_ns;
	/* faults lately, and how many of them were the candidate's */
	struct space *faults_of;
	pid_t candidate;
	unsigned faults, n_same;
	uint64_t began_ns;
};

struct pager {
	struct reactor *reactor;
	uint64_t local;
	bool encrypt, compress;
	void (*lost)(void *ctx, pid_t pid, const char *why);
	void (*stuck)(void *ctx, const char *why);
	void *ctx;
	bool said_full, said_failing;

	int device_fd; /* /dev/userfaultfd, or -1 */
	char folder[64];
	char socket_path[96];
	struct watch listener;
	struct list joining; /* struct guest, join.c */
	struct list spaces;
	struct list ended; /* spaces to free */
	unsigned n_spaces;

	struct slots slots;
	struct seal seal;
	struct swap_queue swap;
	struct slab fetch_slab;
	struct slab fetch_pages; /* buffers of FETCH_MAX pages */
	struct slab parcel_slab;
	struct slab parcel_pages; /* of FAR_BATCH, or twice that */
	struct list parcels;

	/* if `compress` */
	struct tier tier;
	struct packer packer;
	struct slab packed_pages; /* of FAR_BATCH times TIER_PACKED */
	struct slab spill_slab;
	unsigned spills;         /* that are out */
	uint64_t spill_again_ns; /* not before */
	unsigned votes;          /* for or against more of a share */
	int64_t score;
	int64_t read_ns; /* of a page that is asked for; average */
	uint8_t page[FETCH_MAX * FAR_PAGE] __attribute__((aligned(64)));

	struct seat seat;
	struct timer tick;
	uint64_t tick_ns; /* until the next one */
	int64_t resident; /* estimate, bytes: last look and what moved since */
	uint64_t coming;  /* pages that are being read */
	unsigned looks;   /* pages placed since the last look */

	struct pager_stats stats;
};

static inline uint64_t page_address(uint64_t number)
{
	return number << FAR_PAGE_SHIFT;
}

/* -- pager.c -------------------------------------------------------------- */

/* Memory came or went by our hand. */
void pager_moved(struct pager *p, int64_t pages);
/* Bytes that the programs and the tier have here. */
int64_t pager_in_use(const struct pager *p);
/* Whether there are `n` slots beside those that pages on their way out may
 * need. */
bool pager_has_slots(const struct pager *p, uint64_t n);
/* Writes fail: said once. */
void pager_say_failing(struct pager *p);
/* Above the mark at which pages begin to leave. */
bool pager_is_high(const struct pager *p);
/* How many pages should leave together now. */
unsigned pager_excess(const struct pager *p);
/* Above the limit itself: nothing comes that was not asked for, and new
 * pages wait for old ones to leave. */
bool pager_is_full(const struct pager *p);
/* Have every program's pages leave as far as needed. */
void pager_balance(struct pager *p);
void pager_lost(struct space *s, const char *why);

/* -- space.c -------------------------------------------------------------- */

/* Takes `fd`, an API-agreed userfaultfd.  NULL: out of memory. */
struct space *far_space_create(struct pager *p, int fd);
/* The program has gone: everything of it is let go.  The struct is freed a
 * little later. */
void far_space_end(struct space *s);
/* End it if its memory is gone (exit, exec). */
void far_space_check(struct space *s);
/* Follow the process that `pid` names from now on. */
int far_space_watch(struct space *s, pid_t pid);
void far_space_free_ended(struct pager *p);

/* -- join.c --------------------------------------------------------------- */

int far_join_listen(struct pager *p, struct err *e);
void far_join_stop(struct pager *p);

/* -- fault.c -------------------------------------------------------------- */

void far_fault_missing(struct space *s, uint64_t address);
/* All messages are read. */
void far_fault_wake(struct space *s);
/* Pages have left: whoever waits for zeroes gets them. */
void far_fault_release(struct space *s);
/* A page that is FAR_AWAY comes back: somebody waits for it. */
void far_fault_serve(struct space *s, uint64_t number, struct far_page *p);

/* -- evict.c -------------------------------------------------------------- */

/* Have up to one batch leave, if the agent is free and there is room. */
void far_evict_start(struct space *s);
void far_evict_answered(struct space *s);
/* Wait for the answer to the command that is out, a second at most. */
void far_evict_finish(struct space *s);
/* The space has ended: its parcels are nobody's. */
void far_evict_abandon(struct space *s);
/* The parcel that holds `slot` until it is written; NULL: none. */
struct parcel *far_evict_parcel(struct pager *p, uint32_t slot,
                                unsigned *index);

/* -- compress.c ----------------------------------------------------------- */

/* @return 0; -ENOMEM. */
int far_compress_init(struct pager *p);
void far_compress_fini(struct pager *p);

/* A page's copy outside of its program, if it has one: a slot or a cell.  One
 * holder more; one less, and the page has none. */
void far_copy_hold(struct pager *p, const struct far_page *page);
void far_copy_forget(struct pager *p, struct far_page *page);
/* Whether it is in the tier; if it has moved on, `page` knows from now. */
bool far_copy_is_packed(struct pager *p, struct far_page *page);

/* Nothing has to move on for a page to be put there. */
bool far_compress_has_room(const struct pager *p);
/* @return whether the bytes are in the tier now, and `page` knows where; what
 * copy it had before is forgotten. */
bool far_compress_put(struct pager *p, struct far_page *page,
                      const struct pack_job *job, unsigned i);
/* A page was asked for that the tier has; that it had no room for. */
void far_compress_hit(struct space *s, const struct far_page *page);
void far_compress_missed(struct pager *p);
/* Have the coldest pages move on to slots, as many as the tier is too full
 * by. */
void far_compress_make_room(struct pager *p);

/* -- seat.c --------------------------------------------------------------- */

/* Thread `tid` has taken a fault. */
void far_seat_fault(struct space *s, pid_t tid);
/* From time to time. */
void far_seat_tick(struct pager *p);
void far_seat_leave(struct space *s);
/* A process has joined, which may have inherited a core. */
void far_seat_joined(const struct pager *p, pid_t pid);
/* What is waited for now comes from elsewhere, or does not. */
void far_seat_spin(struct pager *p);

/* -- scan.c --------------------------------------------------------------- */

/* Register what is not registered yet. */
void far_scan_capture(struct space *s);
/* Go on looking for pages that the kernel has placed; `want` of them are
 * enough for now. */
void far_scan_harvest(struct space *s, unsigned want);
/* Bytes of anonymous memory in use; 0: the process has gone. */
uint64_t far_scan_rss(pid_t pid);
/* [start, end) is mapped no more. */
void far_scan_forget(struct space *s, uint64_t start, uint64_t end);

#endif /* FAR_PAGER_PRIV_H */
