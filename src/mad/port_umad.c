/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What ibsim's preload does differently from a kernel, and what follows:
 *
 * - its descriptors (1024 and up) exist in its own poll(2), read(2), write(2)
 *   only: a thread waits while the reactor sleeps, see mad/umad_waiter.h;
 * - it hands a message to whoever registered the class last, crashes when
 *   nobody is registered, and forgets the class when any registration of it
 *   goes away: registrations are kept until the port is closed, and used
 *   again (a kernel's can't change their methods either);
 * - it answers a request that gets lost at once with ETIMEDOUT, under the
 *   wrong registration, but with the right one in the TID; a kernel does that
 *   after the timeout it was given, which our own timers know by then;
 * - it and ibsim wait for each other for ever once the sockets between them
 *   are full both ways (seen with 512 requests in flight): we keep to
 *   OWED_MAX;
 * - it knows open(2), but not the open64 that our compiler makes of it;
 * - the last 32 bytes of a MAD that it delivers are garbage.
 */
#include "mad/port_umad.h"

#include "base/base.h"
#include "core/reactor.h"
#include "mad/umad_waiter.h"

#include <errno.h>
#include <fcntl.h>
#include <infiniband/umad.h>
#include <stdio.h>
#include <sys/epoll.h>

#define READ_BATCH 64u /* MADs that are read before others get a turn */
#define ISSM_PATH 256
#define OWED_MAX 128u /* responses that a simulated port may owe us */
#define OWED_FORGET_NS (100 * NS_PER_MS) /* those that it lost */
#define KERNEL_SLACK_MS 100u /* a late response is better than none */

/* What umad_register() gave, once or twice (SMPs). */
struct registration {
	int lid_routed; /* the class itself; -1: this entry is free */
	int directed;   /* -1 unless the class is SUBN_LID */
	uint8_t mgmt_class;
	uint8_t class_version;
	uint8_t methods[MAD_METHODS / 8];
	struct mad_agent *agent; /* NULL: may be used again */
};

struct buffer { /* as umad_send() and umad_recv() want it */
	struct ib_user_mad head;
	struct mad mad;
};

struct umad {
	struct mad_port port;
	int fd;
	int issm; /* -1: not the SM */
	bool simulated;
	uint8_t number;
	char device[UMAD_CA_NAME_LEN];
	struct registration registrations[UMAD_CA_MAX_AGENTS];
	struct watch watch;         /* of a kernel's descriptor */
	struct umad_waiter *waiter; /* of the preload's */
	unsigned owed;              /* simulated: see OWED_MAX */
	uint64_t heard_ns;
	struct buffer out;
	struct buffer in;
};
static_assert(offsetof(struct buffer, mad) == sizeof(struct ib_user_mad),
              "the MAD follows its header");

static struct umad *umad_of(struct mad_port *p)
{
	return container_of(p, struct umad, port);
}

/* -- agents ---------------------------------------------------------------- */

/* umad's mask: methods as 128 bits in words of the host's `long`. */
static void long_mask(const uint8_t *methods, long mask[])
{
	unsigned char *bytes = (unsigned char *)mask;

	for (unsigned i = 0; i < MAD_METHODS / 8; i++) {
		unsigned word = i / (unsigned)sizeof(long);
		unsigned shift = 8 * (i % (unsigned)sizeof(long));

		if (i % sizeof(long) == 0)
			memset(bytes + word * sizeof(long), 0, sizeof(long));
		mask[word] |= (long)((unsigned long)methods[i] << shift);
	}
}

static int register_class(struct umad *u, uint8_t mgmt_class,
                          const struct mad_agent *a)
{
	long mask[MAD_METHODS / 8 / sizeof(long)];
	int id;

	long_mask(a->methods, mask);
	id = umad_register(u->fd, mgmt_class, a->class_version, 0, mask);
	return id >= 0 ? id : -EBUSY;
}

static struct registration *find_registration(struct umad *u,
                                              const struct mad_agent *a)
{
	struct registration *unused = NULL;

	for (unsigned i = 0; i < ARRAY_LEN(u->registrations); i++) {
		struct registration *r = &u->registrations[i];

		if (r->lid_routed < 0)
			unused = unused ? unused : r;
		else if (!r->agent && r->mgmt_class == a->mgmt_class &&
		         r->class_version == a->class_version &&
		         memcmp(r->methods, a->methods, sizeof(r->methods)) ==
		                 0)
			return r;
	}
	return unused;
}

static int attach(struct mad_port *p, struct mad_agent *a)
{
	struct umad *u = umad_of(p);
	struct registration *r = find_registration(u, a);
	int id, directed = -1;

	if (!r)
		return -EBUSY;
	if (r->lid_routed < 0) {
		id = register_class(u, a->mgmt_class, a);
		if (id < 0)
			return id;
		if (a->mgmt_class == MAD_CLASS_SUBN_LID)
			directed =
				register_class(u, MAD_CLASS_SUBN_DIRECTED, a);
		if (directed < 0 && a->mgmt_class == MAD_CLASS_SUBN_LID) {
			umad_unregister(u->fd, id);
			return directed;
		}
		r->lid_routed = id;
		r->directed = directed;
		r->mgmt_class = a->mgmt_class;
		r->class_version = a->class_version;
		memcpy(r->methods, a->methods, sizeof(r->methods));
	}
	r->agent = a;
	a->back_end[0] = r;
	return 0;
}

static void detach(struct mad_port *p, struct mad_agent *a)
{
	struct registration *r = a->back_end[0];

	(void)p;
	r->agent = NULL;
}

static struct mad_agent *agent_of(const struct umad *u, uint32_t id)
{
	for (unsigned i = 0; i < ARRAY_LEN(u->registrations); i++) {
		const struct registration *r = &u->registrations[i];

		if (r->lid_routed >= 0 &&
		    (id == (uint32_t)r->lid_routed ||
		     (r->directed >= 0 && id == (uint32_t)r->directed)))
			return r->agent;
	}
	return NULL;
}

/* -- out ------------------------------------------------------------------- */

static void set_address(struct ib_mad_addr *out, const struct mad_address *a)
{
	*out = (struct ib_mad_addr){
		.qpn = htobe32(a->qpn),
		.qkey = htobe32(a->qkey),
		.lid = htobe16(a->lid),
		.sl = a->sl,
		.path_bits = a->path_bits,
		.grh_present = a->has_grh,
		.pkey_index = a->pkey_index,
		.hop_limit = a->has_grh ? 64 : 0,
	};
	memcpy(out->gid, a->gid, sizeof(out->gid));
}

/* Whether a simulated port can take one more request. */
static bool may_ask(struct umad *u)
{
	uint64_t now = reactor_now_ns(u->port.reactor);

	if (u->owed && now - u->heard_ns >= OWED_FORGET_NS)
		u->owed = 0;
	if (!u->owed)
		u->heard_ns = now;
	return u->owed < OWED_MAX;
}

static void heard(struct umad *u)
{
	u->heard_ns = reactor_now_ns(u->port.reactor);
	u->owed -= u->owed > 0;
}

static int send_mad(struct mad_port *p, struct mad_agent *a,
                    const struct mad_address *to, const struct mad *m,
                    unsigned timeout_ms)
{
	struct umad *u = umad_of(p);
	const struct registration *r = a->back_end[0];
	bool directed = m->header.mgmt_class == MAD_CLASS_SUBN_DIRECTED;
	int id = directed ? r->directed : r->lid_routed;

	if (u->simulated && timeout_ms && !may_ask(u))
		return -EAGAIN;
	set_address(&u->out.head.addr, to);
	u->out.mad = *m;
	u->owed += timeout_ms > 0;
	if (timeout_ms)
		timeout_ms += KERNEL_SLACK_MS;
	if (umad_send(u->fd, id, &u->out, MAD_LENGTH, (int)timeout_ms, 0) == 0)
		return 0;
	if (errno == EAGAIN || errno == ENOMEM || errno == ENOBUFS)
		return -EAGAIN;
	return errno == ENODEV ? -ENODEV : -EIO;
}

/* -- in -------------------------------------------------------------------- */

static void get_address(const struct ib_mad_addr *in, struct mad_address *a)
{
	*a = (struct mad_address){
		.qpn = be32toh(in->qpn),
		.qkey = be32toh(in->qpn) ? MAD_QKEY_GSI : 0,
		.lid = be16toh(in->lid),
		.sl = in->sl,
		.path_bits = in->path_bits,
		.has_grh = in->grh_present,
		.pkey_index = in->pkey_index,
	};
	memcpy(a->gid, in->gid, sizeof(a->gid));
}

static void deliver(struct umad *u)
{
	struct mad_datagram d = { .mad = u->in.mad };
	struct mad_header *h = &d.mad.header;
	uint64_t tid = be64_get(h->tid);
	uint32_t id = u->in.head.agent_id;
	const struct mad_agent *a;

	get_address(&u->in.head.addr, &d.peer);
	if (u->in.head.status) {
		if (!u->simulated)
			return; /* our own timers know */
		d.error = -ETIMEDOUT;
		id = tid >> 32 & 0xffff;
	}
	if (d.error || mad_is_response(&d.mad)) {
		heard(u);
		a = agent_of(u, id);
		h->tid = be64_put((uint64_t)(a ? a->id : 0) << 32 |
		                  (tid & UINT32_MAX));
	}
	mad_port_deliver(&u->port, &d);
}

/* Up to a batch; whether there was any. */
static bool read_some(struct umad *u)
{
	unsigned n;

	for (n = 0; n < READ_BATCH; n++) {
		int length = MAD_LENGTH;

		if (umad_recv(u->fd, &u->in, &length, 0) < 0)
			break;
		deliver(u);
	}
	return n > 0;
}

static void readable(struct watch *w, uint32_t events)
{
	(void)events;
	read_some(container_of(w, struct umad, watch));
}

static bool poll_simulated(void *arg)
{
	return read_some(arg);
}

/* -- the rest -------------------------------------------------------------- */

static int query(struct mad_port *p, struct mad_port_info *out)
{
	struct umad *u = umad_of(p);
	umad_port_t port;
	umad_ca_t ca;
	int err = umad_get_port(u->device, u->number, &port);

	if (err)
		return -ENODEV;
	err = umad_get_ca(u->device, &ca);
	if (err) {
		umad_release_port(&port);
		return -ENODEV;
	}
	*out = (struct mad_port_info){
		.node_guid = be64toh(ca.node_guid),
		.port_guid = be64toh(port.port_guid),
		.subnet_prefix = be64toh(port.gid_prefix),
		.lid = (uint16_t)port.base_lid,
		.sm_lid = (uint16_t)port.sm_lid,
		.sm_sl = (uint8_t)port.sm_sl,
		.lmc = (uint8_t)port.lmc,
		.port = u->number,
		.state = (uint8_t)port.state,
	};
	umad_release_ca(&ca);
	umad_release_port(&port);
	return 0;
}

int port_umad_plain_open(const char *path, int flags, ...) __asm__("open");

/* The port is an SM for as long as its issm device is open. */
static int set_is_sm(struct mad_port *p, bool on)
{
	struct umad *u = umad_of(p);
	char path[ISSM_PATH];

	if (on == (u->issm >= 0))
		return 0;
	if (!on) {
		close(u->issm);
		u->issm = -1;
		return 0;
	}
	if (umad_get_issm_path(u->device, u->number, path, sizeof(path)) < 0)
		return -ENODEV;
	u->issm = port_umad_plain_open(path, O_RDWR | O_CLOEXEC);
	return u->issm >= 0 ? 0 : -errno;
}

static void close_port(struct mad_port *p)
{
	struct umad *u = umad_of(p);

	set_is_sm(p, false);
	if (u->simulated)
		umad_waiter_destroy(u->waiter);
	else
		watch_stop(p->reactor, &u->watch);
	umad_close_port(u->fd);
	free(u);
}

static const struct mad_port_ops ops = {
	.type = "umad",
	.send = send_mad,
	.attach = attach,
	.detach = detach,
	.query = query,
	.set_is_sm = set_is_sm,
	.close = close_port,
};

/* -- opening --------------------------------------------------------------- */

/* Which one, and its descriptor. */
static int open_device(struct umad *u, const char *device, unsigned number,
                       struct err *e)
{
	umad_port_t port;
	int code;

	if (umad_init() < 0)
		return err_set(e, -ENODEV,
		               "there is no InfiniBand here: umad_init failed; "
		               "is the module ib_umad loaded?");
	if (umad_get_port(device, (int)number, &port) != 0)
		return err_set(e, -ENODEV,
		               "no InfiniBand port %s/%u; ibstat lists those "
		               "that there are",
		               device ? device : "(any)", number);
	memcpy(u->device, port.ca_name, sizeof(u->device));
	u->number = (uint8_t)port.portnum;
	umad_release_port(&port);
	u->fd = umad_open_port(u->device, u->number);
	if (u->fd >= 0)
		return 0;
	code = errno == EACCES || u->fd == -EACCES ? -EACCES : -ENODEV;
	return err_set(e, code,
	               "cannot open umad of %s/%u: %s; it takes rights on "
	               "/dev/infiniband/umad*",
	               u->device, u->number, strerror(-code));
}

static bool is_simulated(int fd)
{
	return fcntl(fd, F_GETFD) < 0;
}

static int start_reading(struct reactor *r, struct umad *u)
{
	if (u->simulated)
		return umad_waiter_create(r, u->fd, poll_simulated, u,
		                          &u->waiter);
	u->watch.fd = u->fd;
	u->watch.events = EPOLLIN;
	u->watch.ready = readable;
	return watch_start(r, &u->watch);
}

int port_umad_open(struct reactor *r, const char *device, unsigned number,
                   struct mad_port **out, struct err *e)
{
	struct umad *u = calloc(1, sizeof(*u));
	char name[sizeof(u->port.name)];
	int err;

	if (!u)
		return err_set(e, -ENOMEM, "out of memory for a port");
	u->issm = -1;
	for (unsigned i = 0; i < ARRAY_LEN(u->registrations); i++)
		u->registrations[i].lid_routed = -1;
	err = open_device(u, device, number, e);
	if (err)
		goto free_port;
	u->simulated = is_simulated(u->fd);
	snprintf(name, sizeof(name), "%s/%u", u->device, u->number);
	mad_port_init(&u->port, &ops, r, name);
	err = start_reading(r, u);
	if (err) {
		err_set(e, err, "cannot wait for MADs of %s: %s", name,
		        strerror(-err));
		goto close_fd;
	}
	*out = &u->port;
	return 0;

close_fd:
	umad_close_port(u->fd);
free_port:
	free(u);
	return err;
}
