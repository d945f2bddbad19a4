/* SPDX-License-Identifier: BSD-2-Clause */
#include "mad/field.h"

#include "base/wire.h"

#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>

/* -- numbers: bits on the wire, an unsigned integer in the struct --------- */

static uint64_t load_bits(const uint8_t *wire, unsigned bit, unsigned width)
{
	uint64_t value = 0;
	unsigned end = bit + width;

	while (bit < end) {
		unsigned room = 8 - bit % 8;
		unsigned take = end - bit < room ? end - bit : room;
		unsigned byte = (unsigned)wire[bit / 8] >> (room - take);

		value = value << take | (byte & ((1u << take) - 1));
		bit += take;
	}
	return value;
}

static void store_bits(uint8_t *wire, unsigned bit, unsigned width,
                       uint64_t value)
{
	while (width) {
		unsigned room = 8 - bit % 8;
		unsigned take = width < room ? width : room;
		unsigned mask = ((1u << take) - 1) << (room - take);
		unsigned part = (unsigned)(value >> (width - take))
		                << (room - take);

		wire[bit / 8] =
			(uint8_t)((wire[bit / 8] & ~mask) | (part & mask));
		bit += take;
		width -= take;
	}
}

static uint64_t load_wire(const uint8_t *wire, unsigned bit, unsigned width)
{
	const uint8_t *at = wire + bit / 8;

	if (bit % 8 == 0) {
		switch (width) {
		case 8:
			return *at;
		case 16:
			return be16_get(*(const be16 *)at);
		case 32:
			return be32_get(*(const be32 *)at);
		case 64:
			return be64_get(*(const be64 *)at);
		default:
			break;
		}
	}
	return load_bits(wire, bit, width);
}

static void store_wire(uint8_t *wire, unsigned bit, unsigned width,
                       uint64_t value)
{
	uint8_t *at = wire + bit / 8;

	if (bit % 8 == 0) {
		switch (width) {
		case 8:
			*at = (uint8_t)value;
			return;
		case 16:
			*(be16 *)at = be16_put((uint16_t)value);
			return;
		case 32:
			*(be32 *)at = be32_put((uint32_t)value);
			return;
		case 64:
			*(be64 *)at = be64_put(value);
			return;
		default:
			break;
		}
	}
	store_bits(wire, bit, width, value);
}

static uint64_t load_member(const uint8_t *at, unsigned size)
{
	uint16_t half;
	uint32_t word;
	uint64_t full;

	switch (size) {
	case 1:
		return *at;
	case 2:
		memcpy(&half, at, sizeof(half));
		return half;
	case 4:
		memcpy(&word, at, sizeof(word));
		return word;
	default:
		assert(size == 8);
		memcpy(&full, at, sizeof(full));
		return full;
	}
}

static void store_member(uint8_t *at, unsigned size, uint64_t value)
{
	uint16_t half = (uint16_t)value;
	uint32_t word = (uint32_t)value;

	switch (size) {
	case 1:
		*at = (uint8_t)value;
		break;
	case 2:
		memcpy(at, &half, sizeof(half));
		break;
	case 4:
		memcpy(at, &word, sizeof(word));
		break;
	default:
		assert(size == 8);
		memcpy(at, &value, sizeof(value));
	}
}

/* -- rows ------------------------------------------------------------------ */

static bool is_number(const struct field *f)
{
	return f->kind == FIELD_DEC || f->kind == FIELD_HEX;
}

/* Bytes of one element in the C struct. */
static unsigned member_size(const struct field *f)
{
	return is_number(f) ? f->size : f->width / 8u;
}

void field_decode(const struct field_table *t, const void *wire, void *out)
{
	for (unsigned i = 0; i < t->n_fields; i++) {
		const struct field *f = &t->fields[i];
		uint8_t *at = (uint8_t *)out + f->at;
		const uint8_t *from = (const uint8_t *)wire + f->bit / 8;

		if (f->kind == FIELD_NESTED) {
			field_decode(f->nested, from, at);
			continue;
		}
		if (!is_number(f)) {
			memcpy(at, from, (size_t)f->count * f->width / 8);
			continue;
		}
		for (unsigned n = 0; n < f->count; n++)
			store_member(at + n * f->size, f->size,
			             load_wire(wire, f->bit + n * f->stride,
			                       f->width));
	}
}

static void encode_rows(const struct field_table *t, const void *in,
                        uint8_t *wire)
{
	for (unsigned i = 0; i < t->n_fields; i++) {
		const struct field *f = &t->fields[i];
		const uint8_t *at = (const uint8_t *)in + f->at;
		uint8_t *to = wire + f->bit / 8;

		if (f->kind == FIELD_NESTED) {
			encode_rows(f->nested, at, to);
			continue;
		}
		if (!is_number(f)) {
			memcpy(to, at, (size_t)f->count * f->width / 8);
			continue;
		}
		for (unsigned n = 0; n < f->count; n++)
			store_wire(wire, f->bit + n * f->stride, f->width,
			           load_member(at + n * f->size, f->size));
	}
}

void field_encode(const struct field_table *t, const void *in, void *wire)
{
	memset(wire, 0, t->length);
	encode_rows(t, in, wire);
}

static bool match_rows(const struct field_table *t, unsigned base,
                       uint64_t mask, const uint8_t *a, const uint8_t *b)
{
	for (unsigned i = 0; i < t->n_fields; i++) {
		const struct field *f = &t->fields[i];
		unsigned component = base + f->component;
		size_t element = member_size(f);

		if (f->component == FIELD_NO_COMPONENT)
			continue;
		if (f->kind == FIELD_NESTED) {
			if (!match_rows(f->nested, component, mask, a + f->at,
			                b + f->at))
				return false;
			continue;
		}
		/* Each element of an array has a component of its own. */
		for (unsigned n = 0; n < f->count; n++)
			if (component + n < 64 &&
			    (mask >> (component + n) & 1) &&
			    memcmp(a + f->at + n * element,
			           b + f->at + n * element, element) != 0)
				return false;
	}
	return true;
}

bool field_match(const struct field_table *t, uint64_t mask, const void *a,
                 const void *b)
{
	return match_rows(t, 0, mask, a, b);
}

/* -- words ----------------------------------------------------------------- */

struct text {
	char *out;
	size_t room;
	size_t used; /* what it would be without a limit */
};

__attribute__((format(printf, 2, 3))) static void put(struct text *x,
                                                      const char *fmt, ...)
{
	size_t left = x->used < x->room ? x->room - x->used : 0;
	va_list args;
	int n;

	va_start(args, fmt);
	n = vsnprintf(left ? x->out + x->used : NULL, left, fmt, args);
	va_end(args);
	if (n > 0)
		x->used += (size_t)n;
}

static void put_text(struct text *x, const uint8_t *at, unsigned length)
{
	put(x, " \"");
	for (unsigned i = 0; i < length && at[i]; i++) {
		if (at[i] < 0x20 || at[i] == '"' || at[i] == '\\' ||
		    at[i] == 0x7f)
			put(x, "\\x%02x", at[i]);
		else
			put(x, "%c", at[i]);
	}
	put(x, "\"");
}

static void put_element(struct text *x, const struct field *f,
                        const uint8_t *at)
{
	char address[INET6_ADDRSTRLEN];

	switch ((enum field_kind)f->kind) {
	case FIELD_DEC:
		put(x, " %ju", (uintmax_t)load_member(at, f->size));
		break;
	case FIELD_HEX:
		put(x, " 0x%0*jx", (f->width + 3) / 4,
		    (uintmax_t)load_member(at, f->size));
		break;
	case FIELD_GID:
		inet_ntop(AF_INET6, at, address, sizeof(address));
		put(x, " %s", address);
		break;
	case FIELD_TEXT:
		put_text(x, at, f->width / 8u);
		break;
	case FIELD_BYTES:
		put(x, " ");
		for (unsigned i = 0; i < f->width / 8u; i++)
			put(x, "%02x", at[i]);
		break;
	case FIELD_NESTED:
		break;
	}
}

static void put_rows(struct text *x, const struct field_table *t,
                     const uint8_t *in)
{
	for (unsigned i = 0; i < t->n_fields; i++) {
		const struct field *f = &t->fields[i];

		if (f->kind == FIELD_NESTED) {
			put_rows(x, f->nested, in + f->at);
			continue;
		}
		put(x, "%s", f->name);
		for (unsigned n = 0; n < f->count; n++)
			put_element(x, f, in + f->at + n * member_size(f));
		put(x, "\n");
	}
}

size_t field_print(const struct field_table *t, const void *in, char *out,
                   size_t n)
{
	struct text x = { out, n, 0 };

	if (n)
		out[0] = 0;
	put_rows(&x, t, in);
	return x.used;
}

const struct field *field_find(const struct field_table *t, const char *name,
                               unsigned *bit, unsigned *at)
{
	const char *dot = strchr(name, '.');
	size_t length = dot ? (size_t)(dot - name) : strlen(name);

	for (unsigned i = 0; i < t->n_fields; i++) {
		const struct field *f = &t->fields[i], *inner = f;
		unsigned sub_bit = 0, sub_at = 0;

		if (strlen(f->name) != length ||
		    memcmp(f->name, name, length) != 0)
			continue;
		if (dot) {
			if (f->kind != FIELD_NESTED)
				return NULL;
			inner = field_find(f->nested, dot + 1, &sub_bit,
			                   &sub_at);
			if (!inner)
				return NULL;
			*bit = f->bit + sub_bit;
			*at = f->at + sub_at;
			return inner;
		}
		*bit = f->bit;
		*at = f->at;
		return f;
	}
	return NULL;
}
