/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fabric/tls - streams and lanes over TLS 1.3 over TCP.
 *
 * Concept.  A link whose address begins with `tls:` is private and cannot be
 * added to by somebody on the way.  The cluster's key is the external PSK of
 * TLS (docs/wire-auth.md): no certificates, no tickets, no early data, fresh
 * keys for every connection (psk_dhe_ke).  The handshake of fabric/auth.h
 * follows inside, bound to this connection by exported keying material.
 *
 *   TCP: connecting -> TLS: handshake -> open -> ended
 *
 * Lanes are CONNECTING until both are done, on the accepting side too.
 *
 * Errors     -EKEYREJECTED: the two have different keys; -EPROTO: no TLS 1.3
 *            with our PSK at the other end.
 * Threads    The reactor's.
 *
 * Invariants
 *   TL1  no byte of the user's is sent or taken before the handshake ended
 *        well, with TLS 1.3 and the PSK: there is no fallback;
 *   TL2  the end without TLS's own goodbye is -ECONNRESET, not an orderly
 *        one.
 */
#ifndef FABRIC_TLS_H
#define FABRIC_TLS_H

#include "fabric/auth_key.h"
#include "fabric/stream.h"
#include "fabric/transport.h"

struct reactor;

/* A row for struct node_opts.  The key is borrowed.
 * @return 0; -ENOMEM, -EIO, with words. */
int tls_transport_create(const struct auth_key *key, struct transport **out,
                         struct err *e);
/* Its lanes and listeners are gone.  NULL is allowed. */
void tls_transport_destroy(struct transport *t);

/*
 * TLS over another stream, which is taken over, also on failure.
 * @return NULL: no memory.
 */
struct stream *tls_stream_create(struct transport *t, struct reactor *r,
                                 struct stream *below, bool dialled);

#endif /* FABRIC_TLS_H */
