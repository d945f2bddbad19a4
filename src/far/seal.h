/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * far/seal - a page that a donor keeps comes back as it went, or not at all.
 *
 * Concept.  Each page that leaves gets a version that no other page or time
 * has had, and a tag over its contents by AES-128-GCM with the version as
 * nonce, under a key of this run that never leaves the host.  Version and tag
 * stay here, so a donor that changes a page, swaps two or gives back an older
 * one is found.  Where asked, the page is encrypted too; otherwise it goes in
 * clear and the tag is a GMAC (NIST SP 800-38D).
 *
 *   E1  a version seals at most one page that leaves the host.
 *
 * Threads    One; a seal is not shared.
 */
#ifndef FAR_SEAL_H
#define FAR_SEAL_H

#include "base/err.h"
#include "far/page_map.h"

#include <stdbool.h>

#define SEAL_VERSION_MAX ((UINT64_C(1) << 56) - 1) /* never reached */

struct evp_cipher_ctx_st;

struct seal {
	struct evp_cipher_ctx_st *ctx;
	uint8_t key[16];
	uint64_t next_version;
	bool encrypt;
};

/* @return 0; -EIO with words: no random bytes, or no such cipher. */
int seal_init(struct seal *s, bool encrypt, struct err *e);
/* The same with a key, for seals that another process has made: the versions
 * are then the caller's to give. */
int seal_init_keyed(struct seal *s, bool encrypt, const uint8_t key[16],
                    struct err *e);
void seal_fini(struct seal *s);

uint64_t seal_version(struct seal *s);

/*
 * Seal FAR_PAGE bytes.  With encryption the result is in `out`, which may
 * not be `page`; without, `out` is not touched: `page` itself is to be sent.
 */
void seal_page(struct seal *s, uint64_t version, const uint8_t *page,
               uint8_t *out, uint8_t tag[FAR_TAG]);

/* Check, and where encrypted decrypt in place.  @return whether it is what
 * went out as `version`; its bytes are undefined if not. */
bool seal_open(struct seal *s, uint64_t version, uint8_t *page,
               const uint8_t tag[FAR_TAG]);

#endif /* FAR_SEAL_H */
