/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fabric/auth_key - the cluster's key: the one secret that its nodes share.
 *
 * Concept.  The key is a file of AUTH_KEY_MIN to AUTH_KEY_MAX bytes, any
 * bytes; white space at its end doesn't count, so that it may be made with
 * `openssl rand -hex 32 >FILE`.  What is kept of it are keys derived from it,
 * one for each use, so that no use can answer for another.
 *
 * The key must be random: whoever dials a node's address and pretends to be a
 * member, or listens where a member dials, gets to see one MAC under it and
 * can try guesses against that at home.
 *
 * Threads  Any; a key is read-only once it is loaded.
 */
#ifndef FABRIC_AUTH_KEY_H
#define FABRIC_AUTH_KEY_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

#define AUTH_KEY_MIN 32u   /* bytes of the file, less white space at its end */
#define AUTH_KEY_MAX 4096u /* the same */
#define AUTH_KEY_LENGTH 32u

struct auth_key {
	uint8_t proof[AUTH_KEY_LENGTH]; /* HMAC key of the handshake */
	uint8_t tls[AUTH_KEY_LENGTH];   /* external PSK of TLS 1.3 */
};

/*
 * Read the key from `path`: a regular file of this user (or of root) with
 * mode 0600 or less.
 *
 * @return 0; -ENOENT, -EACCES and other errors of open(); -EPERM: somebody
 *         else may read or write it; -EINVAL: not a regular file, or too
 *         short or too long; -EIO; with words in *e.  *out is untouched on
 *         failure.
 */
int auth_key_load(const char *path, struct auth_key *out, struct err *e);

/* The same from bytes.  @return 0; -EINVAL: too short or too long; -EIO. */
int auth_key_derive(const void *secret, size_t length, struct auth_key *out);

void auth_key_wipe(struct auth_key *k);

#endif /* FABRIC_AUTH_KEY_H */
