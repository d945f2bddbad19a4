/* SPDX-License-Identifier: BSD-2-Clause */
#include "fabric/op.h"

#include "base/base.h"

#include <errno.h>

static const struct {
	const char *name;
	int err;
} statuses[FABRIC_STATUSES] = {
	[FABRIC_OK] = { "ok", 0 },
	[FABRIC_BAD_KEY] = { "bad-key", -ENOKEY },
	[FABRIC_DENIED] = { "denied", -EACCES },
	[FABRIC_RANGE] = { "range", -ERANGE },
	[FABRIC_REVOKED] = { "revoked", -EKEYREVOKED },
	[FABRIC_EXPIRED] = { "expired", -EKEYEXPIRED },
	[FABRIC_QUOTA] = { "quota", -EDQUOT },
	[FABRIC_TIMED_OUT] = { "timed-out", -ETIMEDOUT },
	[FABRIC_PEER_LOST] = { "peer-lost", -EHOSTDOWN },
	[FABRIC_CANCELLED] = { "cancelled", -ECANCELED },
	[FABRIC_TOO_LARGE] = { "too-large", -EMSGSIZE },
	[FABRIC_BUSY] = { "busy", -EBUSY },
	[FABRIC_PROTOCOL] = { "protocol", -EPROTO },
};

/* What an opcode may have; row 0 is for numbers that are none. */
static const struct {
	const char *name;
	uint64_t length_max;
	bool atomic;
} opcodes[] = {
	[0] = { "none", 0, false },
	[FABRIC_SEND] = { "send", FABRIC_SEND_MAX, false },
	[FABRIC_READ] = { "read", FABRIC_LENGTH_MAX, false },
	[FABRIC_WRITE] = { "write", FABRIC_LENGTH_MAX, false },
	[FABRIC_WRITE_IMM] = { "write-imm", FABRIC_LENGTH_MAX, false },
	[FABRIC_CAS] = { "cas", 8, true },
	[FABRIC_FAA] = { "faa", 8, true },
};

static const char *const classes[FABRIC_CLASSES] = {
	[FABRIC_CONTROL] = "control",
	[FABRIC_LATENCY] = "latency",
	[FABRIC_BULK] = "bulk",
};

const char *fabric_status_name(enum fabric_status status)
{
	return status < FABRIC_STATUSES ? statuses[status].name : "unknown";
}

const char *fabric_opcode_name(enum fabric_opcode opcode)
{
	return opcode < ARRAY_LEN(opcodes) ? opcodes[opcode].name : "unknown";
}

const char *fabric_class_name(enum fabric_class class)
{
	return class < FABRIC_CLASSES ? classes[class] : "unknown";
}

int fabric_status_errno(enum fabric_status status)
{
	return status < FABRIC_STATUSES ? statuses[status].err : -EPROTO;
}

enum fabric_status fabric_status_from_errno(int err)
{
	for (unsigned i = 0; i < FABRIC_STATUSES; i++)
		if (statuses[i].err == err)
			return (enum fabric_status)i;
	return FABRIC_PROTOCOL;
}

enum fabric_status fabric_op_check(const struct fabric_op *op)
{
	uint64_t sum = 0;

	if (op->opcode < FABRIC_SEND || op->opcode > FABRIC_FAA ||
	    op->class >= FABRIC_CLASSES || op->n_iov > FABRIC_IOV_MAX)
		return FABRIC_PROTOCOL;
	if (op->length > opcodes[op->opcode].length_max)
		return FABRIC_TOO_LARGE;
	if (op->offset > UINT64_MAX - op->length)
		return FABRIC_RANGE;
	if (opcodes[op->opcode].atomic)
		return op->length != 8 || op->n_iov ? FABRIC_PROTOCOL
		       : op->offset % 8             ? FABRIC_RANGE
		                                    : FABRIC_OK;
	for (unsigned i = 0; i < op->n_iov; i++)
		if (__builtin_add_overflow(sum, op->iov[i].iov_len, &sum))
			return FABRIC_PROTOCOL;
	return sum == op->length ? FABRIC_OK : FABRIC_PROTOCOL;
}
