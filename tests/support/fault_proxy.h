/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A TCP proxy that spoils what goes through it, on a reactor: for network
 * faults over real sockets, where there is no netem.
 *
 *     dialler <---> proxy <---> target
 *              OUT ------>
 *             <------ BACK
 *
 * What it does is decided by `faults`, which may be changed at any time and
 * hold for connections that are open too, and by the seed.
 */
#ifndef TESTS_FAULT_PROXY_H
#define TESTS_FAULT_PROXY_H

#include "base/list.h"
#include "core/listener.h"
#include "core/timer.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

enum fault_way { FAULT_OUT, FAULT_BACK };

struct faults {             /* all zeroes: none */
	uint64_t delay_ms;  /* of every byte */
	uint64_t jitter_ms; /* up to so much more; the order stays */
	uint64_t bytes_per_ms;
	unsigned piece; /* bytes sent on at once, at most; 0: no limit */
	bool held[2];   /* by way: nothing goes on */
	/* In so many bytes, about once: a bit is flipped; up to 64 bytes come
	 * twice; up to 64 bytes are left out. */
	uint64_t flip_one_in, twice_one_in, lose_one_in;
	bool refuses; /* connections end when they have begun */
};

struct fault_proxy {
	struct faults faults;
	uint64_t n_connections;
	uint64_t n_spoiled; /* flips, doublings and losses */

	/* the proxy's own */
	struct reactor *reactor;
	struct listener listener;
	struct sockaddr_storage target;
	socklen_t target_length;
	struct timer tick;
	struct list connections;
	uint64_t random;
};

/*
 * Listen at `address` (ADDR:PORT) for what is to go to `target` (numeric).
 * @return 0; a negative errno with words.
 */
int fault_proxy_start(struct fault_proxy *p, struct reactor *r, uint64_t seed,
                      const char *address, const char *target, struct err *e);
void fault_proxy_stop(struct fault_proxy *p);

unsigned fault_proxy_port(const struct fault_proxy *p);

/* End every connection: by RST if `reset`, else by FIN both ways. */
void fault_proxy_cut(struct fault_proxy *p, bool reset);

/* No more bytes go this way, and the receiver hears the end; the other way
 * stays open. */
void fault_proxy_half_close(struct fault_proxy *p, enum fault_way way);

/* Flips, doublings and losses: `n` bytes at `data`, with room for
 * FAULT_ROOM more.  @return bytes that are left. */
#define FAULT_ROOM 64u
size_t fault_proxy_spoil(struct fault_proxy *p, uint8_t *data, size_t n);

#endif /* TESTS_FAULT_PROXY_H */
