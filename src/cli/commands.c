/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/cli.h"

#include "base/base.h"
#include "cli/print.h"

#include <json-c/json.h>

static int version(struct cli *cli)
{
	if (cli->json)
		cli_print_json(cli, NULL);
	else
		fprintf(cli->out, "causeway %s\n", CAUSEWAY_VERSION);
	return RPC_OK;
}

static int stop(struct cli *cli)
{
	struct json_object *reply;
	int status = cli_call(cli, "daemon.stop", NULL, &reply);

	if (status)
		return status;
	if (cli->json)
		cli_print_json(cli, reply);
	json_object_put(reply);
	return RPC_OK;
}

#define DRIVES_MAX 128

static const struct cli_cmd table[] = {
	{ .path = "status",
	  .args = "",
	  .brief = "say whether all is well, and if not, why and what to do",
	  .example = "status",
	  .run = cmd_status_run },
	{ .path = "drive add",
	  .args = "NAME file:PATH[,size=SIZE]|ram:SIZE",
	  .brief = "make a file, a block device or memory known as a drive",
	  .example = "drive add d1 file:/srv/d1.img,size=10G",
	  .n_min = 2,
	  .run = cmd_drive_add },
	{ .path = "drive list",
	  .args = "",
	  .brief = "list the drives of this node",
	  .example = "drive list",
	  .run = cmd_drive_list },
	{ .path = "drive remove",
	  .args = "NAME",
	  .brief = "forget a drive that no pool uses",
	  .example = "drive remove d1",
	  .n_min = 1,
	  .run = cmd_drive_remove },
	{ .path = "drive fail",
	  .args = "NAME",
	  .brief = "stop using a drive as if it had broken",
	  .example = "drive fail d1",
	  .n_min = 1,
	  .run = cmd_drive_fail },
	{ .path = "pool create",
	  .args = "POOL DRIVE...",
	  .brief = "make a pool out of drives; what is on them is lost",
	  .example = "pool create tank d1 d2 d3",
	  .n_min = 2,
	  .n_max = 1 + DRIVES_MAX,
	  .run = cmd_pool_create },
	{ .path = "pool list",
	  .args = "",
	  .brief = "list the pools",
	  .example = "pool list",
	  .run = cmd_pool_list },
	{ .path = "pool show",
	  .args = "POOL",
	  .brief = "show a pool and its drives",
	  .example = "pool show tank",
	  .n_min = 1,
	  .run = cmd_pool_show },
	{ .path = "pool grow",
	  .args = "POOL DRIVE...",
	  .brief = "add drives to a pool; what is on them is lost",
	  .example = "pool grow tank d4 d5",
	  .n_min = 2,
	  .n_max = 1 + DRIVES_MAX,
	  .run = cmd_pool_grow },
	{ .path = "volume create",
	  .args = "POOL/VOLUME --size SIZE [--raid PROFILE]",
	  .brief = "make a thin volume",
	  .example = "volume create tank/vm1 --size 100G --raid raid5",
	  .n_min = 1,
	  .options = { { "size", "SIZE", "size that clients see, as in 100G" },
	               { "raid", "PROFILE",
	                 "raid0, raid1 or raid5, which is the default" } },
	  .run = cmd_volume_create },
	{ .path = "volume list",
	  .args = "",
	  .brief = "list the volumes of every pool",
	  .example = "volume list",
	  .run = cmd_volume_list },
	{ .path = "volume show",
	  .args = "POOL/VOLUME",
	  .brief = "show a volume",
	  .example = "volume show tank/vm1",
	  .n_min = 1,
	  .run = cmd_volume_show },
	{ .path = "volume delete",
	  .args = "POOL/VOLUME",
	  .brief = "delete a volume and what is in it",
	  .example = "volume delete tank/vm1",
	  .n_min = 1,
	  .run = cmd_volume_delete },
	{ .path = "export create",
	  .args = "nbd POOL/VOLUME (--unix PATH | --tcp ADDR:PORT) "
	          "[--name NAME]",
	  .brief = "serve a volume to clients over the network",
	  .example = "export create nbd tank/vm1 --unix /run/vm1.sock",
	  .n_min = 2,
	  .options = { { "unix", "PATH", "listen on a Unix socket" },
	               { "tcp", "ADDR:PORT", "listen on a TCP port" },
	               { "name", "NAME",
	                 "name of the export; nbd1, nbd2, ... if not given" } },
	  .run = cmd_export_create },
	{ .path = "export list",
	  .args = "",
	  .brief = "list the exports with their clients and latencies",
	  .example = "export list",
	  .run = cmd_export_list },
	{ .path = "export remove",
	  .args = "NAME",
	  .brief = "stop serving and close its connections",
	  .example = "export remove nbd1",
	  .n_min = 1,
	  .run = cmd_export_remove },
	{ .path = "stop",
	  .args = "",
	  .brief = "end the daemon; everything accepted is kept",
	  .example = "stop",
	  .run = stop },
	{ .path = "help",
	  .args = "[COMMAND...]",
	  .brief = "explain a command, or list them all",
	  .example = "help volume create",
	  .n_max = 8,
	  .run = cli_help },
	{ .path = "version",
	  .args = "",
	  .brief = "print the version of this program",
	  .example = "version",
	  .run = version },
};

const struct cli_cmd *const cli_commands = table;
const size_t cli_commands_count = ARRAY_LEN(table);
