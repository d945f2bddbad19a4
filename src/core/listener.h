/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * core/listener - a listening socket on a reactor.
 *
 * Concept.  A listener is embedded in its owner.  While it is open it accepts
 * what comes in at its address, a Unix socket or a TCP port, and gives each
 * connection to the owner's accepted().
 *
 *              open                  accept() found no descriptor
 *     CLOSED --------> LISTENING ------------------------------> PAUSED
 *       ^    (fails)       |  ^                                     |
 *       |                  |  +---------- LISTENER_PAUSE_MS --------+
 *       |      close       |                                        |
 *       +------------------+----------------------------------------+
 *
 * While it pauses, clients wait in the kernel's backlog.  The first pause of a
 * time of want is logged, with its reason.
 *
 * Address    LISTENER_UNIX, LISTENER_UNIX_PACKET: the path of the socket, at
 * most LISTENER_PATH_MAX bytes. LISTENER_TCP: ADDR:PORT, or [ADDR]:PORT for
 * IPv6.  ADDR is numeric; "localhost" is 127.0.0.1, "*" and nothing are
 * 0.0.0.0. Port 0 has the kernel choose; see listener_port().  IPv6 serves no
 * IPv4 clients. Threads    Everything on the reactor's thread. Ownership  The
 * struct is the owner's and a zeroed one is closed.  The address is copied.  A
 * connection is the owner's from the call of accepted() on: non-blocking,
 * close-on-exec, and for TCP with TCP_NODELAY and SO_KEEPALIVE. Errors     0 or
 * a negative errno, with words in *e.
 *
 * Invariants
 *   L1  accepted() never runs inside listener_open(), nor after
 *       listener_close();
 *   L2  accepted() may close the listener and free what it is embedded in;
 *   L3  a listener for which accept() finds no descriptor or memory rests
 *       for LISTENER_PAUSE_MS and then tries again: it neither spins nor goes
 *       deaf;
 *   L4  a socket that somebody answers on, and a file that is not a socket,
 *       is never removed; one that a dead process left is replaced;
 *   L5  the file of a Unix socket has mode 0660 whatever the umask, and never
 *       a wider one, not for an instant;
 *   L6  listener_close() removes that file, unless it is somebody else's by
 *       now;
 *   L7  an open that fails leaves no descriptor and no file of its own.
 *
 * Whether a socket is stale and its removal are two steps: of two processes
 * that take over one path at the same time the later may remove the socket of
 * the earlier.  Where that can happen, hold a lock of your own.
 */
#ifndef CORE_LISTENER_H
#define CORE_LISTENER_H

#include "base/err.h"
#include "core/timer.h"
#include "core/watch.h"

#include <stdint.h>
#include <sys/types.h>

#define LISTENER_PATH_MAX 107u /* bytes, of sun_path; without the NUL */
#define LISTENER_BACKLOG 1024  /* connections that wait to be accepted */
#define LISTENER_PAUSE_MS 100u /* L3 */

struct reactor;

enum listener_kind {
	LISTENER_UNIX,        /* a stream */
	LISTENER_UNIX_PACKET, /* SOCK_SEQPACKET */
	LISTENER_TCP,
};

struct listener {
	/* set by the owner before listener_open() */
	void (*accepted)(struct listener *l, int fd);
	/* Counts the times that accept() found no descriptor or memory, in a
	 * counter of the owner's, which outlives the listener; NULL: none. */
	uint64_t *n_exhausted;

	/* listener's own */
	struct reactor *reactor; /* NULL: closed */
	struct watch watch;
	struct timer pause;
	bool wanting; /* a pause was logged, nothing accepted since */
	char path[LISTENER_PATH_MAX + 1]; /* "": TCP */
	dev_t dev;                        /* what is ours at `path` (L6) */
	ino_t ino;
};

/*
 * Start listening; the listener is closed.
 *
 * @return 0, or for an address that cannot be used, -EINVAL: not an address;
 *         -ENAMETOOLONG: a path over LISTENER_PATH_MAX; -ENOTSOCK: the path
 *         is something else; -EADDRINUSE: somebody listens there; -EACCES,
 *         -EADDRNOTAVAIL and other errors of bind() and listen(); or
 *         -EMFILE, -ENFILE, -ENOMEM.  The listener is closed as before.
 */
int listener_open(struct reactor *r, struct listener *l,
                  enum listener_kind kind, const char *address, struct err *e);

/* Nothing to do for a closed one.  It may be opened again. */
void listener_close(struct listener *l);

/* The TCP port; 0 for a Unix socket and for a closed listener. */
unsigned listener_port(const struct listener *l);

#endif /* CORE_LISTENER_H */
