/* SPDX-License-Identifier: BSD-2-Clause */
#include "mad/port.h"

#include "base/base.h"

#include <errno.h>
#include <stdio.h>

void mad_port_init(struct mad_port *p, const struct mad_port_ops *ops,
                   struct reactor *r, const char *name)
{
	memset(p, 0, sizeof(*p));
	p->ops = ops;
	p->reactor = r;
	snprintf(p->name, sizeof(p->name), "%s", name);
}

/* -- agents ---------------------------------------------------------------- */

static uint8_t common_class(uint8_t mgmt_class)
{
	return mgmt_class == MAD_CLASS_SUBN_DIRECTED ? MAD_CLASS_SUBN_LID
	                                             : mgmt_class;
}

static bool overlap(const struct mad_agent *a, const struct mad_agent *b)
{
	if (a->mgmt_class != b->mgmt_class)
		return false;
	for (unsigned i = 0; i < sizeof(a->methods); i++)
		if (a->methods[i] & b->methods[i])
			return true;
	return false;
}

int mad_port_attach(struct mad_port *p, struct mad_agent *a)
{
	unsigned id = 0;
	int err;

	assert(!a->port);
	for (unsigned i = MAD_AGENTS; i-- > 0;) {
		if (!p->agents[i])
			id = i + 1;
		else if (overlap(p->agents[i], a))
			return -EBUSY;
	}
	if (!id)
		return -EBUSY;
	a->id = id;
	err = p->ops->attach ? p->ops->attach(p, a) : 0;
	if (err)
		return err;
	a->port = p;
	p->agents[id - 1] = a;
	return 0;
}

void mad_port_detach(struct mad_agent *a)
{
	struct mad_port *p = a->port;

	if (!p)
		return;
	p->agents[a->id - 1] = NULL;
	a->port = NULL;
	if (p->ops->detach)
		p->ops->detach(p, a);
}

/* -- in and out ------------------------------------------------------------ */

static struct mad_agent *agent_for(const struct mad_port *p,
                                   const struct mad_datagram *d)
{
	const struct mad_header *h = &d->mad.header;
	uint8_t mgmt_class = common_class(h->mgmt_class);
	unsigned method = h->method;

	if (d->error || mad_is_response(&d->mad)) {
		uint64_t id = be64_get(h->tid) >> 32;
		struct mad_agent *a =
			id - 1 < MAD_AGENTS ? p->agents[id - 1] : NULL;

		return a && a->mgmt_class == mgmt_class ? a : NULL;
	}
	for (unsigned i = 0; i < MAD_AGENTS; i++) {
		struct mad_agent *a = p->agents[i];

		if (a && a->mgmt_class == mgmt_class &&
		    a->methods[method / 8] >> (method % 8) & 1)
			return a;
	}
	return NULL;
}

bool mad_port_deliver(struct mad_port *p, const struct mad_datagram *d)
{
	struct mad_agent *a = agent_for(p, d);

	p->stats.received++;
	p->stats.bounced += d->error != 0;
	if (!a) {
		p->stats.unclaimed++;
		return false;
	}
	a->receive(a, d);
	return true;
}

int mad_port_send(struct mad_agent *a, const struct mad_address *to,
                  struct mad *m, unsigned timeout_ms)
{
	struct mad_port *p = a->port;
	uint64_t low = be64_get(m->header.tid) & UINT32_MAX;
	int err;

	if (!p)
		return -ENODEV;
	if (!mad_is_response(m))
		m->header.tid = be64_put((uint64_t)a->id << 32 | low);
	err = p->ops->send(p, a, to, m, timeout_ms);
	if (err)
		p->stats.refused++;
	else
		p->stats.sent++;
	return err;
}

int mad_port_reply(struct mad_agent *a, const struct mad_datagram *d,
                   struct mad *m, uint16_t status)
{
	mad_make_response(m, status);
	return mad_port_send(a, &d->peer, m, 0);
}

int mad_port_query(struct mad_port *p, struct mad_port_info *out)
{
	return p->ops->query(p, out);
}

int mad_port_set_is_sm(struct mad_port *p, bool on)
{
	return p->ops->set_is_sm(p, on);
}

void mad_port_close(struct mad_port *p)
{
	if (!p)
		return;
	for (unsigned i = 0; i < MAD_AGENTS; i++)
		assert(!p->agents[i]);
	p->ops->close(p);
}

/* -- addresses ------------------------------------------------------------- */

struct mad_address mad_address_directed(void)
{
	return (struct mad_address){ .lid = MAD_LID_PERMISSIVE };
}

struct mad_address mad_address_smi(uint16_t lid)
{
	return (struct mad_address){ .lid = lid };
}

struct mad_address mad_address_gsi(uint16_t lid, uint8_t sl)
{
	return (struct mad_address){
		.lid = lid, .sl = sl, .qpn = 1, .qkey = MAD_QKEY_GSI
	};
}
