/* SPDX-License-Identifier: BSD-2-Clause */
#include "export/nbd_codec.h"

#include "base/base.h"

#include <errno.h>

/* -- reading -------------------------------------------------------------- */

/* What is left of some option's data. */
struct cursor {
	const uint8_t *at;
	size_t left;
};

static bool take(struct cursor *c, void *out, size_t length)
{
	if (c->left < length)
		return false;
	memcpy(out, c->at, length);
	c->at += length;
	c->left -= length;
	return true;
}

static bool take_string(struct cursor *c, struct nbd_view *out)
{
	be32 length;

	if (!take(c, &length, sizeof(length)) || be32_get(length) > c->left)
		return false;
	*out = (struct nbd_view){ (const char *)c->at, be32_get(length) };
	c->at += out->length;
	c->left -= out->length;
	return true;
}

bool nbd_view_equals(struct nbd_view v, const char *text)
{
	return v.length == strlen(text) &&
	       (v.length == 0 || memcmp(v.at, text, v.length) == 0);
}

bool nbd_view_is_name(struct nbd_view v)
{
	return v.length <= NBD_STRING_MAX &&
	       (v.length == 0 || memchr(v.at, 0, v.length) == NULL);
}

/* -- handshake ------------------------------------------------------------ */

int nbd_decode_option(const struct nbd_option_header *h,
                      struct nbd_option_head *out)
{
	if (be64_get(h->magic) != NBD_OPTION_MAGIC)
		return -EPROTO;
	out->option = be32_get(h->option);
	out->length = be32_get(h->length);
	return 0;
}

int nbd_decode_client_flags(be32 flags, bool *no_zeroes)
{
	uint32_t f = be32_get(flags);

	if (f & ~(NBD_FLAG_FIXED_NEWSTYLE | NBD_FLAG_NO_ZEROES))
		return -EPROTO;
	*no_zeroes = (f & NBD_FLAG_NO_ZEROES) != 0;
	return 0;
}

int nbd_decode_info(const void *data, size_t length, struct nbd_info_query *out)
{
	struct cursor c = { data, length };
	struct nbd_info_query q = { 0 };
	be16 n, info;

	if (!take_string(&c, &q.name) || !nbd_view_is_name(q.name) ||
	    !take(&c, &n, sizeof(n)) || c.left != be16_get(n) * sizeof(info))
		return -EINVAL;
	while (take(&c, &info, sizeof(info))) {
		uint16_t i = be16_get(info);

		q.wants_name |= i == NBD_INFO_NAME;
		q.wants_description |= i == NBD_INFO_DESCRIPTION;
		q.wants_block_size |= i == NBD_INFO_BLOCK_SIZE;
	}
	*out = q;
	return 0;
}

int nbd_decode_meta(const void *data, size_t length, bool list,
                    struct nbd_meta_query *out)
{
	struct cursor c = { data, length };
	struct nbd_meta_query m = { 0 };
	be32 n;

	if (!take_string(&c, &m.name) || !nbd_view_is_name(m.name) ||
	    !take(&c, &n, sizeof(n)))
		return -EINVAL;
	m.n_queries = be32_get(n);
	m.wants_allocation = list && m.n_queries == 0;
	/* Each query takes four bytes at least, so this ends. */
	for (uint32_t i = 0; i < m.n_queries; i++) {
		struct nbd_view query;

		if (!take_string(&c, &query) || !nbd_view_is_name(query))
			return -EINVAL;
		m.wants_allocation |= nbd_view_equals(query, NBD_CONTEXT_NAME);
		m.wants_allocation |= list && nbd_view_equals(query, "base:");
	}
	if (c.left != 0)
		return -EINVAL;
	*out = m;
	return 0;
}

void nbd_encode_greeting(struct nbd_greeting *out)
{
	*out = (struct nbd_greeting){
		.magic = be64_put(NBD_MAGIC),
		.option_magic = be64_put(NBD_OPTION_MAGIC),
		.flags = be16_put(NBD_FLAG_FIXED_NEWSTYLE | NBD_FLAG_NO_ZEROES),
	};
}

void nbd_encode_export_reply(uint64_t size, uint16_t flags,
                             struct nbd_export_reply *out)
{
	*out = (struct nbd_export_reply){
		.size = be64_put(size),
		.flags = be16_put(flags),
	};
}

/* Header first, `length` bytes of data by the caller. */
static uint8_t *begin(uint32_t option, uint32_t type, size_t length, void *out)
{
	struct nbd_reply_header h = {
		.magic = be64_put(NBD_REPLY_MAGIC),
		.option = be32_put(option),
		.type = be32_put(type),
		.length = be32_put((uint32_t)length),
	};

	memcpy(out, &h, sizeof(h));
	return (uint8_t *)out + sizeof(h);
}

size_t nbd_encode_reply(uint32_t option, uint32_t type, const char *message,
                        void *out)
{
	size_t length = message ? strlen(message) : 0;
	uint8_t *data = begin(option, type, length, out);

	if (length)
		memcpy(data, message, length);
	return sizeof(struct nbd_reply_header) + length;
}

size_t nbd_encode_server(const char *name, const char *description, void *out)
{
	size_t n = strlen(name), d = description ? strlen(description) : 0;
	be32 name_length = be32_put((uint32_t)n);
	size_t length = sizeof(name_length) + n + d;
	uint8_t *data = begin(NBD_OPT_LIST, NBD_REP_SERVER, length, out);

	memcpy(data, &name_length, sizeof(name_length));
	memcpy(data + sizeof(name_length), name, n);
	if (d)
		memcpy(data + sizeof(name_length) + n, description, d);
	return sizeof(struct nbd_reply_header) + length;
}

size_t nbd_encode_info_export(uint32_t option, uint64_t size, uint16_t flags,
                              void *out)
{
	struct nbd_info_export info = {
		.type = be16_put(NBD_INFO_EXPORT),
		.size = be64_put(size),
		.flags = be16_put(flags),
	};

	memcpy(begin(option, NBD_REP_INFO, sizeof(info), out), &info,
	       sizeof(info));
	return sizeof(struct nbd_reply_header) + sizeof(info);
}

size_t nbd_encode_info_text(uint32_t option, uint16_t info, const char *text,
                            void *out)
{
	be16 type = be16_put(info);
	size_t n = strlen(text);
	uint8_t *data = begin(option, NBD_REP_INFO, sizeof(type) + n, out);

	memcpy(data, &type, sizeof(type));
	memcpy(data + sizeof(type), text, n);
	return sizeof(struct nbd_reply_header) + sizeof(type) + n;
}

size_t nbd_encode_info_block_size(uint32_t option, uint32_t minimum,
                                  uint32_t preferred, uint32_t maximum,
                                  void *out)
{
	struct nbd_info_block_size info = {
		.type = be16_put(NBD_INFO_BLOCK_SIZE),
		.minimum = be32_put(minimum),
		.preferred = be32_put(preferred),
		.maximum = be32_put(maximum),
	};

	memcpy(begin(option, NBD_REP_INFO, sizeof(info), out), &info,
	       sizeof(info));
	return sizeof(struct nbd_reply_header) + sizeof(info);
}

size_t nbd_encode_context(uint32_t option, uint32_t id, void *out)
{
	be32 wire_id = be32_put(id);
	size_t n = strlen(NBD_CONTEXT_NAME);
	uint8_t *data =
		begin(option, NBD_REP_META_CONTEXT, sizeof(wire_id) + n, out);

	memcpy(data, &wire_id, sizeof(wire_id));
	memcpy(data + sizeof(wire_id), NBD_CONTEXT_NAME, n);
	return sizeof(struct nbd_reply_header) + sizeof(wire_id) + n;
}

/* -- transmission --------------------------------------------------------- */

int nbd_decode_request(const void *data, struct nbd_command *out)
{
	const struct nbd_request_header *h = data;

	if (be32_get(h->magic) != NBD_REQUEST_MAGIC)
		return -EPROTO;
	*out = (struct nbd_command){
		.flags = be16_get(h->flags),
		.type = be16_get(h->type),
		.length = be32_get(h->length),
		.cookie = be64_get(h->cookie),
		.offset = be64_get(h->offset),
	};
	return 0;
}

#define WRITES (1u << 0)  /* changes the export */
#define RANGE (1u << 1)   /* offset and length are a range of it */
#define PAYLOAD (1u << 2) /* length bytes travel: bounded by length_max */
#define UNKNOWN (1u << 3)

/* FUA is valid everywhere: it is ignored where nothing is written. */
static const struct command_rule {
	uint8_t is;
	uint16_t flags; /* valid beside FUA */
} rules[NBD_CMD_END] = {
	[NBD_CMD_READ] = { RANGE | PAYLOAD, NBD_CMD_FLAG_DF },
	[NBD_CMD_WRITE] = { WRITES | RANGE | PAYLOAD, 0 },
	[NBD_CMD_DISC] = { 0, 0 },
	[NBD_CMD_FLUSH] = { 0, 0 },
	[NBD_CMD_TRIM] = { WRITES | RANGE, 0 },
	[NBD_CMD_CACHE] = { UNKNOWN, 0 },
	[NBD_CMD_WRITE_ZEROES] = { WRITES | RANGE, NBD_CMD_FLAG_NO_HOLE },
	[NBD_CMD_BLOCK_STATUS] = { RANGE, NBD_CMD_FLAG_REQ_ONE },
};

enum nbd_error nbd_command_check(const struct nbd_command *c,
                                 const struct nbd_terms *t)
{
	const struct command_rule *rule;
	unsigned valid;

	if (c->type >= NBD_CMD_END || rules[c->type].is & UNKNOWN)
		return NBD_EINVAL;
	rule = &rules[c->type];
	valid = NBD_CMD_FLAG_FUA | rule->flags;
	if (!t->structured)
		valid &= ~NBD_CMD_FLAG_DF;
	if (c->flags & ~valid)
		return NBD_EINVAL;
	if (!(rule->is & RANGE))
		return c->offset || c->length ? NBD_EINVAL : NBD_OK;
	if (rule->is & WRITES && t->read_only)
		return NBD_EPERM;
	if (rule->is & PAYLOAD && c->length > t->length_max)
		return NBD_EINVAL;
	if (c->offset > t->size || c->length > t->size - c->offset)
		return rule->is & WRITES ? NBD_ENOSPC : NBD_EINVAL;
	if ((c->offset | c->length) & (t->grain - 1))
		return NBD_EINVAL;
	if (c->type == NBD_CMD_BLOCK_STATUS && (!t->context || !c->length))
		return NBD_EINVAL;
	return NBD_OK;
}

size_t nbd_encode_simple(uint64_t cookie, enum nbd_error error, void *out)
{
	struct nbd_simple_reply reply = {
		.magic = be32_put(NBD_SIMPLE_MAGIC),
		.error = be32_put(error),
		.cookie = be64_put(cookie),
	};

	memcpy(out, &reply, sizeof(reply));
	return sizeof(reply);
}

static struct nbd_chunk_header chunk(uint64_t cookie, enum nbd_chunk type,
                                     size_t length)
{
	return (struct nbd_chunk_header){
		.magic = be32_put(NBD_CHUNK_MAGIC),
		.flags = be16_put(NBD_CHUNK_DONE),
		.type = be16_put((uint16_t)type),
		.cookie = be64_put(cookie),
		.length = be32_put((uint32_t)length),
	};
}

size_t nbd_encode_error(uint64_t cookie, enum nbd_error error, void *out)
{
	size_t length = sizeof(struct nbd_error_chunk) -
	                sizeof(struct nbd_chunk_header);
	struct nbd_error_chunk reply = {
		.header = chunk(cookie, NBD_CHUNK_ERROR, length),
		.error = be32_put(error),
		.message_length = be16_put(0),
	};

	memcpy(out, &reply, sizeof(reply));
	return sizeof(reply);
}

size_t nbd_encode_data(uint64_t cookie, uint64_t offset, uint32_t length,
                       void *out)
{
	struct nbd_data_chunk reply = {
		.header = chunk(cookie, NBD_CHUNK_DATA, sizeof(be64) + length),
		.offset = be64_put(offset),
	};

	memcpy(out, &reply, sizeof(reply));
	return sizeof(reply);
}

size_t nbd_encode_none(uint64_t cookie, void *out)
{
	struct nbd_chunk_header reply = chunk(cookie, NBD_CHUNK_NONE, 0);

	memcpy(out, &reply, sizeof(reply));
	return sizeof(reply);
}

size_t nbd_encode_status(uint64_t cookie, uint32_t n, void *out)
{
	size_t length = sizeof(be32) + n * sizeof(struct nbd_descriptor);
	struct nbd_status_chunk reply = {
		.header = chunk(cookie, NBD_CHUNK_STATUS, length),
		.context = be32_put(NBD_CONTEXT_ID),
	};

	memcpy(out, &reply, sizeof(reply));
	return sizeof(reply);
}

/* -- errors --------------------------------------------------------------- */

static const struct {
	int err;
	enum nbd_error error;
} errors[] = {
	{ 0, NBD_OK },
	{ -EIO, NBD_EIO },
	{ -ENOSPC, NBD_ENOSPC },
	{ -EDQUOT, NBD_ENOSPC },
	{ -EFBIG, NBD_ENOSPC },
	{ -EINVAL, NBD_EINVAL },
	{ -ERANGE, NBD_EINVAL },
	{ -ENOMEM, NBD_ENOMEM },
	{ -EROFS, NBD_EPERM },
	{ -EPERM, NBD_EPERM },
	{ -EACCES, NBD_EPERM },
	{ -EOVERFLOW, NBD_EOVERFLOW },
	{ -EOPNOTSUPP, NBD_ENOTSUP },
	{ -ENXIO, NBD_ESHUTDOWN },
	{ -ESHUTDOWN, NBD_ESHUTDOWN },
	{ -ETIMEDOUT, NBD_EIO },
};

enum nbd_error nbd_error_from_errno(int err)
{
	for (size_t i = 0; i < ARRAY_LEN(errors); i++)
		if (errors[i].err == err)
			return errors[i].error;
	return NBD_EIO;
}
