/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fabric/auth_codec - the handshake's messages from and to bytes; pure.
 *
 * Decoders trust nothing; outputs are untouched on failure, and a name that
 * was decoded is one: AUTH_NAME_MAX bytes at most, ended by NUL, letters,
 * digits, '_', '.' and '-' only.
 */
#ifndef FABRIC_AUTH_CODEC_H
#define FABRIC_AUTH_CODEC_H

#include "fabric/auth.h"

#include <stdbool.h>
#include <stddef.h>

/*
 * The length of the message that begins with `h`; 0: no message of ours.
 */
size_t auth_decode_length(const struct auth_header *h);

enum auth_type auth_decode_type(const struct auth_header *h);

void auth_encode_header(enum auth_type type, struct auth_header *out);

/* Whether the parts that must be zero are, and names are names. */
bool auth_hello_valid(const struct auth_hello *m);
bool auth_challenge_valid(const struct auth_challenge *m);
bool auth_welcome_valid(const struct auth_welcome *m);

/* `text` is a name or empty. */
void auth_encode_name(const char *text, struct auth_name *out);
bool auth_decode_name(const struct auth_name *in, char out[AUTH_NAME_MAX + 1]);

#endif /* FABRIC_AUTH_CODEC_H */
