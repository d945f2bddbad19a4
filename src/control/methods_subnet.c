/* SPDX-License-Identifier: BSD-2-Clause */
/* The calls about the InfiniBand subnet.  The daemon answers subnet.up and
 * subnet.down, and sends the rest on to the subnet manager's process. */
#include "control/methods.h"

#include "base/base.h"

#include <string.h>

#define METHOD(method, words, rows)                                            \
	{                                                                      \
		.name = (method), .doc = (words), .params = (rows),            \
		.n_params = ARRAY_LEN(rows)                                    \
	}

/* What names an end: a LID, a GUID or a node description. */
#define END(param, words)                                                      \
	{                                                                      \
		.name = (param), .type = RPC_STRING, .required = true,         \
		.min = 1, .max = METHODS_END_MAX, .doc = (words)               \
	}

/* Lists come in parts. */
#define AFTER                                                                  \
	{                                                                      \
		.name = "after", .type = RPC_INT, .min = 0, .max = INT64_MAX,  \
		.doc = "where to go on: `next` of the part before"             \
	}

const char *const methods_engines[] = { "auto",    "minhop",  "updown",
	                                "fattree", "layered", NULL };

static bool is_guid(const char *text)
{
	return strncmp(text, "0x", 2) == 0 && text[2] && strlen(text) <= 18 &&
	       strspn(text + 2, "0123456789abcdefABCDEF") == strlen(text + 2);
}

const struct rpc_syntax methods_guid_syntax = {
	.words = "a GUID, as in 0x0002c90300a1b2c3",
	.valid = is_guid,
};

static const struct rpc_param subnet_up[] = {
	{ .name = "device",
	  .type = RPC_STRING,
	  .min = 1,
	  .max = METHODS_NAME_MAX,
	  .syntax = &methods_name_syntax,
	  .doc = "InfiniBand device, as in mlx5_0; the first with an active "
	         "port if not given" },
	{ .name = "port",
	  .type = RPC_INT,
	  .min = 1,
	  .max = 254,
	  .doc = "its port; the first if not given" },
	{ .name = "engine",
	  .type = RPC_ENUM,
	  .values = methods_engines,
	  .doc = "how routes are made; auto if not given" },
	{ .name = "priority",
	  .type = RPC_INT,
	  .min = 0,
	  .max = 15,
	  .doc = "among subnet managers, the highest is master; 0" },
	{ .name = "lmc",
	  .type = RPC_INT,
	  .min = 0,
	  .max = 7,
	  .doc = "each host's port gets 2^LMC LIDs; 0" },
	{ .name = "policy",
	  .type = RPC_STRING,
	  .min = 2,
	  .max = METHODS_FILE_MAX,
	  .syntax = &methods_path_syntax,
	  .doc = "file of partitions and QoS" },
	{ .name = "m_key",
	  .type = RPC_STRING,
	  .min = 2,
	  .max = METHODS_FILE_MAX,
	  .syntax = &methods_path_syntax,
	  .doc = "file, mode 0600, with the key that guards all ports" },
	{ .name = "allow",
	  .type = RPC_STRINGS,
	  .min = 1,
	  .max = METHODS_MANAGERS_MAX,
	  .syntax = &methods_guid_syntax,
	  .doc = "ports whose subnet managers may be master; any if not "
	         "given" },
	{ .name = "no_lag",
	  .type = RPC_BOOL,
	  .doc = "aggregate no host at all" },
	{ .name = "lag_off",
	  .type = RPC_STRINGS,
	  .min = 0,
	  .max = METHODS_LAG_OFF_MAX,
	  .syntax = &methods_guid_syntax,
	  .doc = "hosts not to aggregate; lag.create and lag.delete keep it" },
};

static const struct rpc_param part[] = { AFTER };

static const struct rpc_param routes[] = {
	END("switch", "LID, GUID or description of the switch"),
	AFTER,
};

static const struct rpc_param host[] = {
	END("host", "a GUID or the description of the host"),
};

static const struct rpc_param explain[] = {
	END("from", "LID, GUID or node description where packets start"),
	END("to", "and where they go"),
};

static const struct rpc_param plan[] = {
	{ .name = "without",
	  .type = RPC_STRING,
	  .min = 1,
	  .max = METHODS_END_MAX,
	  .doc = "as if the link at this node's port were cut" },
	{ .name = "port",
	  .type = RPC_INT,
	  .min = 1,
	  .max = 254,
	  .doc = "that port" },
	{ .name = "anew",
	  .type = RPC_BOOL,
	  .doc = "forget all routes and make them again" },
};

const struct rpc_method methods_subnet[] = {
	METHOD("subnet.up", "Start a subnet manager on a port of this host",
	       subnet_up),
	{ .name = "subnet.down", .doc = "End it; the fabric goes on" },
	{ .name = "subnet.status",
	  .doc = "What the subnet manager is and has done" },
	METHOD("subnet.nodes", "Switches and hosts", part),
	METHOD("subnet.links", "Links between them", part),
	METHOD("subnet.routes", "The forwarding table of a switch", routes),
	METHOD("subnet.explain", "Follow packets, and say why they go so",
	       explain),
	METHOD("subnet.diff", "What switches have not been told yet", part),
	METHOD("subnet.plan", "What a sweep would change; nothing is sent",
	       plan),
	METHOD("subnet.events", "What happened", part),
	{ .name = "subnet.sweep", .doc = "Look at everything again" },
	{ .name = "subnet.reload", .doc = "Read the policy file again" },
	METHOD("lag.list", "Hosts that are or may be aggregated", part),
	METHOD("lag.show", "One of them", host),
	METHOD("lag.create", "Aggregate a host: it gets a virtual LID", host),
	METHOD("lag.delete", "Take a host's virtual LID away", host),
};
const size_t methods_subnet_count = ARRAY_LEN(methods_subnet);
