/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * far/pager - programs with part of their memory elsewhere.
 *
 * Concept.  A pager is a process of its own, outside the programs that it
 * serves.  Their anonymous memory stays the kernel's until it is too much;
 * then ranges are captured (userfaultfd), the pages that have waited longest
 * leave for slots on a block device, and come back when they are touched.
 *
 *      program            pager                          elsewhere
 *      -------            -----                          ---------
 *      fault    --uffd--> space --> block swap request --> device: windows
 *               <--copy--       <-- page                   of donors, a volume,
 *      agent    <-channel- evict                           a file
 *        moves  -staging-> parcel -> block swap request -->
 *
 * The agent (far/agent) is a thread in each program: only a process itself
 * can move its pages out of the way, atomically against its other threads.
 *
 * What is captured: private anonymous memory that can be written (heap, mmap,
 * thread stacks, bss), found in /proc/PID/maps.  What is not: the main stack,
 * private file pages, shared memory, huge pages of hugetlbfs, memory that is
 * locked (mlock) or shared with the child of a fork.
 *
 * Units      Limits and totals are bytes.
 * Threads    All on one reactor.
 * Errors     A device that fails a write costs nothing: the page stays.  One
 *            that fails a read, or has nothing to return but what was not
 *            stored, ends that program, with words; pages never hold wrong
 *            bytes.
 *
 * Invariants
 *   F1  a page's contents are those last written by the program: a page that
 *       is not resident is placed only with bytes that carry its seal, or as
 *       zeroes if it was never written or was dropped by the program;
 *   F2  a page leaves at one instant: no write of the program falls between
 *       the copy that is kept and the removal (UFFDIO_MOVE);
 *   F3  concurrent faults on a page make one read;
 *   F4  a page that is asked for before it has been stored is served from the
 *       parcel;
 *   F5  prefetching never stands in front of a page that was asked for;
 *   F6  the newest bytes of a page that is not resident are in exactly one
 *       place: a parcel, the tier, or a slot.
 */
#ifndef FAR_PAGER_H
#define FAR_PAGER_H

#include "base/err.h"
#include "core/histogram.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct block_device;
struct pager;
struct reactor;

#define PAGER_LOCAL_MIN (UINT64_C(8) << 20) /* bytes */
#define PAGER_PROGRAMS_MAX 256u

struct pager_opts {
	struct reactor *reactor;
	struct block_device *device; /* borrowed; its size is the room */
	uint64_t local;              /* bytes that all programs may keep here */
	bool encrypt;                /* what leaves */
	bool compress;               /* what stays here, a part of `local` */
	/* A program lost a page for good and is being killed. */
	void (*lost)(void *ctx, pid_t pid, const char *why);
	/* Pages do not leave any more, so programs may grow beyond `local`;
	 * said once for each reason.  May be NULL. */
	void (*stuck)(void *ctx, const char *why);
	void *ctx;
};

/*
 * @return 0; -EINVAL: `local` under PAGER_LOCAL_MIN, or no room on the device;
 *         -EPERM, -ENOSYS: no userfaultfd here, or none with what is needed
 *         (Linux 6.8, CAP_SYS_PTRACE); -ENOMEM, -EIO, -EMFILE; with words.
 */
int pager_create(const struct pager_opts *opts, struct pager **out,
                 struct err *e);

/* Programs that still run are killed.  NULL is allowed. */
void pager_destroy(struct pager *p);

/* The socket that programs join by (FAR_SOCKET_ENV); lives as long as the
 * pager. */
const char *pager_socket(const struct pager *p);

struct pager_stats {
	unsigned programs;
	uint64_t local;          /* the limit */
	uint64_t resident;       /* anonymous memory of the programs, bytes */
	uint64_t peak;           /* of that, as far as it was looked at */
	uint64_t away;           /* bytes */
	uint64_t room;           /* of the device, bytes */
	uint64_t faults;         /* pages asked for */
	uint64_t zero;           /* of these, answered with zeroes */
	uint64_t joined;         /* of these, that found a read under way */
	uint64_t from_parcel;    /* of these, not stored yet */
	uint64_t read;           /* pages that came back */
	uint64_t used;           /* of the prefetched ones, walked over */
	uint64_t prefetched;     /* of these, not asked for */
	uint64_t moved_out;      /* pages that left */
	uint64_t written;        /* of these, pages written */
	uint64_t clean;          /* of these, unchanged since they came */
	uint64_t dropped_zero;   /* of these, all zero */
	uint64_t kept;           /* that could not be moved */
	uint64_t tier;           /* bytes of `local` that the tier has */
	uint64_t packed;         /* pages in it */
	uint64_t from_tier;      /* of those read, pages out of it */
	uint64_t compressed;     /* pages that went into it */
	uint64_t compressed_to;  /* bytes that these were compressed to */
	uint64_t not_compressed; /* pages that it refused */
	uint64_t strays; /* children that did not join: they keep what comes */
	struct histogram fault; /* from the fault to the page */
};

void pager_stats(const struct pager *p, struct pager_stats *out);

#endif /* FAR_PAGER_H */
