/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * switch/sim_proto - the messages that ibsim and its clients exchange, as
 * the preload libumad2sim.so of ibsim 0.10 sends them.
 *
 * Both sides are on one machine; integers are in its own order unless said
 * otherwise.  Datagrams over Unix sockets with abstract names, each with a
 * NUL at its end:
 *
 *     server BASE:ctl     <->  client BASE:ctlPID    control, 80 bytes
 *     server BASE:outN    <->  client BASE:inPID     MADs, 288 bytes
 *
 * Control: a question and its answer have the same layout.
 *
 *      0 magic 0xdeadbeef   4 client's number   8 type   12 length   16 data
 *
 * MADs:
 *
 *      0 dlid (be16 in the low half)   4 slid (likewise; 0: fill it in)
 *      8 dqp (be32)  12 sqp (be32)  16 status (be32; an errno)  20 -
 *     24 length (be64)                 32 MAD, 256 bytes
 *
 * Decoding is pure and trusts nothing.
 */
#ifndef SWITCH_SIM_PROTO_H
#define SWITCH_SIM_PROTO_H

#include "mad/mad.h"

#include <stddef.h>
#include <stdint.h>

#define SIM_PROTO_MAGIC 0xdeadbeefu
#define SIM_PROTO_CTL 80u
#define SIM_PROTO_CTL_DATA 64u
#define SIM_PROTO_MAD 288u
#define SIM_PROTO_NODE 32u       /* bytes of a node's name, with its NUL */
#define SIM_PROTO_TIMED_OUT 110u /* ETIMEDOUT of Linux on most machines */

enum sim_proto_type {
	SIM_PROTO_ERROR = 0, /* in an answer: refused */
	SIM_PROTO_CONNECT = 1,
	SIM_PROTO_DISCONNECT = 2,
	SIM_PROTO_GET_PORT = 3,
	SIM_PROTO_GET_VENDOR = 4,
	SIM_PROTO_GET_GID = 5,
	SIM_PROTO_GET_GUID = 6,
	SIM_PROTO_GET_NODE_INFO = 7,
	SIM_PROTO_GET_PORT_INFO = 8,
	SIM_PROTO_SET_IS_SM = 9,
	SIM_PROTO_GET_PKEYS = 10,
	SIM_PROTO_TYPES
};

struct sim_proto_ctl {
	uint32_t client;
	uint32_t type; /* enum sim_proto_type, not ERROR */
	uint32_t length;
	uint8_t data[SIM_PROTO_CTL_DATA];
};

/* CONNECT's data, both ways: in the answer `id` is the client's number. */
struct sim_proto_connect {
	uint32_t id; /* the client's process, which names its sockets */
	uint32_t qp;
	uint32_t is_sm;
	char node[SIM_PROTO_NODE]; /* "": the server chooses; ends with NUL */
};

struct sim_proto_mad {
	uint16_t dlid;
	uint16_t slid;
	uint32_t dqp;
	uint32_t sqp;
	uint32_t status;
	struct mad mad;
};

/* @return 0; -EINVAL: another length, magic, type or data length. */
int sim_proto_decode_ctl(const void *bytes, size_t length,
                         struct sim_proto_ctl *out);
void sim_proto_encode_ctl(const struct sim_proto_ctl *c,
                          uint8_t out[SIM_PROTO_CTL]);

/* @return 0; -EINVAL: a node's name without end. */
int sim_proto_decode_connect(const struct sim_proto_ctl *c,
                             struct sim_proto_connect *out);
void sim_proto_encode_connect(const struct sim_proto_connect *c,
                              struct sim_proto_ctl *out);

/* A MAD shorter than 256 bytes is filled up with zeroes.
 * @return 0; -EINVAL: another length, or no MAD's header. */
int sim_proto_decode_mad(const void *bytes, size_t length,
                         struct sim_proto_mad *out);
void sim_proto_encode_mad(const struct sim_proto_mad *m,
                          uint8_t out[SIM_PROTO_MAD]);

#endif /* SWITCH_SIM_PROTO_H */
