/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mad/port - the port interface: one port of this host, through which MADs
 * go out and come in.
 *
 * Two kinds stand behind it: mad/port_umad.h (a real port, or ibsim's through
 * its preload) and ports of a software fabric in this process, which
 * implement `struct mad_port_ops` and hand in what arrives with
 * mad_port_deliver().
 *
 * An *agent* is somebody who uses the port: a client that sends requests and
 * gets their responses, a responder for the requests of a class, or both.
 *
 * Threads    Everything happens on the port's reactor.
 * Ownership  Agents are embedded in their owner; a detached agent is never
 *            called again.  A datagram belongs to its receiver until receive
 *            returns.
 *
 * Invariants
 *   M1  receive never runs inside mad_port_send();
 *   M2  the high 32 bits of a request's TID are the port's: it writes them on
 *       sending and routes responses by them; the low 32 are the agent's and
 *       come back as they were.  A response goes out with its TID untouched;
 *   M3  a request that nobody has attached for is answered by the back end,
 *       or dropped, and counted;
 *   M4  a sent MAD arrives once, twice or never; nothing is retried here.
 */
#ifndef MAD_PORT_H
#define MAD_PORT_H

#include "base/list.h"
#include "mad/mad.h"

#include <stdbool.h>
#include <stdint.h>

struct reactor;
struct mad_port;
struct mad_agent;

/* Where a MAD goes, or where one came from. */
struct mad_address {
	uint16_t lid;        /* MAD_LID_PERMISSIVE: by the SMP's own route */
	uint16_t pkey_index; /* 0 on QP0 */
	uint32_t qpn;        /* the peer's: 0, or 1, or any QP on receive */
	uint32_t qkey;       /* MAD_QKEY_GSI; 0 on QP0 */
	uint8_t sl;
	uint8_t path_bits; /* low bits of our LID, with an LMC */
	bool has_grh;
	uint8_t gid[16]; /* the peer's, with a GRH */
};

struct mad_datagram {
	struct mad_address peer;
	/* 0; -ETIMEDOUT: `mad` is our own request, which the port gives back
	 * because it will not be answered. */
	int error;
	struct mad mad;
};

#define MAD_AGENTS 32u /* of one port at a time */

struct mad_agent {
	/* the owner's, set before mad_port_attach() */
	uint8_t mgmt_class; /* SUBN_LID stands for directed routes too */
	uint8_t class_version;
	uint8_t methods[MAD_METHODS / 8]; /* requests that it takes, by bit;
	                                     all 0: a client only */
	void (*receive)(struct mad_agent *a, const struct mad_datagram *d);

	/* the port's */
	struct mad_port *port;
	unsigned id; /* from 1 */
	void *back_end[2];
};

/* Say that `a` takes requests with this method. */
static inline void mad_agent_take(struct mad_agent *a, enum mad_method method)
{
	a->methods[method / 8] |= (uint8_t)(1u << (method % 8));
}

/* What a port knows about itself without asking the fabric. */
struct mad_port_info {
	uint64_t node_guid;
	uint64_t port_guid;
	uint64_t subnet_prefix;
	uint16_t lid;    /* 0: none yet */
	uint16_t sm_lid; /* 0: none yet */
	uint8_t sm_sl;
	uint8_t lmc;
	uint8_t port;  /* number on its node */
	uint8_t state; /* enum smp_port_state */
};

struct mad_port_stats {
	uint64_t sent;
	uint64_t received;
	uint64_t bounced;   /* received with an error */
	uint64_t unclaimed; /* no agent for it */
	uint64_t refused;   /* by the back end, in send */
};

/*
 * What a back end does.  It is called with arguments that have been checked.
 */
struct mad_port_ops {
	const char *type; /* "umad", "fabric" */
	/*
	 * Send these 256 bytes, TID final.  timeout_ms: how long a response
	 * may take, 0 where none is expected; a hint for back ends that must
	 * know.  @return 0; -EAGAIN (queue full: later), -ENODEV (port gone),
	 * -EIO.
	 */
	int (*send)(struct mad_port *p, struct mad_agent *a,
	            const struct mad_address *to, const struct mad *m,
	            unsigned timeout_ms);
	/* An agent comes or goes; NULL: nothing to do.  attach: 0 or -errno. */
	int (*attach)(struct mad_port *p, struct mad_agent *a);
	void (*detach)(struct mad_port *p, struct mad_agent *a);
	/* @return 0 or -errno; *out untouched then. */
	int (*query)(struct mad_port *p, struct mad_port_info *out);
	/* PortInfo:CapabilityMask.IsSM.  @return 0 or -errno. */
	int (*set_is_sm)(struct mad_port *p, bool on);
	/* No agent is attached any more; frees `p`. */
	void (*close)(struct mad_port *p);
};

struct mad_port {
	const struct mad_port_ops *ops;
	struct reactor *reactor;
	char name[32]; /* for people: "mlx5_0/1", "H0003/2" */
	struct mad_agent *agents[MAD_AGENTS]; /* by id - 1 */
	struct mad_port_stats stats;
};

/* For back ends: the part that is common.  `name` is copied. */
void mad_port_init(struct mad_port *p, const struct mad_port_ops *ops,
                   struct reactor *r, const char *name);

/*
 * For back ends, on the reactor's thread and never inside send: a MAD has
 * arrived for the port, or an error for one that it sent.
 *
 * @return false: nobody wants it (M3).
 */
bool mad_port_deliver(struct mad_port *p, const struct mad_datagram *d);

/*
 * @return 0; -EBUSY (MAD_AGENTS are attached, or another agent takes one of
 *         these methods of the class), -errno of the back end.
 */
int mad_port_attach(struct mad_port *p, struct mad_agent *a);

/* Harmless on one that is not attached. */
void mad_port_detach(struct mad_agent *a);

/*
 * Send a request or a response.  `m` is copied; the high half of a request's
 * TID is written into it (M2).
 *
 * timeout_ms: 0 for a response, or when no response is expected.
 *
 * @return 0; -EAGAIN, -ENODEV, -EIO: nothing was sent.
 */
int mad_port_send(struct mad_agent *a, const struct mad_address *to,
                  struct mad *m, unsigned timeout_ms);

/* Turn the request in `d` into its response (mad_make_response()) and send
 * it back: data are taken from `m`, a changed copy of d->mad. */
int mad_port_reply(struct mad_agent *a, const struct mad_datagram *d,
                   struct mad *m, uint16_t status);

int mad_port_query(struct mad_port *p, struct mad_port_info *out);
int mad_port_set_is_sm(struct mad_port *p, bool on);

/* NULL is allowed.  Every agent must be detached. */
void mad_port_close(struct mad_port *p);

/* The address of a directed-route SMP, and of a LID's QP0 and QP1. */
struct mad_address mad_address_directed(void);
struct mad_address mad_address_smi(uint16_t lid);
struct mad_address mad_address_gsi(uint16_t lid, uint8_t sl);

#endif /* MAD_PORT_H */
