/* SPDX-License-Identifier: BSD-2-Clause */
#include "mad/smp.h"

#include "base/base.h"

/* -- directed routes ------------------------------------------------------ */

void smp_set_route(struct mad *m, const struct smp_route *route)
{
	struct smp *s = mad_smp(m);

	assert(route->n_hops < SMP_PATH_LENGTH);
	s->header.hop_pointer = 0;
	s->header.hop_count = route->n_hops;
	s->dr_slid = be16_put(MAD_LID_PERMISSIVE);
	s->dr_dlid = be16_put(MAD_LID_PERMISSIVE);
	memset(s->initial_path, 0, sizeof(s->initial_path));
	memcpy(s->initial_path + 1, route->out + 1, route->n_hops);
}

void smp_set_route_lids(struct mad *m, uint16_t dr_slid, uint16_t dr_dlid)
{
	mad_smp(m)->dr_slid = be16_put(dr_slid);
	mad_smp(m)->dr_dlid = be16_put(dr_dlid);
}

static bool has_port(const struct smp_node_view *node, uint8_t port)
{
	return port >= 1 && port <= node->n_ports;
}

/* The part between the ends of the directed route: switches only. */
static enum smp_step forward(const struct smp_node_view *node, uint8_t out,
                             uint8_t *port)
{
	if (!node->is_switch || !has_port(node, out))
		return SMP_STEP_DISCARD;
	*port = out;
	return SMP_STEP_PORT;
}

/* The directed part is over; there may be a LID-routed one. */
static enum smp_step leave(const struct smp_node_view *node, be16 lid_wire,
                           uint16_t *lid)
{
	uint16_t to = be16_get(lid_wire);

	if (to == MAD_LID_PERMISSIVE || to == node->lid)
		return SMP_STEP_LOCAL;
	if (!node->is_switch)
		return SMP_STEP_DISCARD;
	*lid = to;
	return SMP_STEP_LID;
}

/* From this node itself, or where a LID-routed first part ends. */
static enum smp_step start_out(struct smp *s, const struct smp_node_view *node,
                               uint8_t *port, uint16_t *lid)
{
	uint8_t n = s->header.hop_count;

	if (node->in_port && be16_get(s->dr_slid) == MAD_LID_PERMISSIVE)
		return SMP_STEP_DISCARD;
	if (n == 0) {
		s->header.hop_pointer = 1;
		return leave(node, s->dr_dlid, lid);
	}
	if (!has_port(node, s->initial_path[1]))
		return SMP_STEP_DISCARD;
	s->header.hop_pointer = 1;
	*port = s->initial_path[1];
	return SMP_STEP_PORT;
}

static enum smp_step step_out(struct smp *s, const struct smp_node_view *node,
                              uint8_t *port, uint16_t *lid)
{
	uint8_t n = s->header.hop_count, at = s->header.hop_pointer;

	if (at == 0)
		return start_out(s, node, port, lid);
	if (at < n) {
		s->return_path[at] = node->in_port;
		s->header.hop_pointer++;
		return forward(node, s->initial_path[at + 1], port);
	}
	if (at == n) {
		s->return_path[at] = node->in_port;
		s->header.hop_pointer++;
		return leave(node, s->dr_dlid, lid);
	}
	/* Behind a LID-routed last part. */
	return at == n + 1 ? SMP_STEP_LOCAL : SMP_STEP_DISCARD;
}

static enum smp_step step_back(struct smp *s, const struct smp_node_view *node,
                               uint8_t *port, uint16_t *lid)
{
	uint8_t n = s->header.hop_count, at = s->header.hop_pointer;

	if (at > n + 1)
		return SMP_STEP_DISCARD;
	if (at == 0)
		return SMP_STEP_LOCAL;
	s->header.hop_pointer--;
	if (at == 1)
		return leave(node, s->dr_slid, lid);
	/* The node that answers may be a CA, one on the way may not. */
	if (at == n + 1 && has_port(node, s->return_path[at - 1])) {
		*port = s->return_path[at - 1];
		return SMP_STEP_PORT;
	}
	return forward(node, s->return_path[at - 1], port);
}

enum smp_step smp_step(struct mad *m, const struct smp_node_view *node,
                       uint8_t *port, uint16_t *lid)
{
	struct smp *s = mad_smp(m);

	if (s->header.hop_count >= SMP_PATH_LENGTH)
		return SMP_STEP_DISCARD;
	if (be16_get(s->header.status) & MAD_STATUS_D)
		return step_back(s, node, port, lid);
	return step_out(s, node, port, lid);
}

/* -- names ----------------------------------------------------------------- */

#define NAME_IN(names, i) ((i) < ARRAY_LEN(names) ? (names)[i] : "?")

const char *smp_port_state_name(uint8_t state)
{
	static const char *const names[] = { "no change", "down", "init",
		                             "armed", "active" };

	return NAME_IN(names, state);
}

const char *smp_phys_state_name(uint8_t state)
{
	static const char *const names[] = { "no change", "sleep",    "polling",
		                             "disabled",  "training", "link up",
		                             "recovery",  "test" };

	return NAME_IN(names, state);
}

const char *smp_node_type_name(uint8_t type)
{
	static const char *const names[] = { "?", "CA", "switch", "router" };

	return NAME_IN(names, type);
}

const char *smp_sm_state_name(uint8_t state)
{
	static const char *const names[] = { "not active", "discovering",
		                             "standby", "master" };

	return NAME_IN(names, state);
}
