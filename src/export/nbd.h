/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * export/nbd - block devices served over NBD.
 *
 * Concept.  A server has exports; an export is a block device under a name
 * at an address, a Unix socket or a TCP port.  Exports with the same address
 * share its listener, which opens with the first and closes with the last of
 * them.  A client that asks for the empty name gets the only export of the
 * listener; where there are several it is refused.
 *
 *      home reactor                         data reactors
 *   accept -> handshake -- chosen export --> connection: requests, replies
 *      ^                                            |
 *      +------------------- closed -----------------+
 *
 * Handshakes run on the home reactor, where names are looked up; the
 * descriptor then moves to one of the data reactors, in turn, which serves
 * every request to completion.
 *
 * Units      Bytes and nanoseconds unless a name says otherwise.
 * Threads    Every call is made, and every callback except `extents` runs,
 *            on the home reactor's thread.  `extents` runs on a data
 *            reactor's.
 * Ownership  The device and `arg` are borrowed until the export's `done`;
 *            strings are copied.
 * Errors     0 or a negative errno, with words in *e.
 *
 * Invariants
 *   N1  a device gets only requests that block_check() accepts;
 *   N2  a reply carries only bytes that the device has read for it;
 *   N3  a removed or stopped export's `done` runs exactly once, after the
 *       device's last completion, and nothing touches the device then;
 *   N4  what a client can make the server hold is bounded by the limits
 *       below, however it behaves.
 */
#ifndef EXPORT_NBD_H
#define EXPORT_NBD_H

#include "base/err.h"
#include "block/block.h"
#include "core/histogram.h"
#include "core/reactor.h"

/* -- limits --------------------------------------------------------------- */

#define NBD_CONNECTIONS_MAX 4096u    /* of a server; further ones are closed */
#define NBD_EXPORTS_MAX 4096u        /* of a server */
#define NBD_NAME_MAX 255u            /* bytes of a name or description */
#define NBD_HANDSHAKE_MS 10000u      /* then an unfinished one is cut */
#define NBD_OPTION_MAX 8192u         /* bytes of one option; larger: TOO_BIG */
#define NBD_LENGTH_MAX (32u << 20)   /* bytes of one READ or WRITE */
#define NBD_REQUESTS_MAX 256u        /* in flight on one connection */
#define NBD_HELD_MAX (64u << 20)     /* bytes of buffers of one connection */
#define NBD_BUFFERS_MAX (512u << 20) /* bytes of buffers of a data reactor */
/* Seconds that a client may move no byte while others wait for memory that
 * its transfers hold; then it is cut. */
#define NBD_STALL_S 10u
#define NBD_IDLE_MAX 16384u /* bytes that an idle connection holds */

/* -- addresses ------------------------------------------------------------ */

enum nbd_kind {
	NBD_UNIX,  /* `text` is the socket's path */
	NBD_TCP,   /* ADDR:PORT or [ADDR]:PORT, numeric; "localhost", "*" too */
	NBD_ADOPT, /* no socket: connections come from nbd_server_adopt() */
};

struct nbd_address {
	enum nbd_kind kind;
	const char *text;
};

/* -- exports -------------------------------------------------------------- */

struct nbd_extent {
	uint64_t length; /* bytes, not 0 */
	bool hole;       /* not allocated, and reads as zeroes */
};

struct nbd_export_info {
	const char *name;        /* at most NBD_NAME_MAX bytes; POOL/VOL */
	const char *description; /* may be NULL */
	struct block_device *device;
	bool read_only;
	/*
	 * Fill in up to `max` extents from `offset` on, which together are
	 * at most `length` bytes.  Called on data reactors; must not wait.
	 * NULL: all is reported as allocated.
	 *
	 * @return how many, at least 1; or a negative errno.
	 */
	int (*extents)(void *arg, uint64_t offset, uint64_t length,
	               struct nbd_extent *out, unsigned max);
	void *arg;
};

enum nbd_op {
	NBD_OP_READ,
	NBD_OP_WRITE,
	NBD_OP_FLUSH,
	NBD_OP_TRIM,
	NBD_OP_WRITE_ZEROES,
	NBD_OP_BLOCK_STATUS,
};
#define NBD_OPS 6

struct nbd_op_stats {
	uint64_t errors; /* answered with one; in the histogram too */
	uint64_t bytes;
	struct histogram latency; /* header received to reply handed to send */
};

struct nbd_export_stats {
	unsigned connections; /* now */
	uint64_t connected;   /* ever */
	struct nbd_op_stats op[NBD_OPS];
};

struct nbd_server;
struct nbd_export;

typedef void (*nbd_done_fn)(void *arg);

/*
 * Serve a device.
 *
 * @return 0; -EEXIST: the name is taken at this address; -EADDRINUSE:
 *         somebody listens there; -EINVAL: not an address or not a name;
 *         -EMFILE and other errors of socket, bind and listen; -ESHUTDOWN.
 */
int nbd_export_add(struct nbd_server *s, const struct nbd_address *at,
                   const struct nbd_export_info *info, struct nbd_export **out,
                   struct err *e);

/*
 * Stop serving.  New handshakes no longer find the export at once; its
 * connections finish what is in flight, answer it and close, or are cut when
 * `deadline_ms` have passed.  `x` is gone when `done` runs (N3), which is
 * never inside this call.
 */
void nbd_export_remove(struct nbd_export *x, unsigned deadline_ms,
                       nbd_done_fn done, void *arg);

/* The port, for an address that left the choice to the kernel (":0"). */
unsigned nbd_export_port(const struct nbd_export *x);

/* Large: about 32 KiB. */
void nbd_export_stats(const struct nbd_export *x, struct nbd_export_stats *out);

/* -- servers -------------------------------------------------------------- */

struct nbd_server_opts {
	struct reactor *home;
	struct reactor *const *data; /* may contain `home` */
	unsigned n_data;
	unsigned connections_max; /* 0: NBD_CONNECTIONS_MAX */
	unsigned handshake_ms;    /* 0: NBD_HANDSHAKE_MS */
};

struct nbd_server_stats {
	unsigned connections; /* now, handshakes included */
	uint64_t accepted;
	uint64_t refused;   /* over connections_max */
	uint64_t exhausted; /* accept() had no descriptor or memory */
	uint64_t timed_out; /* handshakes that took too long */
	uint64_t rejected;  /* closed for breaking the protocol in one */
	uint64_t held;      /* bytes allocated for connections and handshakes */
	uint64_t buffers;   /* bytes of request buffers, cached ones included */
};

/* @return 0; -ENOMEM. */
int nbd_server_create(const struct nbd_server_opts *opts,
                      struct nbd_server **out, struct err *e);

/*
 * Close the listeners, cut the handshakes and remove every export as
 * nbd_export_remove() does.  The server is gone when `done` runs, which is
 * never inside this call.  Call it once.
 */
void nbd_server_stop(struct nbd_server *s, unsigned deadline_ms,
                     nbd_done_fn done, void *arg);

/*
 * Run a connection on `fd`, a connected stream socket, as if accepted at
 * `at`: the seam for socket activation, tests and fuzzers.  `fd` is the
 * server's from now on, also on failure.
 *
 * @return 0; -ENOENT: no export has this address; -EMFILE: connections_max;
 *         -ENOMEM; -ESHUTDOWN.
 */
int nbd_server_adopt(struct nbd_server *s, const struct nbd_address *at,
                     int fd);

void nbd_server_stats(const struct nbd_server *s, struct nbd_server_stats *out);

#endif /* EXPORT_NBD_H */
