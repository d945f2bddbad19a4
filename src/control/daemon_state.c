/* SPDX-License-Identifier: BSD-2-Clause */
/* What the node remembers: DIR/state.json and the configuration file. */
#include "control/daemon_priv.h"

#include "base/base.h"
#include "control/state.h"
#include "core/log.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* -- state file ----------------------------------------------------------- */

static const char *const prefix[] = {
	[NBD_UNIX] = "unix:",
	[NBD_TCP] = "tcp:",
};

static int take_drives(struct daemon *n, const struct state *s, struct err *e)
{
	unsigned slot = 0;

	LIST_FOREACH (node, &s->drives) {
		const struct state_drive *from =
			list_entry(node, struct state_drive, link);
		struct daemon_drive *d = &n->drive[slot];

		if (slot++ == HANDOFF_DRIVES)
			return err_set(e, -ENOSPC,
			               "the state file lists over %u drives",
			               HANDOFF_DRIVES);
		d->used = true;
		snprintf(d->name, sizeof(d->name), "%s", from->name);
		snprintf(d->spec, sizeof(d->spec), "%s", from->spec);
	}
	return 0;
}

static int take_exports(struct daemon *n, const struct state *s, struct err *e)
{
	LIST_FOREACH (node, &s->exports) {
		const struct state_export *from =
			list_entry(node, struct state_export, link);
		struct daemon_export *x = calloc(1, sizeof(*x));

		if (!x)
			return err_set(e, -ENOMEM, "no memory for exports");
		x->node = n;
		x->kind = strncmp(from->address, prefix[NBD_UNIX],
		                  strlen(prefix[NBD_UNIX]))
		                  ? NBD_TCP
		                  : NBD_UNIX;
		snprintf(x->name, sizeof(x->name), "%s", from->name);
		snprintf(x->volume, sizeof(x->volume), "%s", from->volume);
		snprintf(x->address, sizeof(x->address), "%s",
		         from->address + strlen(prefix[x->kind]));
		list_append(&n->exports, &x->link);
		n->n_exports++;
	}
	return 0;
}

static int load_state(struct daemon *n, struct err *e)
{
	struct state s;
	int err;

	state_init(&s);
	err = state_load(n->opts->state_dir, &s, e);
	if (!err)
		err = take_drives(n, &s, e);
	if (!err)
		err = take_exports(n, &s, e);
	if (!err) {
		snprintf(n->name, sizeof(n->name), "%s", s.node);
		memcpy(n->fabric.id, s.id, sizeof(n->fabric.id));
		n->fabric.boot = s.boot;
		list_splice(&n->fabric.peers, &s.peers);
		list_splice(&n->fabric.windows, &s.windows);
		n->subnet.params = json_object_get(s.subnet);
		n->fabric.offer = json_object_get(s.offer);
	}
	state_fini(&s);
	return err;
}

static int give_exports(struct daemon *n, struct state *s, struct err *e)
{
	char address[DAEMON_ADDRESS_MAX + 8];
	int err = 0;

	LIST_FOREACH (node, &n->exports) {
		const struct daemon_export *x =
			list_entry(node, struct daemon_export, link);

		snprintf(address, sizeof(address), "%s%s", prefix[x->kind],
		         x->address);
		if (!x->gone && !err)
			err = state_add_export(s, x->name, "nbd", x->volume,
			                       address, e);
	}
	return err;
}

int daemon_save(struct daemon *n, struct err *e)
{
	struct state s;
	int err = 0;

	if (n->stopping) /* the exports have left the list */
		return err_set(e, -EAGAIN, "this node is stopping");
	state_init(&s);
	snprintf(s.node, sizeof(s.node), "%s", n->name);
	for (unsigned i = 0; i < HANDOFF_DRIVES && !err; i++) {
		const struct daemon_drive *d = &n->drive[i];

		if (d->used && !d->closing && !d->adding)
			err = state_add_drive(&s, d->name, d->spec, e);
	}
	if (!err)
		err = give_exports(n, &s, e);
	memcpy(s.id, n->fabric.id, sizeof(s.id));
	s.boot = n->fabric.boot;
	/* Lent for as long as it is written. */
	list_splice(&s.peers, &n->fabric.peers);
	list_splice(&s.windows, &n->fabric.windows);
	s.subnet = json_object_get(n->subnet.params);
	s.offer = json_object_get(n->fabric.offer);
	if (!err)
		err = state_save(n->opts->state_dir, &s, e);
	list_splice(&n->fabric.peers, &s.peers);
	list_splice(&n->fabric.windows, &s.windows);
	state_fini(&s);
	return err;
}

/* -- configuration -------------------------------------------------------- */

static void default_name(struct daemon *n)
{
	char host[METHODS_NAME_MAX + 1] = "";

	if (gethostname(host, sizeof(host) - 1) != 0 ||
	    !methods_name_syntax.valid(host))
		snprintf(host, sizeof(host), "node");
	snprintf(n->name, sizeof(n->name), "%s", host);
}

int daemon_load(struct daemon *n, struct err *e)
{
	int err = load_state(n, e);

	if (!err && n->opts->config) {
		err = config_load(n->opts->config, &n->config, e);
		n->has_config = !err;
	}
	if (!err && n->config.node[0])
		snprintf(n->name, sizeof(n->name), "%s", n->config.node);
	else if (!err && !n->name[0])
		default_name(n);
	if (!err)
		err = daemon_fabric_load(n, e);
	if (!err) /* the boot's number, before anybody is told it */
		err = daemon_save(n, e);
	if (err) {
		daemon_unload(n);
		return err;
	}
	n->cores = n->config.cores ? n->config.cores : 1;
	if (n->cores > DAEMON_CORES_MAX)
		n->cores = DAEMON_CORES_MAX;
	return 0;
}

void daemon_unload(void *ctx)
{
	struct daemon *n = ctx;
	struct list *node;

	while ((node = list_pop(&n->exports)) != NULL)
		free(list_entry(node, struct daemon_export, link));
	LIST_FOREACH (link, &n->fabric.peers)
		state_remove_peer(list_entry(link, struct state_peer, link));
	LIST_FOREACH (link, &n->fabric.windows)
		state_remove_window(
			list_entry(link, struct state_window, link));
	json_object_put(n->subnet.params);
	n->subnet.params = NULL;
	json_object_put(n->fabric.offer);
	n->fabric.offer = NULL;
	if (n->has_config)
		config_fini(&n->config);
	n->has_config = false;
}

static void applied(void *ctx, const struct err *e)
{
	struct daemon *n = ctx;

	n->apply = NULL;
	if (!e) {
		daemon_ready(n);
		return;
	}
	n->exit_code = e->code;
	n->exit_err = *e;
	daemon_stop(n);
}

void daemon_configure(struct daemon *n)
{
	struct err e = { 0 };

	if (n->ready || n->apply)
		return;
	if (!n->has_config) {
		daemon_ready(n);
		return;
	}
	if (apply_start(n->reactor, n->rpc, &n->config, applied, n, &n->apply,
	                &e))
		applied(n, &e);
}
