/* SPDX-License-Identifier: BSD-2-Clause */
#include "control/methods.h"

#include "base/base.h"

#include <string.h>

#define METHOD(method, words, rows)                                            \
	{                                                                      \
		.name = (method), .doc = (words), .params = (rows),            \
		.n_params = ARRAY_LEN(rows)                                    \
	}

#define NAME(param, words)                                                     \
	{                                                                      \
		.name = (param), .type = RPC_STRING, .required = true,         \
		.min = 1, .max = METHODS_NAME_MAX,                             \
		.syntax = &methods_name_syntax, .doc = (words)                 \
	}

#define VOLUME(words)                                                          \
	{                                                                      \
		.name = "volume", .type = RPC_STRING, .required = true,        \
		.min = 3, .max = 2 * METHODS_NAME_MAX + 1,                     \
		.syntax = &methods_volume_syntax, .doc = (words)               \
	}

#define DRIVES(words)                                                          \
	{                                                                      \
		.name = "drives", .type = RPC_STRINGS, .required = true,       \
		.min = 1, .max = METHODS_DRIVES_MAX,                           \
		.syntax = &methods_name_syntax, .doc = (words)                 \
	}

static const char *const raid_profiles[] = { "raid0", "raid1", "raid5", NULL };
static const char *const export_types[] = { "nbd", NULL };

/* -- the fast side -------------------------------------------------------- */

static const struct rpc_param drive_add[] = {
	NAME("name", "name of the drive on this node"),
	{ .name = "spec",
	  .type = RPC_STRING,
	  .required = true,
	  .min = 1,
	  .max = 1024,
	  .doc = "what it is: file:PATH[,size=SIZE], ram:SIZE or "
	         "remote:NODE/WINDOW" },
};

static const struct rpc_param drive_name[] = {
	NAME("name", "name of the drive"),
};

static const struct rpc_param export_create[] = {
	{ .name = "type",
	  .type = RPC_ENUM,
	  .required = true,
	  .values = export_types,
	  .doc = "protocol" },
	VOLUME("volume to serve; also its name in the protocol"),
	{ .name = "unix",
	  .type = RPC_STRING,
	  .one_of = 1,
	  .min = 2,
	  .max = 107,
	  .syntax = &methods_path_syntax,
	  .doc = "path of the Unix socket to listen on" },
	{ .name = "tcp",
	  .type = RPC_STRING,
	  .one_of = 1,
	  .min = 3,
	  .max = METHODS_TCP_MAX,
	  .syntax = &methods_tcp_syntax,
	  .doc = "address and port to listen on" },
	{ .name = "name",
	  .type = RPC_STRING,
	  .min = 1,
	  .max = METHODS_NAME_MAX,
	  .syntax = &methods_name_syntax,
	  .doc = "name of the export on this node; nbd1, nbd2, ... if not "
	         "given" },
};

static const struct rpc_param export_name[] = {
	NAME("name", "name of the export"),
};

static const struct rpc_param node_add[] = {
	NAME("name", "name that the other node has"),
	{ .name = "addresses",
	  .type = RPC_STRINGS,
	  .required = true,
	  .min = 1,
	  .max = METHODS_LINKS_MAX,
	  .syntax = &methods_link_syntax,
	  .doc = "where it listens; each address is a link of its own" },
};

static const struct rpc_param node_name[] = {
	NAME("name", "name of the other node"),
};

static const struct rpc_param window_create[] = {
	NAME("name", "name of the window on this node"),
	{ .name = "size",
	  .type = RPC_SIZE,
	  .required = true,
	  .min = 4096,
	  .max = METHODS_WINDOW_MAX,
	  .doc = "size in bytes, a multiple of 4096" },
	{ .name = "file",
	  .type = RPC_STRING,
	  .min = 2,
	  .max = 1023,
	  .syntax = &methods_path_syntax,
	  .doc = "file that holds its bytes, made if there is none; memory "
	         "if not given" },
	{ .name = "allow",
	  .type = RPC_STRINGS,
	  .min = 1,
	  .max = METHODS_GRANTS_MAX,
	  .syntax = &methods_allow_syntax,
	  .doc = "nodes that may reach it, and how; none if not given" },
};

static const struct rpc_param window_grant[] = {
	NAME("name", "name of the window on this node"),
	NAME("node", "name of the node that may reach it"),
	{ .name = "rights",
	  .type = RPC_ENUM,
	  .required = true,
	  .values = methods_rights,
	  .doc = "read only, write only, or both" },
	{ .name = "lease_s",
	  .type = RPC_INT,
	  .min = 1,
	  .max = METHODS_LEASE_MAX,
	  .doc = "seconds after which the grant ends by itself" },
	{ .name = "bytes_per_s",
	  .type = RPC_SIZE,
	  .min = 4096,
	  .max = INT64_MAX,
	  .doc = "most bytes per second that it may move" },
	{ .name = "ops_per_s",
	  .type = RPC_INT,
	  .min = 1,
	  .max = UINT32_MAX,
	  .doc = "most operations per second" },
};

static const struct rpc_param window_revoke[] = {
	NAME("name", "name of the window on this node"),
	{ .name = "node",
	  .type = RPC_STRING,
	  .min = 1,
	  .max = METHODS_NAME_MAX,
	  .syntax = &methods_name_syntax,
	  .doc = "node whose grant ends; all if not given" },
};

static const struct rpc_param window_name[] = {
	NAME("name", "name of the window on this node"),
};

#define WITHIN                                                                 \
	{                                                                      \
		.name = "within_s", .type = RPC_INT, .max = METHODS_LOAN_MAX,  \
		.doc = "seconds until what is lent beyond it is taken back; "  \
		       "60"                                                    \
	}

static const struct rpc_param donor_offer[] = {
	{ .name = "size",
	  .type = RPC_SIZE,
	  .required = true,
	  .min = INT64_C(2) << 20,
	  .max = METHODS_WINDOW_MAX,
	  .doc = "bytes that other nodes may borrow in all" },
	{ .name = "allow",
	  .type = RPC_STRINGS,
	  .min = 1,
	  .max = METHODS_GRANTS_MAX,
	  .syntax = &methods_name_syntax,
	  .doc = "nodes that may; all of the cluster if not given" },
	{ .name = "lease_s",
	  .type = RPC_INT,
	  .min = METHODS_LOAN_MIN,
	  .max = METHODS_LOAN_MAX,
	  .doc = "seconds after which a borrower that vanished has lost its "
	         "loan; 60" },
	WITHIN,
};

static const struct rpc_param donor_withdraw[] = { WITHIN };

#define COUNT(id, words)                                                       \
	{                                                                      \
		.name = (id), .type = RPC_SIZE, .required = true,              \
		.doc = (words)                                                 \
	}

static const struct rpc_param far_report[] = {
	{ .name = "pid",
	  .type = RPC_INT,
	  .required = true,
	  .min = 1,
	  .doc = "process id of its pager" },
	{ .name = "program",
	  .type = RPC_STRING,
	  .required = true,
	  .doc = "its name" },
	{ .name = "donors",
	  .type = RPC_STRING,
	  .required = true,
	  .doc = "where its pages go" },
	COUNT("processes", "it and its children"),
	COUNT("local", "bytes that it may keep here"),
	COUNT("resident", "bytes that it has here"),
	COUNT("away", "bytes elsewhere"),
	COUNT("room", "bytes that there is room for elsewhere"),
	COUNT("faults", "pages asked for"),
	COUNT("zero", "of these, new ones"),
	COUNT("read", "pages that came back"),
	COUNT("prefetched", "of these, not asked for"),
	COUNT("used", "of these, reached"),
	COUNT("moved_out", "pages that left"),
	COUNT("written", "of these, changed ones"),
	COUNT("compressed", "pages that are here, compressed"),
	COUNT("compressed_bytes", "of `local`, bytes that these take"),
	COUNT("from_compressed", "of the pages read, out of these"),
	COUNT("strays", "children that keep what they fetch"),
	COUNT("p50_ns", "of a fault that reads"),
	COUNT("p99_ns", "of a fault that reads"),
};

const struct rpc_method methods_fast[] = {
	{ .name = "status",
	  .doc = "The node: processes, drives, pools, volumes, exports, peers, "
	         "windows" },
	{ .name = "doctor",
	  .doc = "What of this machine's set-up will get in the way" },
	METHOD("drive.add", "Make a drive known to this node", drive_add),
	{ .name = "drive.list", .doc = "The drives of this node" },
	METHOD("drive.remove", "Forget a drive that no pool uses", drive_name),
	METHOD("drive.fail", "Stop using a drive as if it had broken",
	       drive_name),
	METHOD("export.create", "Serve a volume to clients", export_create),
	{ .name = "export.list", .doc = "The exports with their counters" },
	METHOD("export.remove", "Stop serving and close its connections",
	       export_name),
	METHOD("node.add", "Make another node known, and talk to it", node_add),
	{ .name = "node.list", .doc = "The other nodes, with their links" },
	METHOD("node.show", "One of them", node_name),
	METHOD("node.remove", "Forget another node; what it was granted ends",
	       node_name),
	METHOD("donor.offer", "Lend memory to other nodes, or change how much",
	       donor_offer),
	{ .name = "donor.list",
	  .doc = "What is offered, and who has borrowed how much" },
	METHOD("donor.withdraw",
	       "Lend no more; what is lent is asked back, then taken",
	       donor_withdraw),
	METHOD("window.create", "Let other nodes reach memory of this one",
	       window_create),
	METHOD("window.grant", "Allow a node to reach a window", window_grant),
	METHOD("window.revoke",
	       "End a grant; when it has returned no byte moves any more",
	       window_revoke),
	{ .name = "window.list",
	  .doc = "The windows: who may reach them, and what was moved" },
	METHOD("window.remove", "End a window; what is in its memory is lost",
	       window_name),
	METHOD("far.report", "How a program with far memory fares", far_report),
	{ .name = "daemon.stop",
	  .doc = "End the daemon; everything accepted is kept" },
};
const size_t methods_fast_count = ARRAY_LEN(methods_fast);

/* -- the slow side -------------------------------------------------------- */

static const struct rpc_param pool_create[] = {
	NAME("pool", "name of the pool"),
	DRIVES("drives that it takes over; what is on them is lost"),
};

static const struct rpc_param pool_grow[] = {
	NAME("pool", "name of the pool"),
	DRIVES("drives to add; what is on them is lost"),
};

static const struct rpc_param pool_show[] = {
	NAME("pool", "name of the pool"),
};

static const struct rpc_param volume_create[] = {
	VOLUME("pool and name of the new volume"),
	{ .name = "size",
	  .type = RPC_SIZE,
	  .required = true,
	  .min = 4096,
	  .max = METHODS_VOLUME_MAX,
	  .doc = "size that clients see, in bytes, a multiple of 4096" },
	{ .name = "raid",
	  .type = RPC_ENUM,
	  .values = raid_profiles,
	  .doc = "redundancy; raid5 if not given" },
};

static const struct rpc_param volume_name[] = {
	VOLUME("pool and name of the volume"),
};

const struct rpc_method methods_slow[] = {
	METHOD("pool.create", "Make a pool out of drives", pool_create),
	{ .name = "pool.list", .doc = "The pools" },
	METHOD("pool.show", "One pool with its drives", pool_show),
	METHOD("pool.grow", "Add drives to a pool", pool_grow),
	METHOD("volume.create", "Make a thin volume in a pool", volume_create),
	{ .name = "volume.list", .doc = "The volumes of every pool" },
	METHOD("volume.show", "One volume", volume_name),
	METHOD("volume.delete", "Delete a volume and what is in it",
	       volume_name),
};
const size_t methods_slow_count = ARRAY_LEN(methods_slow);

const struct rpc_method *methods_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(methods_fast); i++)
		if (strcmp(methods_fast[i].name, name) == 0)
			return &methods_fast[i];
	for (size_t i = 0; i < ARRAY_LEN(methods_slow); i++)
		if (strcmp(methods_slow[i].name, name) == 0)
			return &methods_slow[i];
	for (size_t i = 0; i < methods_subnet_count; i++)
		if (strcmp(methods_subnet[i].name, name) == 0)
			return &methods_subnet[i];
	return NULL;
}
