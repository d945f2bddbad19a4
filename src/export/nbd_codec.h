/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * export/nbd_codec - NBD messages from and to bytes; pure functions.
 *
 * Decoders read at most the bytes that they are given and trust none of
 * them; what they write is untouched on failure.  Strings that they find are
 * views into the caller's bytes, not ended by NUL.
 */
#ifndef EXPORT_NBD_CODEC_H
#define EXPORT_NBD_CODEC_H

#include "export/nbd_wire.h"

#include <stdbool.h>
#include <stddef.h>

/* The one metadata context that we know. */
#define NBD_CONTEXT_NAME "base:allocation"
#define NBD_CONTEXT_ID 1u

struct nbd_view {
	const char *at;
	uint32_t length; /* bytes */
};

bool nbd_view_equals(struct nbd_view v, const char *text);

/* Whether it may be an export's name: at most NBD_STRING_MAX, no NUL. */
bool nbd_view_is_name(struct nbd_view v);

/* -- handshake ------------------------------------------------------------ */

struct nbd_option_head {
	uint32_t option; /* enum nbd_option, or one that we don't know */
	uint32_t length;
};

/* @return 0; -EPROTO: wrong magic, nothing after it makes sense. */
int nbd_decode_option(const struct nbd_option_header *h,
                      struct nbd_option_head *out);

/* Client flags: -EPROTO if one is set that we did not offer. */
int nbd_decode_client_flags(be32 flags, bool *no_zeroes);

struct nbd_info_query {
	struct nbd_view name;
	bool wants_name;
	bool wants_description;
	bool wants_block_size;
};

/* Data of INFO and GO.  @return 0; -EINVAL. */
int nbd_decode_info(const void *data, size_t length,
                    struct nbd_info_query *out);

struct nbd_meta_query {
	struct nbd_view name;
	uint32_t n_queries;
	bool wants_allocation; /* some query selects base:allocation */
};

/*
 * Data of LIST_META_CONTEXT (`list`: no query at all and "base:" select too)
 * and SET_META_CONTEXT.  @return 0; -EINVAL.
 */
int nbd_decode_meta(const void *data, size_t length, bool list,
                    struct nbd_meta_query *out);

void nbd_encode_greeting(struct nbd_greeting *out);

void nbd_encode_export_reply(uint64_t size, uint16_t flags,
                             struct nbd_export_reply *out);

/* Each of these writes one whole reply and returns its length in bytes. */
size_t nbd_encode_reply(uint32_t option, uint32_t type, const char *message,
                        void *out);
size_t nbd_encode_server(const char *name, const char *description, void *out);
size_t nbd_encode_info_export(uint32_t option, uint64_t size, uint16_t flags,
                              void *out);
size_t nbd_encode_info_text(uint32_t option, uint16_t info, const char *text,
                            void *out);
size_t nbd_encode_info_block_size(uint32_t option, uint32_t minimum,
                                  uint32_t preferred, uint32_t maximum,
                                  void *out);
size_t nbd_encode_context(uint32_t option, uint32_t id, void *out);

/* -- transmission --------------------------------------------------------- */

struct nbd_command {
	uint16_t flags;
	uint16_t type; /* enum nbd_cmd, or one that we don't know */
	uint32_t length;
	uint64_t cookie;
	uint64_t offset;
};

/* @return 0; -EPROTO: wrong magic. */
int nbd_decode_request(const void *data, struct nbd_command *out);

/* What a connection has agreed on, which decides what it may ask. */
struct nbd_terms {
	uint64_t size;       /* bytes of the export */
	uint32_t grain;      /* bytes: the minimum block size */
	uint32_t length_max; /* bytes: of READ and WRITE */
	bool read_only;
	bool structured; /* replies */
	bool context;    /* base:allocation was selected */
};

/*
 * Whether `c` may be executed under `t`.  No command that passes wraps,
 * leaves the export or is misaligned; its type is one of enum nbd_cmd and
 * its flags fit it.
 */
enum nbd_error nbd_command_check(const struct nbd_command *c,
                                 const struct nbd_terms *t);

/* Each writes a header and returns its length in bytes. */
size_t nbd_encode_simple(uint64_t cookie, enum nbd_error error, void *out);
size_t nbd_encode_error(uint64_t cookie, enum nbd_error error, void *out);
size_t nbd_encode_data(uint64_t cookie, uint64_t offset, uint32_t length,
                       void *out);
size_t nbd_encode_none(uint64_t cookie, void *out);
/* `n` descriptors follow; n > 0. */
size_t nbd_encode_status(uint64_t cookie, uint32_t n, void *out);

/* The largest of them. */
#define NBD_REPLY_HEADER_MAX sizeof(struct nbd_data_chunk)

/* -- errors --------------------------------------------------------------- */

/* `err` is 0 or a negative errno; one that we don't know becomes NBD_EIO. */
enum nbd_error nbd_error_from_errno(int err);

#endif /* EXPORT_NBD_CODEC_H */
