/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * far/channel_format - what the pager and the agent in a program share.
 *
 * One memfd, mapped by both.  It lies outside of what the pager captures, and
 * the agent's thread touches nothing else but its staging area: it must run
 * while any other page of the program may be away.
 *
 *   offset  0  asked     futex: number of the newest command
 *           4  answered  number of the newest command that is done
 *           8  cancelled number of a command that is to be broken off
 *          12  n_runs    of the newest command
 *          16  staging   address of FAR_BATCH pages in the program
 *          24  moved     bit i: page i of the command lies in staging now
 *          32  doubtful  bit i: it moved while the program may have unmapped it
 *          40  what      to do: enum far_command
 *          48  agent     thread id of the agent, its own to say
 *          52  reading   odd: the pager reads what the program does
 *          56  run[]     address and pages, in the order of `moved`
 *
 * FAR_MOVE empties the staging area, then moves pages to it, the first to
 * its first page and so on; one that cannot be moved (shared with a child of
 * a fork, pinned, gone) stays where it is.  The agent then adds 1 to the
 * event descriptor.  n_runs 0 only empties it.  FAR_OWN has the program's own
 * copy made of pages that it shares with a child or has shared, so that they
 * can be moved; pages of such a command may fault as others do.
 *
 * Whoever unmaps memory goes on as soon as the pager has read of it, before the
 * pager can break a command off.  So the agent moves nothing while `reading` is
 * odd, and what it moved while `reading` changed is doubtful.
 *
 * The program can scribble on all of it.  The pager reads `answered`, `moved`
 * and `doubtful` once for each command, believes nothing else, and what it
 * believes wrongly harms that program alone.
 */
#ifndef FAR_CHANNEL_FORMAT_H
#define FAR_CHANNEL_FORMAT_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#define FAR_CHANNEL_VERSION 3u
#define FAR_BATCH 64u /* pages of one command: bits of `moved` */

enum far_command { FAR_MOVE, FAR_OWN };

struct far_run {
	uint64_t address;
	uint64_t pages;
};

struct far_channel {
	_Atomic uint32_t asked;
	_Atomic uint32_t answered;
	_Atomic uint32_t cancelled;
	uint32_t n_runs;
	uint64_t staging;
	uint64_t moved;
	uint64_t doubtful;
	uint64_t what;
	_Atomic uint32_t agent;
	_Atomic uint32_t reading;
	struct far_run run[FAR_BATCH];
};

static_assert(offsetof(struct far_channel, staging) == 16, "layout");
static_assert(offsetof(struct far_channel, run) == 56, "layout");

/*
 * How a program joins: it connects to the Unix socket (SOCK_SEQPACKET) that
 * FAR_SOCKET_ENV names.  The pager sends a far_welcome, with an open
 * /dev/userfaultfd where it has one; the program answers with a far_hello and
 * the descriptors FAR_FD_*; the pager sends a far_welcome again when it is
 * ready, and the agent's thread starts.  The connection ends with the program.
 *
 * The child of a fork joins in the same way.  What it has inherited of
 * captured memory has a descriptor already, which the kernel gave to the
 * pager; which one that is, the pager finds by its page `probe`, for each
 * process chooses that address at random.  Then the second far_welcome comes
 * with that descriptor, and the child holds it in place of its own.
 */
#define FAR_SOCKET_ENV "CAUSEWAY_FAR"

struct far_welcome {
	uint32_t version;
	uint32_t refused; /* 0; else an errno: run without the pager */
};

struct far_hello {
	uint32_t version;
	uint32_t reserved;
	uint64_t staging;
	uint64_t probe; /* of a page that nobody touches */
};

enum far_fd {
	FAR_FD_FAULTS,  /* userfaultfd; the pager does UFFDIO_API */
	FAR_FD_STAGING, /* another one, for the staging area alone */
	FAR_FD_CHANNEL, /* memfd, sealed against shrinking */
	FAR_FD_EVENT,   /* eventfd */
	FAR_FDS,
};

#endif /* FAR_CHANNEL_FORMAT_H */
