/* SPDX-License-Identifier: BSD-2-Clause */
#include "switch/ibnet_file.h"

#include "base/base.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

/* One end of a cable as listed: the far node may come later in the file. */
struct listed {
	struct ibnet_topo_end here;
	char peer[IBNET_NAME_MAX + 1];
	uint8_t peer_port;
	unsigned line;
};

struct parser {
	struct ibnet_topo *topo;
	struct listed *listed;
	uint32_t n_listed, room;
	uint32_t node; /* of the open record; IBNET_NO_NODE: none */
	unsigned line;
	uint64_t base[3];     /* last absolute GUID, by kind */
	uint64_t system_guid; /* of the next node; 0: its own */
	uint32_t vendor, device;
	uint8_t widths, speeds;
	struct err *e;
};

static int bad(struct parser *p, const char *what)
{
	return err_set(p->e, -EINVAL, "line %u: %s", p->line, what);
}

/* Words that came from further down, with the line put in front. */
static int at_line(struct parser *p, int err, const struct err *inner)
{
	return err_set(p->e, err, "line %u: %s", p->line, inner->text);
}

/* -- pieces of a line ----------------------------------------------------- */

static const char *skip_space(const char *s)
{
	while (*s == ' ' || *s == '\t' || *s == '\r')
		s++;
	return s;
}

/* Decimal or 0x, and nothing else; NULL: no number, or over `max`. */
static const char *take_number(const char *s, uint64_t max, uint64_t *value)
{
	char *end;

	if (!isdigit((unsigned char)*s))
		return NULL;
	errno = 0;
	*value = strtoull(s, &end, 0);
	return errno || *value > max ? NULL : end;
}

/* "name" in quotes; NULL: none, or too long. */
static const char *take_name(const char *s, char name[IBNET_NAME_MAX + 1])
{
	const char *end;

	if (*s != '"')
		return NULL;
	end = strchr(s + 1, '"');
	if (!end || end - s - 1 > (long)IBNET_NAME_MAX)
		return NULL;
	memcpy(name, s + 1, (size_t)(end - s - 1));
	name[end - s - 1] = '\0';
	return end + 1;
}

/* [n] and, as ibnetdiscover has it, (guid), which is skipped. */
static const char *take_port(const char *s, uint8_t *port)
{
	uint64_t value;

	if (*s != '[' || !(s = take_number(s + 1, UINT8_MAX, &value)) ||
	    *s != ']')
		return NULL;
	*port = (uint8_t)value;
	s++;
	if (*s == '(') {
		s++;
		while (isxdigit((unsigned char)*s))
			s++;
		if (*s++ != ')')
			return NULL;
	}
	return s;
}

/* -- settings ------------------------------------------------------------- */

static int set_guid(struct parser *p, enum ibnet_kind kind, const char *s)
{
	uint64_t value;

	if (*s == '+') {
		if (!take_number(s + 1, UINT64_MAX, &value))
			return bad(p, "no number after '+'");
		value += p->base[kind];
	} else {
		if (!take_number(s, UINT64_MAX, &value))
			return bad(p, "not a GUID");
		p->base[kind] = value;
	}
	ibnet_topo_set_guid(p->topo, kind, value);
	return 0;
}

static int set_switch_guid(struct parser *p, const char *s)
{
	return set_guid(p, IBNET_SWITCH, s);
}

static int set_host_guid(struct parser *p, const char *s)
{
	return set_guid(p, IBNET_HOST, s);
}

static int set_system_guid(struct parser *p, const char *s)
{
	return take_number(s, UINT64_MAX, &p->system_guid)
	               ? 0
	               : bad(p, "not a GUID");
}

static int set_vendor(struct parser *p, const char *s)
{
	uint64_t value;

	if (!take_number(s, 0xffffff, &value))
		return bad(p, "a vendor is a number of 24 bits");
	p->vendor = (uint32_t)value;
	return 0;
}

static int set_device(struct parser *p, const char *s)
{
	uint64_t value;

	if (!take_number(s, UINT16_MAX, &value))
		return bad(p, "a device is a number of 16 bits");
	p->device = (uint32_t)value;
	return 0;
}

static int take_widths(struct parser *p, const char *s, uint8_t *widths)
{
	uint64_t value;

	if (!take_number(s, 15, &value) || !value)
		return bad(p, "link widths are bits, 1 to 15");
	*widths = (uint8_t)value;
	return 0;
}

static int take_speeds(struct parser *p, const char *s, uint8_t *speeds)
{
	uint64_t value;

	if (!take_number(s, 7, &value) || !value)
		return bad(p, "link speeds are bits, 1 to 7");
	*speeds = (uint8_t)value;
	return 0;
}

static int set_widths(struct parser *p, const char *s)
{
	return take_widths(p, s, &p->widths);
}

static int set_speeds(struct parser *p, const char *s)
{
	return take_speeds(p, s, &p->speeds);
}

static int refuse(struct parser *p, const char *s)
{
	(void)s;
	return bad(p, "include, module, aliases, do and routers are not "
	              "understood here");
}

static const struct setting {
	const char *word;
	int (*set)(struct parser *p, const char *value);
} settings[] = {
	{ "switchguid", set_switch_guid },
	{ "switchguids", set_switch_guid },
	{ "caguid", set_host_guid },
	{ "caguids", set_host_guid },
	{ "hcaguids", set_host_guid },
	{ "sysimgguid", set_system_guid },
	{ "vendid", set_vendor },
	{ "devid", set_device },
	{ "width", set_widths },
	{ "speed", set_speeds },
	{ "include", refuse },
	{ "module", refuse },
	{ "do", refuse },
	{ "rtguid", refuse },
	{ "Rt", refuse },
};

/* -- nodes and their ports ------------------------------------------------ */

/* # "description", or as much as there is before "base port 0" and the like. */
static void take_description(struct ibnet_topo_node *n, const char *s)
{
	const char *end;
	size_t length;

	s = strchr(s, '#');
	if (!s)
		return;
	s = skip_space(s + 1);
	if (*s != '"' || !(end = strchr(s + 1, '"')))
		return;
	length = (size_t)(end - s - 1);
	if (!length || length > IBNET_DESCRIPTION_MAX)
		return;
	memcpy(n->description, s + 1, length);
	n->description[length] = '\0';
}

static int node_line(struct parser *p, enum ibnet_kind kind, const char *s)
{
	struct err inner = { 0 };
	char name[IBNET_NAME_MAX + 1];
	struct ibnet_topo_node *n;
	uint64_t n_ports;
	int err;

	s = take_number(skip_space(s), UINT8_MAX, &n_ports);
	if (!s || !(s = take_name(skip_space(s), name)))
		return bad(p, "a node is: Switch|Hca PORTS \"NAME\"");
	err = ibnet_topo_add(p->topo, kind, name, (unsigned)n_ports, &p->node,
	                     &inner);
	if (err)
		return at_line(p, err, &inner);
	n = &p->topo->nodes[p->node];
	take_description(n, s);
	if (p->system_guid)
		n->system_guid = p->system_guid;
	p->system_guid = 0;
	if (p->vendor)
		n->vendor = p->vendor;
	if (p->device)
		n->device = (uint16_t)p->device;
	for (unsigned i = 1; i <= n->n_ports; i++) {
		struct ibnet_topo_port *port =
			ibnet_topo_port(p->topo, p->node, i);

		if (p->widths)
			port->widths = p->widths;
		if (p->speeds)
			port->speeds = p->speeds;
	}
	return 0;
}

static int port_options(struct parser *p, struct ibnet_topo_port *port,
                        const char *s)
{
	for (s = skip_space(s); *s && *s != '#'; s = skip_space(s)) {
		int err;

		if (s[0] == 'w' && s[1] == '=')
			err = take_widths(p, s + 2, &port->widths);
		else if (s[0] == 's' && s[1] == '=')
			err = take_speeds(p, s + 2, &port->speeds);
		else
			return bad(p, "after a cable come w=BITS and s=BITS");
		if (err)
			return err;
		s += strcspn(s, " \t\r#");
	}
	return 0;
}

static struct listed *new_listed(struct parser *p)
{
	if (p->n_listed == p->room) {
		uint32_t room = p->room ? p->room * 2 : 256;
		void *more = realloc(p->listed, room * sizeof(*p->listed));

		if (!more)
			return NULL;
		p->listed = more;
		p->room = room;
	}
	return &p->listed[p->n_listed++];
}

static int port_line(struct parser *p, const char *s)
{
	struct ibnet_topo_port *port;
	struct listed l = { .line = p->line, .peer_port = 1 };
	struct listed *slot;

	if (p->node == IBNET_NO_NODE)
		return bad(p, "a port that belongs to no node");
	l.here.node = p->node;
	s = take_port(s, &l.here.port);
	if (!s || !(s = take_name(skip_space(s), l.peer)))
		return bad(p, "a port is: [PORT] \"NAME\"[PORT]");
	if (*s == '[' && !(s = take_port(s, &l.peer_port)))
		return bad(p, "a port is: [PORT] \"NAME\"[PORT]");
	port = ibnet_topo_port(p->topo, p->node, l.here.port);
	if (!port)
		return bad(p, "the node has no such port");
	slot = new_listed(p);
	if (!slot)
		return err_set(p->e, -ENOMEM, "no memory for the cables");
	*slot = l;
	return port_options(p, port, s);
}

static int setting_line(struct parser *p, const char *s)
{
	size_t n = strcspn(s, "=+ \t");

	for (size_t i = 0; i < ARRAY_LEN(settings); i++) {
		if (strlen(settings[i].word) != n ||
		    memcmp(settings[i].word, s, n) != 0)
			continue;
		s = skip_space(s + n);
		return settings[i].set(p, *s == '=' ? skip_space(s + 1) : s);
	}
	return bad(p, "neither a node, a port nor a setting");
}

static int parse_line(struct parser *p, const char *s)
{
	if (*s == '#') /* also within a record */
		return 0;
	if (*s == '[')
		return port_line(p, s);
	if (*s == '@')
		return refuse(p, s);
	p->node = IBNET_NO_NODE;
	s = skip_space(s);
	if (!*s || *s == '#')
		return 0;
	if (!strncmp(s, "Switch", 6) && isspace((unsigned char)s[6]))
		return node_line(p, IBNET_SWITCH, s + 6);
	if (!strncmp(s, "Hca", 3) && isspace((unsigned char)s[3]))
		return node_line(p, IBNET_HOST, s + 3);
	if (!strncmp(s, "Ca", 2) && isspace((unsigned char)s[2]))
		return node_line(p, IBNET_HOST, s + 2);
	return setting_line(p, s);
}

/* -- cables --------------------------------------------------------------- */

static int by_end(const void *a, const void *b)
{
	const struct listed *x = a, *y = b;

	if (x->here.node != y->here.node)
		return x->here.node < y->here.node ? -1 : 1;
	if (x->here.port != y->here.port)
		return x->here.port < y->here.port ? -1 : 1;
	return x->line < y->line ? -1 : 1;
}

static int connect_one(struct parser *p, const struct listed *l)
{
	const char *name = p->topo->nodes[l->here.node].name;
	struct listed key = { .here = { 0, l->peer_port } };
	const struct listed *other;
	const struct ibnet_topo_port *port;
	struct err inner = { 0 };
	uint32_t lo = 0, hi = p->n_listed;
	int err;

	p->line = l->line;
	key.here.node = ibnet_topo_find(p->topo, l->peer);
	if (key.here.node == IBNET_NO_NODE)
		return err_set(p->e, -EINVAL,
		               "line %u: there is no node \"%s\"", l->line,
		               l->peer);
	while (lo < hi) { /* the first that is listed for that end */
		uint32_t mid = (lo + hi) / 2;

		if (by_end(&p->listed[mid], &key) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	other = &p->listed[lo];
	if (lo == p->n_listed || other->here.node != key.here.node ||
	    other->here.port != key.here.port ||
	    other->peer_port != l->here.port || strcmp(other->peer, name) != 0)
		return err_set(p->e, -EINVAL,
		               "line %u: \"%s\" does not list this cable on "
		               "its port %u; both ends must",
		               l->line, l->peer, l->peer_port);
	port = ibnet_topo_port(p->topo, l->here.node, l->here.port);
	if (port->peer.node == key.here.node &&
	    port->peer.port == key.here.port && by_end(other, l) < 0)
		return 0; /* connected from the other end */
	err = ibnet_topo_link(p->topo, l->here, key.here, &inner);
	return err ? at_line(p, err, &inner) : 0;
}

static int connect_all(struct parser *p)
{
	if (p->n_listed)
		qsort(p->listed, p->n_listed, sizeof(*p->listed), by_end);
	for (uint32_t i = 0; i < p->n_listed; i++) {
		int err = connect_one(p, &p->listed[i]);

		if (err)
			return err;
	}
	return 0;
}

static int parse_lines(struct parser *p, const char *text, size_t length)
{
	char line[IBNET_FILE_LINE_MAX + 1];

	while (length) {
		const char *end = memchr(text, '\n', length);
		size_t n = end ? (size_t)(end - text) : length;
		int err;

		p->line++;
		if (n > IBNET_FILE_LINE_MAX || memchr(text, '\0', n))
			return bad(p, "too long, or not text");
		memcpy(line, text, n);
		line[n] = '\0';
		err = parse_line(p, line);
		if (err)
			return err;
		n += end != NULL;
		text += n;
		length -= n;
	}
	return 0;
}

int ibnet_file_decode(const char *text, size_t length, struct ibnet_topo **out,
                      struct err *e)
{
	struct parser p = { .node = IBNET_NO_NODE, .e = e };
	int err;

	if (length > IBNET_FILE_MAX)
		return err_set(e, -EFBIG, "a net file has at most %u bytes",
		               IBNET_FILE_MAX);
	p.topo = ibnet_topo_create();
	if (!p.topo)
		return err_set(e, -ENOMEM, "no memory for a network");
	p.base[IBNET_HOST] = p.topo->next_guid[IBNET_HOST];
	p.base[IBNET_SWITCH] = p.topo->next_guid[IBNET_SWITCH];
	err = parse_lines(&p, text, length);
	if (!err)
		err = connect_all(&p);
	if (!err && !p.topo->n_nodes)
		err = err_set(e, -EINVAL, "there is no node in it");
	free(p.listed);
	if (err)
		ibnet_topo_destroy(p.topo);
	else
		*out = p.topo;
	return err;
}
