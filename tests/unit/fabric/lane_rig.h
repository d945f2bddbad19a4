/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Two ends of one lane on one reactor, for tests of every transport.
 *
 * A transport joins the conformance suite with a row in lane_transports[]
 * (lane_rig.c): how to make it and what to turn between two polls.
 */
#ifndef TESTS_LANE_RIG_H
#define TESTS_LANE_RIG_H

#include "../../support/memory_service.h"
#include "../test.h"

#include "core/reactor.h"
#include "fabric/lane.h"
#include "fabric/sim.h"
#include "fabric/target.h"
#include "fabric/transport.h"

#define RIG_BYTES (UINT64_C(4) << 20)

struct lane_rig;

struct lane_transport {
	const char *name;
	/* Make the transport of *rig; may be NULL in tests that do without.
	 * @return false: it cannot run here, and says why. */
	bool (*start)(struct lane_rig *rig);
	void (*turn)(struct lane_rig *rig); /* between polls; NULL: nothing */
	void (*stop)(struct lane_rig *rig);
	const char *address; /* to listen at */
	/* RDMA, of which the target hears little: who moves the bytes of READ
	 * is not counted, and service->access not asked. */
	bool rdma;
};

extern const struct lane_transport lane_transports[];
extern const unsigned n_lane_transports;

struct lane_end {
	struct lane *lane;
	unsigned ups, failures;
	int error;
	struct frame control; /* the last */
	unsigned n_controls;
	uint8_t body[FABRIC_WIRE_CONTROL_MAX];
};

struct lane_rig {
	const struct lane_transport *kind;
	struct reactor *reactor;
	struct transport *transport;
	struct sim *sim;
	void *extra; /* the transport's */
	struct transport_listener *listener;
	struct lane_end out, in; /* the dialler's and the acceptor's */
	struct memory_service service;
	struct target *target;
	uint64_t sequence;                  /* the last that was used */
	uint8_t *remote, *local, *expected; /* RIG_BYTES each */
};

/* A running pair, open for class LATENCY; region 0 is `remote`. */
void lane_rig_start(struct lane_rig *rig, const struct lane_transport *kind);
/* Connected and in GREETING only. */
void lane_rig_greet(struct lane_rig *rig, const struct lane_transport *kind);
void lane_rig_open(struct lane_rig *rig);
void lane_rig_stop(struct lane_rig *rig);

/* Turn until *counter reaches `value`. */
void lane_rig_wait(struct lane_rig *rig, const unsigned *counter,
                   unsigned value);
void lane_rig_turn(struct lane_rig *rig, unsigned times);

struct lane_op { /* an operation that a test waits for */
	struct fabric_op op;
	struct iovec iov[4];
	enum fabric_status status;
	unsigned done;
	unsigned *order; /* counts; its value at done() goes to `place` */
	unsigned place;
};

/* Prepare one over one entry of vector; region 0 and class LATENCY. */
void lane_op_init(struct lane_op *o, enum fabric_opcode opcode, uint64_t offset,
                  void *data, uint64_t length);
void lane_rig_submit(struct lane_rig *rig, struct lane_op *o);
/* Submit and wait. */
enum fabric_status lane_rig_run(struct lane_rig *rig, struct lane_op *o);

#endif /* TESTS_LANE_RIG_H */
