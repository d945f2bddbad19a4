/* SPDX-License-Identifier: BSD-2-Clause */
#include "switch/sim_proto.h"

#include <errno.h>
#include <string.h>

/* Offsets, see the header. */
enum {
	CTL_MAGIC = 0,
	CTL_CLIENT = 4,
	CTL_TYPE = 8,
	CTL_LENGTH = 12,
	CTL_DATA = 16,

	CONNECT_ID = 0,
	CONNECT_QP = 4,
	CONNECT_IS_SM = 8,
	CONNECT_NODE = 12,
	CONNECT_LENGTH = CONNECT_NODE + SIM_PROTO_NODE,

	MAD_DLID = 0,
	MAD_SLID = 4,
	MAD_DQP = 8,
	MAD_SQP = 12,
	MAD_STATUS = 16,
	MAD_BYTES_LENGTH = 24,
	MAD_BYTES = 32,
};

static uint32_t get(const uint8_t *at)
{
	uint32_t v;

	memcpy(&v, at, sizeof(v));
	return v;
}

static void put(uint8_t *at, uint32_t v)
{
	memcpy(at, &v, sizeof(v));
}

int sim_proto_decode_ctl(const void *bytes, size_t length,
                         struct sim_proto_ctl *out)
{
	const uint8_t *b = bytes;

	if (length != SIM_PROTO_CTL || get(b + CTL_MAGIC) != SIM_PROTO_MAGIC)
		return -EINVAL;
	if (get(b + CTL_TYPE) == SIM_PROTO_ERROR ||
	    get(b + CTL_TYPE) >= SIM_PROTO_TYPES ||
	    get(b + CTL_LENGTH) > SIM_PROTO_CTL_DATA)
		return -EINVAL;
	out->client = get(b + CTL_CLIENT);
	out->type = get(b + CTL_TYPE);
	out->length = get(b + CTL_LENGTH);
	memcpy(out->data, b + CTL_DATA, SIM_PROTO_CTL_DATA);
	return 0;
}

void sim_proto_encode_ctl(const struct sim_proto_ctl *c,
                          uint8_t out[SIM_PROTO_CTL])
{
	put(out + CTL_MAGIC, SIM_PROTO_MAGIC);
	put(out + CTL_CLIENT, c->client);
	put(out + CTL_TYPE, c->type);
	put(out + CTL_LENGTH, c->length);
	memcpy(out + CTL_DATA, c->data, SIM_PROTO_CTL_DATA);
}

int sim_proto_decode_connect(const struct sim_proto_ctl *c,
                             struct sim_proto_connect *out)
{
	const uint8_t *name = c->data + CONNECT_NODE;

	if (c->length < CONNECT_LENGTH || !memchr(name, '\0', SIM_PROTO_NODE))
		return -EINVAL;
	out->id = get(c->data + CONNECT_ID);
	out->qp = get(c->data + CONNECT_QP);
	out->is_sm = get(c->data + CONNECT_IS_SM);
	memcpy(out->node, name, SIM_PROTO_NODE);
	return 0;
}

void sim_proto_encode_connect(const struct sim_proto_connect *c,
                              struct sim_proto_ctl *out)
{
	put(out->data + CONNECT_ID, c->id);
	put(out->data + CONNECT_QP, c->qp);
	put(out->data + CONNECT_IS_SM, c->is_sm);
	memcpy(out->data + CONNECT_NODE, c->node, SIM_PROTO_NODE);
}

/* 16 and 32 bits in the network's order, kept in a word of the machine's. */
static uint16_t get_lid(const uint8_t *at)
{
	return be16toh((uint16_t)get(at));
}

int sim_proto_decode_mad(const void *bytes, size_t length,
                         struct sim_proto_mad *out)
{
	const uint8_t *b = bytes;
	be64 raw;
	uint64_t n;

	if (length != SIM_PROTO_MAD)
		return -EINVAL;
	memcpy(&raw, b + MAD_BYTES_LENGTH, sizeof(raw));
	n = be64_get(raw);
	if (n < sizeof(struct mad_header) || n > MAD_LENGTH)
		return -EINVAL;
	out->dlid = get_lid(b + MAD_DLID);
	out->slid = get_lid(b + MAD_SLID);
	out->dqp = be32toh(get(b + MAD_DQP));
	out->sqp = be32toh(get(b + MAD_SQP));
	out->status = be32toh(get(b + MAD_STATUS));
	/* What lies behind a short one is whatever the client had there. */
	memset(&out->mad, 0, sizeof(out->mad));
	memcpy(&out->mad, b + MAD_BYTES, n);
	return 0;
}

void sim_proto_encode_mad(const struct sim_proto_mad *m,
                          uint8_t out[SIM_PROTO_MAD])
{
	be64 mad_length = be64_put(MAD_LENGTH);

	memset(out, 0, MAD_BYTES);
	put(out + MAD_DLID, htobe16(m->dlid));
	put(out + MAD_SLID, htobe16(m->slid));
	put(out + MAD_DQP, htobe32(m->dqp));
	put(out + MAD_SQP, htobe32(m->sqp));
	put(out + MAD_STATUS, htobe32(m->status));
	memcpy(out + MAD_BYTES_LENGTH, &mad_length, sizeof(mad_length));
	memcpy(out + MAD_BYTES, &m->mad, sizeof(m->mad));
}
