/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mad/field - attributes as tables.
 *
 * One row says where a field is on the wire, where it is in the C struct, how
 * it prints, and which bit of an SA component mask selects it.  Decoding,
 * encoding, printing and matching read the same rows, so they can't disagree.
 *
 *   F1  decoding reads t->length bytes and writes t->size bytes, whatever the
 *       bytes are; every value fits its member;
 *   F2  encoding writes t->length bytes; what no row covers is zero; bits of
 *       a member above the field's width are dropped;
 *   F3  decode(encode(x)) == x for every x whose members fit their fields.
 *
 * A row can stand for an array (`count` elements, `stride` bits apart) and
 * for a whole attribute inside a record (`nested`).
 */
#ifndef MAD_FIELD_H
#define MAD_FIELD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum field_kind {
	FIELD_DEC,   /* unsigned, up to 64 bits, printed in decimal */
	FIELD_HEX,   /* the same, printed as 0x... with all its digits */
	FIELD_BYTES, /* whole bytes, copied, printed as hexadecimal digits */
	FIELD_GID,   /* 16 bytes, printed as an IPv6 address */
	FIELD_TEXT,  /* bytes, printed up to the first NUL */
	FIELD_NESTED,
};

/* `component` of a row that no SA component mask selects. */
#define FIELD_NO_COMPONENT 255

struct field_table;

struct field {
	const char *name;  /* snake_case */
	uint16_t bit;      /* of the first element's most significant bit */
	uint16_t width;    /* bits of an element */
	uint16_t count;    /* elements; 1 where it is no array */
	uint16_t stride;   /* bits from one element to the next */
	uint16_t at;       /* offset in the C struct */
	uint8_t size;      /* bytes of an element there; 0: copied as bytes */
	uint8_t kind;      /* enum field_kind */
	uint8_t component; /* nested: added to each row's own */
	const struct field_table *nested;
};

struct field_table {
	const char *name;
	uint16_t length; /* bytes on the wire */
	uint16_t size;   /* bytes of the C struct */
	uint16_t n_fields;
	const struct field *fields;
};

void field_decode(const struct field_table *t, const void *wire, void *out);
void field_encode(const struct field_table *t, const void *in, void *wire);

/*
 * One "name value" a line, cut to fit `n` bytes and ended by NUL.
 * @return what it would have been, as snprintf().
 */
size_t field_print(const struct field_table *t, const void *in, char *out,
                   size_t n);

/*
 * Whether `a` and `b` agree in every field whose component is set in `mask`;
 * components without a row agree.
 */
bool field_match(const struct field_table *t, uint64_t mask, const void *a,
                 const void *b);

/*
 * The row called `name` ("port_state"; "info.port_state" in a record), or
 * NULL; *bit and *at are then counted from the record's start.  For tests and
 * for printing one field.
 */
const struct field *field_find(const struct field_table *t, const char *name,
                               unsigned *bit, unsigned *at);

#endif /* MAD_FIELD_H */
