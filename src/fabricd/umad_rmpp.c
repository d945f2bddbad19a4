/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * causeway-rmpp.so: what the kernel does for programs that use libibumad and
 * ibsim's preload does not, so that stock ones (saquery, osmtest) read tables
 * of any length on causeway-fabric:
 *
 *     LD_PRELOAD="libumad2sim.so causeway-rmpp.so" saquery NR
 *
 * It stands before umad_recv() and umad_send() (see umad_recv(3)), for agents
 * that registered with RMPP.  A segment of a message to an agent is
 * acknowledged and kept; the message is handed on when it is whole, as one MAD
 * whose data are longer.  A buffer that is too small gets ENOSPC and the length
 * that is needed, and the message waits for a larger one.
 *
 * ibsim's preload also loses the last 32 bytes of each MAD that it hands on (it
 * takes the size of another header off the packet's).  It reads packets through
 * our read(), which keeps them until umad_recv() has seen them.
 *
 * Threads    One at a time in umad_recv() of a port, as with libibumad.
 * Limits     RMPP_PORTS ports; RMPP_BYTES of records in a message.  What else
 *            arrives between two segments waits behind them, at most
 *            RMPP_WAITING MADs; more are dropped, as by a full queue.
 */
#include "mad/rmpp.h"

#include <dlfcn.h>
#include <errno.h>
#include <infiniband/umad.h>
#include <pthread.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#define RMPP_PORTS 16u
#define RMPP_BYTES (16u << 20)
#define RMPP_WAITING 16u
#define PACKETS 256u
#define PACKET_LENGTH 288u /* switch/sim_proto.h */
#define PACKET_MAD 32u
#define SEEN_LENGTH 224u /* of a MAD, that ibsim's preload hands on */
#define TID_END 16u      /* it changes what is before */
#define SEGMENT_MS 2000  /* from one to the next */
#define SA_HEADER offsetof(struct sa_mad, data)

struct one {
	ib_user_mad_t umad;
	struct mad mad;
};
static_assert(offsetof(struct one, mad) == sizeof(ib_user_mad_t),
              "a MAD follows its header");

static struct port {
	struct one waiting[RMPP_WAITING]; /* oldest first */
	unsigned n_waiting;
	ib_user_mad_t umad; /* of the message */
	struct rmpp_receiver message;
	int id;          /* portid + 1; 0: free */
	uint64_t agents; /* by number: those that want RMPP */
	int agent;
	bool whole; /* and not handed on yet */
} ports[RMPP_PORTS];

/* By its number, which is a descriptor's.  A number that is used again finds
 * what was not fetched before. */
static struct port *find(int portid)
{
	for (unsigned i = 0; i < RMPP_PORTS; i++) {
		if (ports[i].id && ports[i].id != portid + 1)
			continue;
		ports[i].id = portid + 1;
		return &ports[i];
	}
	return NULL;
}

/* -- packets -------------------------------------------------------------- */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct mad packets[PACKETS]; /* the latest, in a ring */
static unsigned n_packets;

typedef ssize_t (*read_fn)(int, void *, size_t);

__attribute__((visibility("default"))) ssize_t read(int fd, void *to,
                                                    size_t length)
{
	static read_fn next;
	ssize_t n;

	if (!next)
		*(void **)&next = dlsym(RTLD_NEXT, "read");
	n = next(fd, to, length);
	if (n != PACKET_LENGTH || length != PACKET_LENGTH)
		return n;
	pthread_mutex_lock(&lock);
	memcpy(&packets[n_packets++ % PACKETS], (uint8_t *)to + PACKET_MAD,
	       sizeof(packets[0]));
	pthread_mutex_unlock(&lock);
	return n;
}

/* The packet that this was cut from. */
static void mend(struct mad *m)
{
	uint8_t *have = (uint8_t *)m;

	pthread_mutex_lock(&lock);
	for (unsigned i = 0; i < PACKETS && i < n_packets; i++) {
		const uint8_t *p =
			(const uint8_t
		                 *)&packets[(n_packets - 1 - i) % PACKETS];

		if (memcmp(p + TID_END, have + TID_END, SEEN_LENGTH - TID_END))
			continue;
		memcpy(have + SEEN_LENGTH, p + SEEN_LENGTH,
		       sizeof(*m) - SEEN_LENGTH);
		break;
	}
	pthread_mutex_unlock(&lock);
}

/* -- messages ------------------------------------------------------------- */

typedef int (*recv_fn)(int, void *, int *, int);

static int receive(int portid, struct one *out, int timeout_ms)
{
	static recv_fn next;
	int length = sizeof(out->mad), agent;

	if (!next)
		*(void **)&next = dlsym(RTLD_NEXT, "umad_recv");
	agent = next ? next(portid, out, &length, timeout_ms) : -ENOSYS;
	if (agent >= 0)
		mend(&out->mad);
	return agent;
}

typedef int (*register_fn)(int, int, int, uint8_t, long *);

__attribute__((visibility("default"))) int umad_register(
	int portid, int mgmt_class, int mgmt_version, uint8_t rmpp_version,
	long method_mask[16 / sizeof(long)])
{
	static register_fn next;
	struct port *p = find(portid);
	int agent;

	if (!next)
		*(void **)&next = dlsym(RTLD_NEXT, "umad_register");
	agent = next ? next(portid, mgmt_class, mgmt_version, rmpp_version,
	                    method_mask)
	             : -ENOSYS;
	if (p && agent >= 0 && agent < 64) {
		p->agents &= ~(UINT64_C(1) << agent);
		p->agents |= (uint64_t)(rmpp_version == 1) << agent;
	}
	return agent;
}

static bool wants_rmpp(const struct port *p, int agent)
{
	return p && agent >= 0 && agent < 64 && p->agents >> agent & 1;
}

typedef int (*send_fn)(int, int, void *, int, int, int);

/* A program that sends a message sets RMPP_ACTIVE and no more; the rest is the
 * kernel's.  Only messages of one segment are sent. */
__attribute__((visibility("default"))) int umad_send(int portid, int agent,
                                                     void *umad, int length,
                                                     int timeout_ms,
                                                     int retries)
{
	static send_fn next;
	struct one *one = umad;
	struct sa_mad *sa = (struct sa_mad *)&one->mad;

	if (!next)
		*(void **)&next = dlsym(RTLD_NEXT, "umad_send");
	if (length <= (int)sizeof(one->mad) && length >= (int)SA_HEADER &&
	    rmpp_is_active(&one->mad) && !sa->rmpp.version) {
		sa->rmpp.version = 1;
		sa->rmpp.type = RMPP_DATA;
		sa->rmpp.flags |= RMPP_FIRST | RMPP_LAST;
		sa->rmpp.data1 = be32_put(1);
		sa->rmpp.data2 = be32_put((uint32_t)(length - 36));
	}
	return next ? next(portid, agent, umad, length, timeout_ms, retries)
	            : -ENOSYS;
}

static void answer(int portid, int agent, const struct one *to,
                   const struct mad *mad)
{
	struct one out = { .umad = to->umad, .mad = *mad };

	umad_send(portid, agent, &out, sizeof(out.mad), 0, 0);
}

/* All segments of the message that began with `one`.  @return 0 or -errno. */
static int collect(struct port *p, int portid, int agent, struct one *one)
{
	uint64_t tid = be64_get(one->mad.header.tid);
	int from = agent;

	rmpp_receiver_fini(&p->message);
	rmpp_receiver_init(&p->message, RMPP_BYTES);
	p->umad = one->umad;
	p->agent = agent;
	for (;;) {
		bool replies = false;
		struct mad reply;
		enum rmpp_event event;

		if (from == agent && rmpp_is_active(&one->mad) &&
		    be64_get(one->mad.header.tid) == tid) {
			event = rmpp_receiver_receive(&p->message, &one->mad,
			                              &reply, &replies);
			if (replies)
				answer(portid, agent, one, &reply);
			if (event == RMPP_COMPLETE)
				return 0;
			if (event == RMPP_FAILED)
				return -EIO;
		} else if (p->n_waiting < RMPP_WAITING) {
			one->umad.agent_id = (uint32_t)from;
			p->waiting[p->n_waiting++] = *one;
		}
		from = receive(portid, one, SEGMENT_MS);
		if (from < 0)
			return from;
	}
}

static int hand_on(struct port *p, void *umad, int *length)
{
	int needed = (int)(SA_HEADER + p->message.length);
	uint8_t *to = umad;

	if (*length < needed) {
		*length = needed;
		errno = ENOSPC;
		return -ENOSPC;
	}
	p->umad.length = (uint32_t)(sizeof(p->umad) + (size_t)needed);
	memcpy(to, &p->umad, sizeof(p->umad));
	memcpy(to + sizeof(p->umad), &p->message.head, SA_HEADER);
	memcpy(to + sizeof(p->umad) + SA_HEADER, p->message.data,
	       p->message.length);
	*length = needed;
	p->whole = false;
	return p->agent;
}

static int hand_on_one(const struct one *one, int agent, void *umad,
                       int *length)
{
	int n = *length < (int)sizeof(one->mad) ? *length
	                                        : (int)sizeof(one->mad);

	memcpy(umad, &one->umad, sizeof(one->umad));
	memcpy((uint8_t *)umad + sizeof(one->umad), &one->mad, (size_t)n);
	*length = n;
	return agent;
}

/* What it is to us: a message's segment, or something about one that the
 * program sent, which does not concern it; 0: neither. */
static unsigned segment_type(const struct one *one)
{
	return !one->umad.status && rmpp_is_active(&one->mad)
	               ? ((const struct sa_mad *)&one->mad)->rmpp.type
	               : 0;
}

__attribute__((visibility("default"))) int umad_recv(int portid, void *umad,
                                                     int *length,
                                                     int timeout_ms)
{
	struct port *p;
	struct one one;
	int agent;

	p = find(portid);
	if (!p) {
		errno = EMFILE;
		return -EMFILE;
	}
	if (p->whole)
		return hand_on(p, umad, length);
	if (p->n_waiting > 0) {
		one = p->waiting[0];
		memmove(&p->waiting[0], &p->waiting[1],
		        --p->n_waiting * sizeof(one));
		return hand_on_one(&one, (int)one.umad.agent_id, umad, length);
	}
	do
		agent = receive(portid, &one, timeout_ms);
	while (wants_rmpp(p, agent) && segment_type(&one) > RMPP_DATA);
	if (!wants_rmpp(p, agent) || segment_type(&one) != RMPP_DATA)
		return agent < 0 ? agent
		                 : hand_on_one(&one, agent, umad, length);
	agent = collect(p, portid, agent, &one);
	if (agent < 0) {
		errno = -agent;
		return agent;
	}
	p->whole = true;
	return hand_on(p, umad, length);
}
