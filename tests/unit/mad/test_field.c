/* SPDX-License-Identifier: BSD-2-Clause */
/* Properties of every attribute table; shows F1, F2, F3 of mad/field.h. */
#include "base/base.h"
#include "tables.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static uint64_t seed = 1;

static uint8_t random_byte(void)
{
	seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
	return (uint8_t)(seed >> 56);
}

static void random_bytes(uint8_t *out, size_t n)
{
	for (size_t i = 0; i < n; i++)
		out[i] = random_byte();
}

/* Which bits of the wire a table has rows for; each at most once. */
static void mark(const struct field_table *t, unsigned base, uint8_t *bits,
                 const char *name)
{
	for (unsigned i = 0; i < t->n_fields; i++) {
		const struct field *f = &t->fields[i];

		if (f->kind == FIELD_NESTED) {
			mark(f->nested, base + f->bit, bits, name);
			continue;
		}
		for (unsigned n = 0; n < f->count; n++) {
			for (unsigned b = 0; b < f->width; b++) {
				unsigned at = base + f->bit + n * f->stride + b;

				if (bits[at / 8] & 0x80 >> at % 8)
					fail_msg("%s.%s overlaps", name,
					         f->name);
				bits[at / 8] |= (uint8_t)(0x80 >> at % 8);
			}
		}
	}
}

static void test_rows_fit(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(all_tables); i++) {
		const struct field_table *t = all_tables[i];
		uint8_t bits[WIRE_MAX] = { 0 };

		assert_true(t->length <= 200 && t->size <= HOST_MAX);
		mark(t, 0, bits, t->name);
		for (unsigned b = t->length; b < WIRE_MAX; b++)
			assert_int_equal(bits[b], 0);
		for (unsigned f = 0; f < t->n_fields; f++) {
			const struct field *row = &t->fields[f];
			bool number = row->kind == FIELD_DEC ||
			              row->kind == FIELD_HEX;

			if (number)
				assert_true(row->width <= 8 * row->size);
			assert_true(row->at < t->size);
		}
	}
}

/* shows F1, F2, F3: what rows cover survives, the rest becomes zero. */
static void test_round_trip(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 100 * ARRAY_LEN(all_tables); i++) {
		const struct field_table *t =
			all_tables[i % ARRAY_LEN(all_tables)];
		uint8_t wire[WIRE_MAX], again[WIRE_MAX], bits[WIRE_MAX] = { 0 };
		uint8_t host[HOST_MAX], second[HOST_MAX];

		random_bytes(wire, sizeof(wire));
		memset(host, 0xaa, sizeof(host));
		memset(second, 0xaa, sizeof(second));
		memset(again, 0x55, sizeof(again));
		field_decode(t, wire, host);
		field_encode(t, host, again);
		field_decode(t, again, second);
		assert_memory_equal(host, second, sizeof(host));
		mark(t, 0, bits, t->name);
		for (unsigned b = 0; b < t->length; b++)
			assert_int_equal(again[b], wire[b] & bits[b]);
		for (unsigned b = t->length; b < sizeof(again); b++)
			assert_int_equal(again[b], 0x55);
		for (unsigned b = t->size; b < sizeof(host); b++)
			assert_int_equal(host[b], 0xaa);
	}
}

/* shows F2: a member's bits above the field's width are dropped. */
static void test_too_large(void **state)
{
	struct smp_port_info p = { .lmc = 0xff, .port_state = 0x14 };
	uint8_t wire[64];

	(void)state;
	field_encode(&smp_port_info_table, &p, wire);
	assert_int_equal(wire[34], 0x07);
	assert_int_equal(wire[32], 0x04);
	assert_int_equal(wire[33], 0);
	assert_int_equal(wire[35], 0);
}

static void test_print(void **state)
{
	struct sa_path_record p = { .dlid = 7,
		                    .pkey = 0xffff,
		                    .dgid = { 0xfe, 0x80, [15] = 9 } };
	struct smp_node_description d = { "a\"b\n" };
	char text[4096], little[8];
	size_t n;

	(void)state;
	n = field_print(&sa_path_record_table, &p, text, sizeof(text));
	assert_int_equal(n, strlen(text));
	assert_non_null(strstr(text, "dgid fe80::9\n"));
	assert_non_null(strstr(text, "dlid 7\n"));
	assert_non_null(strstr(text, "pkey 0xffff\n"));
	assert_int_equal(
		field_print(&sa_path_record_table, &p, little, sizeof(little)),
		n);
	assert_int_equal(strlen(little), sizeof(little) - 1);
	assert_int_equal(field_print(&sa_path_record_table, &p, NULL, 0), n);
	field_print(&smp_node_description_table, &d, text, sizeof(text));
	assert_string_equal(text, "text \"a\\x22b\\x0a\"\n");
}

static void test_find(void **state)
{
	unsigned bit, at;
	const struct field *f;

	(void)state;
	f = field_find(&sa_port_info_record_table, "info.port_state", &bit,
	               &at);
	assert_non_null(f);
	assert_int_equal(bit, 32 + 260);
	assert_int_equal(at,
	                 offsetof(struct sa_port_info_record, info.port_state));
	assert_null(field_find(&smp_node_info_table, "no_such", &bit, &at));
	assert_null(field_find(&smp_node_info_table, "n_ports.x", &bit, &at));
}

/* Each component counts if, and only if, its bit is set. */
static void test_match(void **state)
{
	static const struct {
		const struct field_table *table;
		uint8_t component;
		uint8_t byte; /* of the wire, in that component */
		uint8_t value;
	} rows[] = {
		{ &sa_node_record_table, 0, 1, 0xff },        /* LID */
		{ &sa_node_record_table, 4, 6, 0xff },        /* NodeType */
		{ &sa_node_record_table, 7, 16, 0xff },       /* NodeGUID */
		{ &sa_node_record_table, 13, 43, 0xff },      /* VendorID */
		{ &sa_node_record_table, 14, 44, 'x' },       /* NodeString */
		{ &sa_port_info_record_table, 15, 36, 0x01 }, /* PortState */
		{ &sa_port_info_record_table, 42, 54, 0xff }, /* GUIDCap */
		{ &sa_port_info_record_table, 54, 66, 0x10 }, /* ExtActive */
		{ &sa_path_record_table, 4, 40, 0xff },       /* DLID */
		{ &sa_path_record_table, 13, 51, 0xff },      /* P_Key */
		{ &sa_path_record_table, 21, 56, 0x20 },      /* Life */
		{ &sa_mc_member_record_table, 3, 36, 0xff },  /* MLID */
		{ &sa_mc_member_record_table, 16, 48, 0x01 }, /* JoinState */
		{ &sa_guid_info_record_table, 5, 16, 0xff },  /* GUID 1 */
		{ &sa_service_record_table, 36, 168, 0xff },  /* Data64.2 */
		{ &sa_link_record_table, 3, 4, 0xff },        /* ToLID */
		{ &sa_inform_info_record_table, 15, 57, 0xff } /* Producer */,
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		const struct field_table *t = rows[i].table;
		uint64_t bit = UINT64_C(1) << rows[i].component;
		uint8_t wire[WIRE_MAX] = { 0 }, a[HOST_MAX], b[HOST_MAX];

		field_decode(t, wire, a);
		wire[rows[i].byte] = rows[i].value;
		field_decode(t, wire, b);
		assert_true(field_match(t, 0, a, b));
		assert_true(field_match(t, ~bit, a, b));
		assert_false(field_match(t, bit, a, b));
		assert_true(field_match(t, UINT64_MAX, a, a));
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows_fit),
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_too_large),
		cmocka_unit_test(test_print),
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_match),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
