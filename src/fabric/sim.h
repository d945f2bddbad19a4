/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fabric/sim - a network inside one process, with a clock of its own.
 *
 * Concept.  A transport like the others (address sim:NUMBER), for tests: the
 * real lanes, sessions and nodes run over it, on one reactor that a test
 * drives by hand, and from one seed everything happens again in the same way.
 * A number is what somebody listens at, and is a link: its faults hold for
 * all connections that were dialled to it, those that are open included.
 *
 * Bytes of a connection are never lost, doubled or reordered, because TCP's
 * are not; they are late (which may be for ever), corrupted, or gone together
 * with the connection.  What was written before a stream was destroyed still
 * arrives.
 *
 *     sim_create(seed)  reactor_create(clock = sim_clock)  sim_attach
 *     ... reactor_poll() until it has no work; sim_advance(); again ...
 *
 * Threads    The reactor's.
 * Bounds     SIM_LINKS numbers from 0; SIM_BUFFER bytes in a direction.
 */
#ifndef FABRIC_SIM_H
#define FABRIC_SIM_H

#include "base/clock.h"
#include "fabric/transport.h"

#include <stdbool.h>
#include <stdint.h>

#define SIM_LINKS 16u
#define SIM_BUFFER 262144u

struct sim;

enum sim_way { SIM_OUT /* from the dialler */, SIM_BACK };

/* A link's faults; all zeroes is a network that is perfect. */
struct sim_link {
	uint64_t delay_ns;       /* of every byte, each way */
	uint64_t jitter_ns;      /* up to so much more */
	uint64_t bytes_per_ms;   /* 0: no limit */
	bool held[2];            /* by enum sim_way: nothing arrives */
	bool refuses;            /* dials get ECONNREFUSED */
	bool fragments;          /* reads and writes take a few bytes */
	uint64_t corrupt_one_in; /* bytes; 0: never */
};

/* @return NULL: no memory. */
struct sim *sim_create(uint64_t seed);
/* Every stream and listener is gone. */
void sim_destroy(struct sim *s);

/* For struct reactor_opts. */
const struct clock *sim_clock(const struct sim *s);
/* Let it run on the reactor, until sim_detach(). */
void sim_attach(struct sim *s, struct reactor *r);
void sim_detach(struct sim *s);

/* For struct node_opts; shared by all nodes of the reactor. */
struct transport *sim_transport(struct sim *s);

void sim_advance(struct sim *s, uint64_t ns);

/* To be changed at any time.  Bytes that a link stops to hold are due. */
struct sim_link *sim_link(struct sim *s, unsigned number);

/* End every connection of a link, with what is under way: `err` for both
 * ends is -ECONNRESET, say. */
void sim_cut(struct sim *s, unsigned number, int err);

/* The simulation's own numbers, for tests that want all from one seed. */
uint64_t sim_random(struct sim *s);

#endif /* FABRIC_SIM_H */
