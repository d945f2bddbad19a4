/* SPDX-License-Identifier: BSD-2-Clause */
#include "fabric/sim.h"

#include "base/base.h"
#include "core/poller.h"
#include "fabric/frame_lane.h"

#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BURSTS 256u /* with arrival times of their own, in a direction */

/* Bytes up to position `end` of a direction arrive at `due_ns`. */
struct burst {
	uint64_t end;
	uint64_t due_ns;
};

/*
 * One direction.  Positions count bytes from its beginning:
 * read <= arrived <= written <= read + SIM_BUFFER.
 */
struct pipe {
	uint64_t read, arrived, written;
	struct burst burst[BURSTS];
	unsigned first, n_bursts;
	uint64_t last_due_ns; /* nothing overtakes */
	bool closed;          /* its writer is gone */
	bool end_arrived;     /* and its reader can know */
	uint8_t bytes[SIM_BUFFER];
};

enum { DIALLER, ACCEPTOR };

struct connection;

struct sim_stream {
	struct stream stream;
	struct connection *connection;
	unsigned end; /* DIALLER or ACCEPTOR */
	bool open;
	bool wants_read, wants_write;
};

struct connection {
	struct list link; /* sim's */
	struct sim *sim;
	unsigned number;
	struct sim_stream ends[2];
	struct pipe *pipes[2]; /* by enum sim_way: that of its writer */
	uint64_t reach_ns;     /* when the dial arrives, and its answer */
	bool reached;          /* the acceptor has it */
	bool connected;        /* the dialler knows */
	int error;             /* the connection was cut or refused */
	bool gone;             /* both ends were destroyed */
};

struct sim {
	struct transport transport;
	struct clock clock;
	struct poller poller;
	struct reactor *reactor;
	uint64_t now_ns;
	uint64_t rng;
	struct list connections;
	struct sim_link links[SIM_LINKS];
	struct transport_listener *listeners[SIM_LINKS];
};

static struct sim *sim_of(const struct clock *c)
{
	return container_of(c, struct sim, clock);
}

uint64_t sim_random(struct sim *s)
{
	s->rng ^= s->rng << 13;
	s->rng ^= s->rng >> 7;
	s->rng ^= s->rng << 17;
	return s->rng * UINT64_C(0x2545f4914f6cdd1d);
}

static uint64_t now_ns(const struct clock *c)
{
	return sim_of(c)->now_ns;
}

static struct sim_link *link_of(const struct connection *c)
{
	return &c->sim->links[c->number];
}

static uint64_t delay(const struct connection *c)
{
	const struct sim_link *l = link_of(c);

	return l->delay_ns +
	       (l->jitter_ns ? sim_random(c->sim) % l->jitter_ns : 0);
}

/* -- a direction ---------------------------------------------------------- */

static void add_burst(struct connection *c, struct pipe *p, size_t n)
{
	uint64_t rate = link_of(c)->bytes_per_ms;
	uint64_t due = c->sim->now_ns + delay(c);
	struct burst *last;

	if (due < p->last_due_ns)
		due = p->last_due_ns;
	if (rate)
		due += n * NS_PER_MS / rate;
	p->last_due_ns = due;
	p->written += n;
	last = &p->burst[(p->first + p->n_bursts - 1) % BURSTS];
	if (p->n_bursts == BURSTS || (p->n_bursts && last->due_ns == due)) {
		last->end = p->written;
		last->due_ns = due;
		return;
	}
	p->burst[(p->first + p->n_bursts++) % BURSTS] =
		(struct burst){ p->written, due };
}

/* @return whether anything arrived. */
static bool arrive(struct connection *c, struct pipe *p, bool held)
{
	uint64_t before = p->arrived;

	if (held)
		return false;
	while (p->n_bursts && p->burst[p->first].due_ns <= c->sim->now_ns) {
		p->arrived = p->burst[p->first].end;
		p->first = (p->first + 1) % BURSTS;
		p->n_bursts--;
	}
	if (p->closed && !p->end_arrived && p->n_bursts == 0) {
		p->end_arrived = true;
		return true;
	}
	return p->arrived != before;
}

static void corrupt(struct connection *c, uint8_t *bytes, size_t n)
{
	uint64_t one_in = link_of(c)->corrupt_one_in;

	if (one_in && sim_random(c->sim) % one_in < n)
		bytes[sim_random(c->sim) % n] ^=
			(uint8_t)(1u << sim_random(c->sim) % 8);
}

/* As many bytes as come in one call. */
static size_t some(struct connection *c, size_t n)
{
	if (!link_of(c)->fragments || n == 0)
		return n;
	return sim_random(c->sim) % 4
	               ? 1 + sim_random(c->sim) % n
	               : 1 + sim_random(c->sim) % (n < 8 ? n : 8);
}

/* -- a stream ------------------------------------------------------------- */

static struct sim_stream *stream_of(struct stream *s)
{
	return container_of(s, struct sim_stream, stream);
}

static struct pipe *pipe_from(struct sim_stream *s)
{
	return s->connection->pipes[s->end == DIALLER ? SIM_OUT : SIM_BACK];
}

static struct pipe *pipe_to(struct sim_stream *s)
{
	return s->connection->pipes[s->end == DIALLER ? SIM_BACK : SIM_OUT];
}

static int sim_connected(struct stream *stream)
{
	struct connection *c = stream_of(stream)->connection;

	if (c->error)
		return c->error;
	return stream_of(stream)->end == ACCEPTOR || c->connected ? 0 : -EAGAIN;
}

static ssize_t sim_readv(struct stream *stream, const struct iovec *iov,
                         unsigned n)
{
	struct sim_stream *s = stream_of(stream);
	struct pipe *p = pipe_to(s);
	size_t there = (size_t)(p->arrived - p->read), done = 0;

	if (sim_connected(stream))
		return sim_connected(stream);
	if (there == 0)
		return p->end_arrived ? 0 : -EAGAIN;
	there = some(s->connection, there);
	for (unsigned i = 0; i < n && done < there; i++) {
		uint8_t *to = iov[i].iov_base;

		for (size_t k = 0; k < iov[i].iov_len && done < there; k++)
			to[k] = p->bytes[(p->read + done++) % SIM_BUFFER];
	}
	p->read += done;
	return (ssize_t)done;
}

static ssize_t sim_writev(struct stream *stream, const struct iovec *iov,
                          unsigned n)
{
	struct sim_stream *s = stream_of(stream);
	struct pipe *p = pipe_from(s);
	size_t room = SIM_BUFFER - (size_t)(p->written - p->read), done = 0;

	if (sim_connected(stream))
		return sim_connected(stream);
	if (pipe_to(s)->end_arrived)
		return -EPIPE;
	room = some(s->connection, room);
	for (unsigned i = 0; i < n && done < room; i++) {
		uint8_t *from = iov[i].iov_base;

		for (size_t k = 0; k < iov[i].iov_len && done < room; k++)
			p->bytes[(p->written + done++) % SIM_BUFFER] = from[k];
	}
	if (done == 0)
		return -EAGAIN;
	if (p->written % SIM_BUFFER + done <= SIM_BUFFER)
		corrupt(s->connection, &p->bytes[p->written % SIM_BUFFER],
		        done);
	add_burst(s->connection, p, done);
	return (ssize_t)done;
}

static bool sim_want(struct stream *stream, bool readable, bool writable)
{
	stream_of(stream)->wants_read = readable;
	stream_of(stream)->wants_write = writable;
	return true;
}

static uint64_t sim_unacknowledged(struct stream *stream)
{
	struct pipe *p = pipe_from(stream_of(stream));

	return p->written - p->arrived;
}

static int sim_addresses(struct stream *stream, struct sockaddr_storage *local,
                         struct sockaddr_storage *peer)
{
	(void)stream;
	(void)local;
	(void)peer;
	return -EAFNOSUPPORT;
}

/* The connection is freed by the poller, which may be walking it. */
static void sim_stream_destroy(struct stream *stream)
{
	struct sim_stream *s = stream_of(stream);
	struct connection *c = s->connection;

	s->open = false;
	pipe_from(s)->closed = true;
	c->gone = !c->ends[DIALLER].open && !c->ends[ACCEPTOR].open &&
	          (c->reached || c->error);
}

static const struct stream_ops sim_stream_ops = {
	.scheme = FABRIC_SIM,
	.readv = sim_readv,
	.writev = sim_writev,
	.connected = sim_connected,
	.want = sim_want,
	.unacknowledged = sim_unacknowledged,
	.addresses = sim_addresses,
	.destroy = sim_stream_destroy,
};

/* -- connections ---------------------------------------------------------- */

static void free_connection(struct connection *c)
{
	list_remove(&c->link);
	free(c->pipes[SIM_OUT]);
	free(c->pipes[SIM_BACK]);
	free(c);
}

static void reach(struct connection *c)
{
	struct transport_listener *l = c->sim->listeners[c->number];
	struct lane *lane;

	c->reached = true;
	if (!l || link_of(c)->refuses) {
		c->error = -ECONNREFUSED;
		c->gone = !c->ends[DIALLER].open;
		return;
	}
	c->reach_ns = c->sim->now_ns + delay(c);
	c->ends[ACCEPTOR].open = true;
	if (!frame_lane_create(c->sim->reactor, &c->ends[ACCEPTOR].stream,
	                       false, &lane))
		l->accepted(l, lane);
}

static bool progress(struct connection *c)
{
	const struct sim_link *l = link_of(c);
	bool any = false;

	if (!c->reached && !c->error && !l->held[SIM_OUT] &&
	    c->reach_ns <= c->sim->now_ns) {
		reach(c);
		any = true;
	}
	if (c->reached && !c->connected && !c->error && !l->held[SIM_BACK] &&
	    c->reach_ns <= c->sim->now_ns) {
		c->connected = true;
		any = true;
	}
	for (unsigned way = 0; way < 2; way++)
		any |= arrive(c, c->pipes[way], l->held[way]);
	return any;
}

static bool is_ready(struct sim_stream *s)
{
	const struct connection *c = s->connection;
	struct pipe *to = pipe_to(s), *from = pipe_from(s);

	if (!s->open)
		return false;
	if (c->error)
		return s->wants_read || s->wants_write;
	if (s->wants_read && (to->arrived != to->read || to->end_arrived))
		return true;
	return s->wants_write && (s->end == ACCEPTOR || c->connected) &&
	       (from->written - from->read < SIM_BUFFER || to->end_arrived);
}

static bool poll_network(struct poller *p)
{
	struct sim *s = container_of(p, struct sim, poller);
	bool any = false;

	LIST_FOREACH (l, &s->connections) {
		struct connection *c = list_entry(l, struct connection, link);

		any |= progress(c);
		for (unsigned e = 0; e < 2; e++) {
			if (!is_ready(&c->ends[e]))
				continue;
			any = true;
			c->ends[e].stream.ready(&c->ends[e].stream);
		}
		if (c->gone)
			free_connection(c);
	}
	return any;
}

static struct connection *new_connection(struct sim *s, unsigned number)
{
	struct connection *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->pipes[SIM_OUT] = calloc(1, sizeof(struct pipe));
	c->pipes[SIM_BACK] = calloc(1, sizeof(struct pipe));
	if (!c->pipes[SIM_OUT] || !c->pipes[SIM_BACK]) {
		free(c->pipes[SIM_OUT]);
		free(c->pipes[SIM_BACK]);
		free(c);
		return NULL;
	}
	c->sim = s;
	c->number = number;
	for (unsigned e = 0; e < 2; e++)
		c->ends[e] = (struct sim_stream){
			.stream.ops = &sim_stream_ops,
			.connection = c,
			.end = e,
			.open = e == DIALLER,
		};
	c->reach_ns = s->now_ns + delay(c);
	list_append(&s->connections, &c->link);
	return c;
}

/* -- the transport -------------------------------------------------------- */

static unsigned number_of(const struct fabric_address *a)
{
	uint32_t number;

	memcpy(&number, a->ip + 12, sizeof(number));
	number = be32toh(number);
	assert(number < SIM_LINKS);
	return number;
}

static int dial(struct transport *t, struct reactor *r,
                const struct fabric_address *to, struct lane **out,
                struct err *e)
{
	struct connection *c = new_connection(t->ctx, number_of(to));

	if (!c || frame_lane_create(r, &c->ends[DIALLER].stream, true, out))
		return err_set(e, -ENOMEM, "no memory for a connection");
	return 0;
}

static int listen_at(struct transport *t, struct reactor *r,
                     const struct fabric_address *at,
                     struct transport_listener **out, struct err *e)
{
	struct sim *s = t->ctx;
	struct transport_listener **slot = &s->listeners[number_of(at)];

	(void)r;
	if (*slot)
		return err_set(e, -EADDRINUSE, "somebody listens there");
	*slot = calloc(1, sizeof(**slot));
	if (!*slot)
		return err_set(e, -ENOMEM, "no memory for a listener");
	(*slot)->transport = t;
	(*slot)->address = *at;
	*out = *slot;
	return 0;
}

static void unlisten(struct transport_listener *l)
{
	struct sim *s = l->transport->ctx;

	s->listeners[number_of(&l->address)] = NULL;
	free(l);
}

/* -- the whole ------------------------------------------------------------ */

struct sim *sim_create(uint64_t seed)
{
	struct sim *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->rng = seed * UINT64_C(0x9e3779b97f4a7c15) | 1;
	s->now_ns = NS_PER_S;
	s->clock.now_ns = now_ns;
	s->poller.poll = poll_network;
	s->transport = (struct transport){ .scheme = FABRIC_SIM,
		                           .ctx = s,
		                           .dial = dial,
		                           .listen = listen_at,
		                           .unlisten = unlisten };
	list_init(&s->connections);
	return s;
}

void sim_destroy(struct sim *s)
{
	if (!s)
		return;
	LIST_FOREACH (l, &s->connections) {
		struct connection *c = list_entry(l, struct connection, link);

		assert(!c->ends[DIALLER].open && !c->ends[ACCEPTOR].open);
		free_connection(c);
	}
	free(s);
}

const struct clock *sim_clock(const struct sim *s)
{
	return &s->clock;
}

void sim_attach(struct sim *s, struct reactor *r)
{
	s->reactor = r;
	poller_start(r, &s->poller);
}

void sim_detach(struct sim *s)
{
	poller_stop(s->reactor, &s->poller);
}

struct transport *sim_transport(struct sim *s)
{
	return &s->transport;
}

void sim_advance(struct sim *s, uint64_t ns)
{
	s->now_ns += ns;
}

struct sim_link *sim_link(struct sim *s, unsigned number)
{
	assert(number < SIM_LINKS);
	return &s->links[number];
}

void sim_cut(struct sim *s, unsigned number, int err)
{
	LIST_FOREACH (l, &s->connections) {
		struct connection *c = list_entry(l, struct connection, link);

		if (c->number == number && !c->error)
			c->error = err;
		/* One that nobody holds, but on its way, is let arrive. */
		if (c->error && !c->ends[DIALLER].open &&
		    !c->ends[ACCEPTOR].open)
			c->gone = true;
	}
}
