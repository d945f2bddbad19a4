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
	  .doc = "what it is: file:PATH[,size=SIZE] or ram:SIZE" },
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
	  .max = 264,
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

const struct rpc_method methods_fast[] = {
	{ .name = "status",
	  .doc = "The node: processes, drives, pools, volumes, exports" },
	METHOD("drive.add", "Make a drive known to this node", drive_add),
	{ .name = "drive.list", .doc = "The drives of this node" },
	METHOD("drive.remove", "Forget a drive that no pool uses", drive_name),
	METHOD("drive.fail", "Stop using a drive as if it had broken",
	       drive_name),
	METHOD("export.create", "Serve a volume to clients", export_create),
	{ .name = "export.list", .doc = "The exports with their counters" },
	METHOD("export.remove", "Stop serving and close its connections",
	       export_name),
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
	return NULL;
}
