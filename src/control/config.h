/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * control/config - the configuration file: a node's name and the calls that
 * bring it into the state that the file describes.
 *
 *     node: alpha            # default: the host's name
 *     cores: 2               # reactor threads; default 1
 *     cluster_key: /etc/causeway/key     # mode 0600, the same on every node
 *     listen: [192.0.2.1:7000, 198.51.100.1:7000]
 *     metrics: unix:/run/causeway/metrics.sock
 *     peers:
 *       - { name: beta, addresses: [192.0.2.2:7000, 198.51.100.2:7000] }
 *     windows:
 *       - { name: spare, size: 4G, allow: [beta:rw] }
 *     drives:
 *       - { name: d1, spec: "file:/srv/d1.img,size=10G" }
 *     pools:
 *       - { pool: tank, drives: [d1, d2, d3] }
 *     volumes:
 *       - { volume: tank/vm1, size: 100G, raid: raid5 }
 *     exports:
 *       - { type: nbd, volume: tank/vm1, unix: /run/vm1.sock }
 *     subnet:                # one entry at most
 *       - { device: mlx5_0, priority: 5 }
 *
 * Each section is one method of control/methods.h, each entry the parameters
 * of one call; a size may be written 10G.  A peer that has the name of this
 * node is skipped, so that one file does for all nodes of a cluster.
 *
 *   F1  what is there and equal is left alone;
 *   F2  what is there and different is an error that says what differs:
 *       nothing is ever changed or removed because of the file.
 */
#ifndef CONTROL_CONFIG_H
#define CONTROL_CONFIG_H

#include "control/methods.h"

/* The sections in the order of their application, and the keys of the whole
 * file; the manual page is made from them. */
struct config_section {
	const char *section;
	const char *method;
};
extern const struct config_section config_sections[];
extern const size_t config_sections_count;
extern const struct rpc_param config_rows[];
extern const size_t config_rows_count;

#define CONFIG_PATH_MAX 1023

/* "unix:PATH" or "ADDRESS:PORT", for `metrics`. */
extern const struct rpc_syntax config_metrics_syntax;

struct config_call {
	const struct rpc_method *method;
	struct json_object *params; /* checked by the method's table */
	unsigned line;
};

struct config {
	char node[METHODS_NAME_MAX + 1];       /* "" if not given */
	unsigned cores;                        /* 0 if not given */
	char cluster_key[CONFIG_PATH_MAX + 1]; /* "" if not given */
	char metrics[CONFIG_PATH_MAX + 1];     /* the same */
	char listen[METHODS_LINKS_MAX][METHODS_LINK_MAX + 1];
	unsigned n_listen;
	struct config_call *calls; /* in the order of application */
	size_t n_calls;
};

/*
 * @return 0; -EINVAL or -EBADMSG with words that name the line; -ENOMEM.
 *         *out is to be freed by config_fini() after 0 only.
 */
int config_parse(const char *text, size_t n, struct config *out, struct err *e);

/* Read a file.  Also -ENOENT and the like; the words name the file. */
int config_load(const char *path, struct config *out, struct err *e);

void config_fini(struct config *c);

/*
 * Whether a call is still to be made on a node with this `status` (the
 * result of the method of that name).
 *
 * @return 1: it is; 0: F1; -EEXIST: F2, with words.
 */
int config_compare(const struct config_call *call, struct json_object *status,
                   struct err *e);

#endif /* CONTROL_CONFIG_H */
