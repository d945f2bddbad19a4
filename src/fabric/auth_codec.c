/* SPDX-License-Identifier: BSD-2-Clause */
#include "fabric/auth_codec.h"

#include "base/base.h"

#include <assert.h>
#include <string.h>

static const uint16_t lengths[] = {
	[AUTH_HELLO] = sizeof(struct auth_hello),
	[AUTH_CHALLENGE] = sizeof(struct auth_challenge),
	[AUTH_PROOF] = sizeof(struct auth_proof),
	[AUTH_WELCOME] = sizeof(struct auth_welcome),
	[AUTH_REFUSED] = sizeof(struct auth_refused),
};

size_t auth_decode_length(const struct auth_header *h)
{
	if (le32_get(h->magic) != AUTH_MAGIC || h->zero ||
	    h->type >= ARRAY_LEN(lengths) ||
	    le16_get(h->length) != lengths[h->type])
		return 0;
	return lengths[h->type];
}

enum auth_type auth_decode_type(const struct auth_header *h)
{
	return (enum auth_type)h->type;
}

void auth_encode_header(enum auth_type type, struct auth_header *out)
{
	*out = (struct auth_header){
		.magic = le32_put(AUTH_MAGIC),
		.type = (uint8_t)type,
		.length = le16_put(lengths[type]),
	};
}

static bool name_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9') || c == '_' || c == '.' || c == '-';
}

bool auth_decode_name(const struct auth_name *in, char out[AUTH_NAME_MAX + 1])
{
	if (in->length > AUTH_NAME_MAX)
		return false;
	for (unsigned i = 0; i < AUTH_NAME_MAX; i++)
		if (i < in->length ? !name_letter(in->text[i])
		                   : in->text[i] != '\0')
			return false;
	memcpy(out, in->text, in->length);
	out[in->length] = '\0';
	return true;
}

void auth_encode_name(const char *text, struct auth_name *out)
{
	size_t n = text ? strlen(text) : 0;

	assert(n <= AUTH_NAME_MAX);
	memset(out, 0, sizeof(*out));
	out->length = (uint8_t)n;
	memcpy(out->text, text ? text : "", n);
}

bool auth_hello_valid(const struct auth_hello *m)
{
	char name[AUTH_NAME_MAX + 1];

	return le16_get(m->zero) == 0 && m->name.length > 0 &&
	       le16_get(m->version_min) <= le16_get(m->version_max) &&
	       auth_decode_name(&m->name, name) &&
	       auth_decode_name(&m->expect, name);
}

bool auth_challenge_valid(const struct auth_challenge *m)
{
	return le32_get(m->zero) == 0;
}

bool auth_welcome_valid(const struct auth_welcome *m)
{
	char name[AUTH_NAME_MAX + 1];

	return m->name.length > 0 && auth_decode_name(&m->name, name);
}
