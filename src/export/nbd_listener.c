/* SPDX-License-Identifier: BSD-2-Clause */
#include "export/nbd_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static void accepted(struct listener *socket, int fd)
{
	struct nbd_listener *l =
		container_of(socket, struct nbd_listener, socket);
	int room = NBD_SOCKET_ROOM;

	if (l->kind == NBD_UNIX) /* TCP sizes its buffers itself */
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
	nbd_handshake_start(l, fd);
}

static int open_socket(struct nbd_listener *l, struct err *e)
{
	enum listener_kind kind =
		l->kind == NBD_TCP ? LISTENER_TCP : LISTENER_UNIX;
	struct err why = { 0 };
	int err;

	l->socket.accepted = accepted;
	l->socket.n_exhausted = &l->server->stats.exhausted;
	err = listener_open(l->server->home, &l->socket, kind, l->text, &why);
	if (err == -ENOTSOCK)
		err = -EADDRINUSE;
	else if (err == -ENAMETOOLONG)
		err = -EINVAL;
	return err ? err_set(e, err, "%s", why.text) : 0;
}

int nbd_listener_open(struct nbd_server *s, const struct nbd_address *at,
                      struct nbd_listener **out, struct err *e)
{
	struct nbd_listener *l = calloc(1, sizeof(*l));
	int err = 0;

	if (!l)
		return err_set(e, -ENOMEM, "no memory for a listener");
	l->server = s;
	l->kind = at->kind;
	l->text = strdup(at->text);
	list_init(&l->link);
	list_init(&l->exports);
	if (!l->text)
		err = err_set(e, -ENOMEM, "no memory for a listener");
	else if (l->kind != NBD_ADOPT)
		err = open_socket(l, e);
	if (err) {
		nbd_listener_close(l);
		return err;
	}
	list_append(&s->listeners, &l->link);
	*out = l;
	return 0;
}

void nbd_listener_close(struct nbd_listener *l)
{
	nbd_handshake_cut(l->server, l, NULL);
	listener_close(&l->socket);
	list_remove(&l->link);
	free(l->text);
	free(l);
}

struct nbd_listener *nbd_listener_find(struct nbd_server *s,
                                       const struct nbd_address *at)
{
	LIST_FOREACH (node, &s->listeners) {
		struct nbd_listener *l =
			list_entry(node, struct nbd_listener, link);

		if (l->kind == at->kind && strcmp(l->text, at->text) == 0)
			return l;
	}
	return NULL;
}

struct nbd_export *nbd_listener_lookup(struct nbd_listener *l,
                                       struct nbd_view name)
{
	struct list *first = l->exports.next;

	if (name.length == 0)
		return !list_empty(&l->exports) && first->next == &l->exports
		               ? list_entry(first, struct nbd_export, link)
		               : NULL;
	LIST_FOREACH (node, &l->exports) {
		struct nbd_export *x =
			list_entry(node, struct nbd_export, link);

		if (nbd_view_equals(name, x->info.name))
			return x;
	}
	return NULL;
}
