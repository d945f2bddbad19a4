/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mad - any management datagram: building, answering, naming, printing.
 *
 * A `struct mad` is the 256 bytes of the wire; `struct smp`, `struct sa_mad`
 * and `struct perf_mad` overlay it.  Everything here is a pure function.
 */
#ifndef MAD_MAD_H
#define MAD_MAD_H

#include "mad/field.h"
#include "mad/mad_wire.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

static inline struct smp *mad_smp(struct mad *m)
{
	return (struct smp *)m;
}

static inline struct sa_mad *mad_sa(struct mad *m)
{
	return (struct sa_mad *)m;
}

static inline struct perf_mad *mad_perf(struct mad *m)
{
	return (struct perf_mad *)m;
}

static inline uint16_t mad_attr_id(const struct mad *m)
{
	return be16_get(m->header.attr_id);
}

static inline uint32_t mad_attr_mod(const struct mad *m)
{
	return be32_get(m->header.attr_mod);
}

/* Status without the direction bit of directed-route SMPs. */
static inline uint16_t mad_status(const struct mad *m)
{
	uint16_t s = be16_get(m->header.status);

	return m->header.mgmt_class == MAD_CLASS_SUBN_DIRECTED
	               ? (uint16_t)(s & ~MAD_STATUS_D)
	               : s;
}

/* It answers a request of ours, rather than asks something of us. */
static inline bool mad_is_response(const struct mad *m)
{
	return (m->header.method & MAD_METHOD_RESPONSE) ||
	       m->header.method == MAD_TRAP_REPRESS;
}

/*
 * All 256 bytes: zeroes but for the header's versions, class, method,
 * attribute and modifier.
 */
void mad_init(struct mad *m, enum mad_class mgmt_class, enum mad_method method,
              uint16_t attr_id, uint32_t attr_mod);

/*
 * Turn a request into its response in place: the method's answer (Get and Set
 * give GetResp, Trap gives TrapRepress, ...), `status`, the direction bit of a
 * directed-route SMP.  The data stay.
 */
void mad_make_response(struct mad *m, uint16_t status);

/*
 * Whether a request may be looked at: base and class version, a class that we
 * know.  @return MAD status: 0 or MAD_STATUS_BAD_VERSION.
 */
uint16_t mad_check(const struct mad *m);

/* Where the attribute's bytes are in this class, and how many; NULL: a class
 * that we don't know. */
const void *mad_data(const struct mad *m, size_t *length);

/* The layout of its attribute; NULL: none that we know. */
const struct field_table *mad_attribute(const struct mad *m);

/* Never NULL; "?" for what has no name. */
const char *mad_class_name(uint8_t mgmt_class);
const char *mad_method_name(uint8_t mgmt_class, uint8_t method);
const char *mad_attr_name(uint8_t mgmt_class, uint16_t attr_id);

/* Words for a status, e.g. "attribute not supported (0x000c)".  MAD_WORDS
 * bytes. */
#define MAD_WORDS 64u
const char *mad_status_words(uint8_t mgmt_class, uint16_t status, char *out);

/*
 * Header and attribute, one "name value" a line, cut to fit `n` bytes and
 * ended by NUL.  @return what it would have been, as snprintf().
 */
size_t mad_print(const struct mad *m, char *out, size_t n);

#endif /* MAD_MAD_H */
