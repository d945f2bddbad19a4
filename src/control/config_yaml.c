/* SPDX-License-Identifier: BSD-2-Clause */
#include "control/config_yaml.h"

#include "base/base.h"

#include <errno.h>
#include <json-c/json.h>
#include <limits.h>
#include <string.h>
#include <yaml.h>

/* One open mapping or sequence. */
struct level {
	struct json_object *value;
	char *key; /* of a mapping, whose value comes next; else NULL */
	unsigned key_line;
};

struct loader {
	yaml_parser_t parser;
	struct level levels[CONFIG_YAML_DEPTH_MAX];
	unsigned depth;
	unsigned values;
	struct json_object *root;
	struct err *e;
};

static unsigned line_of(const yaml_event_t *event)
{
	return (unsigned)event->start_mark.line + 1;
}

unsigned config_yaml_line(struct json_object *value)
{
	return value ? (unsigned)(uintptr_t)json_object_get_userdata(value) : 0;
}

static void set_line(struct json_object *value, unsigned line)
{
	json_object_set_userdata(value, (void *)(uintptr_t)line, NULL);
}

/* Put a value where the document is just now; takes it. */
static int place(struct loader *l, struct json_object *value, unsigned line)
{
	struct level *at = l->depth ? &l->levels[l->depth - 1] : NULL;
	int err = 0;

	if (!value)
		return err_set(l->e, -ENOMEM, "out of memory");
	if (at && at->key)
		line = at->key_line;
	set_line(value, line);
	if (++l->values > CONFIG_YAML_VALUES_MAX) {
		json_object_put(value);
		return err_set(l->e, -EBADMSG, "line %u: more than %u values",
		               line, CONFIG_YAML_VALUES_MAX);
	}
	if (!at) {
		l->root = value;
		return 0;
	}
	if (at->key)
		err = json_object_object_add(at->value, at->key, value);
	else
		err = json_object_array_add(at->value, value);
	free(at->key);
	at->key = NULL;
	if (err) {
		json_object_put(value);
		return err_set(l->e, -ENOMEM, "out of memory");
	}
	return 0;
}

static bool awaits_key(const struct loader *l)
{
	const struct level *at = l->depth ? &l->levels[l->depth - 1] : NULL;

	return at && !at->key &&
	       json_object_is_type(at->value, json_type_object);
}

static int take_key(struct loader *l, const yaml_event_t *event)
{
	struct level *at = &l->levels[l->depth - 1];
	const char *key = (const char *)event->data.scalar.value;

	if (strlen(key) != event->data.scalar.length || !*key)
		return err_set(l->e, -EBADMSG, "line %u: a strange key",
		               line_of(event));
	if (json_object_object_get_ex(at->value, key, NULL))
		return err_set(l->e, -EBADMSG, "line %u: '%.40s' is repeated",
		               line_of(event), key);
	at->key = strdup(key);
	at->key_line = line_of(event);
	return at->key ? 0 : err_set(l->e, -ENOMEM, "out of memory");
}

/* A plain scalar of digits, perhaps with a minus. */
static struct json_object *integer(const char *text)
{
	const char *digits = text + (text[0] == '-');
	unsigned long long u;
	long long i;

	if (!*digits || digits[strspn(digits, "0123456789")])
		return NULL;
	errno = 0;
	if (text[0] == '-') {
		i = strtoll(text, NULL, 10);
		return errno ? NULL : json_object_new_int64(i);
	}
	u = strtoull(text, NULL, 10);
	return errno ? NULL : json_object_new_uint64(u);
}

static int take_scalar(struct loader *l, const yaml_event_t *event)
{
	const char *text = (const char *)event->data.scalar.value;
	size_t n = event->data.scalar.length;
	bool plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
	struct json_object *value = NULL;

	if (awaits_key(l))
		return take_key(l, event);
	if (n > INT_MAX)
		return err_set(l->e, -EBADMSG, "line %u: too long",
		               line_of(event));
	if (plain && n == 0)
		return err_set(l->e, -EBADMSG,
		               "line %u: a value is missing; an empty one is "
		               "written \"\"",
		               line_of(event));
	if (plain && (strcmp(text, "true") == 0 || strcmp(text, "false") == 0))
		value = json_object_new_boolean(text[0] == 't');
	else if (plain)
		value = integer(text);
	if (!value)
		value = json_object_new_string_len(text, (int)n);
	return place(l, value, line_of(event));
}

static int open_level(struct loader *l, const yaml_event_t *event,
                      struct json_object *value)
{
	int err;

	if (awaits_key(l) || l->depth == CONFIG_YAML_DEPTH_MAX) {
		json_object_put(value);
		return err_set(l->e, -EBADMSG, "line %u: %s", line_of(event),
		               awaits_key(l) ? "a key must be a word"
		                             : "nested too deep");
	}
	err = place(l, value, line_of(event));
	if (!err)
		l->levels[l->depth++] = (struct level){ .value = value };
	return err;
}

static int refuse(struct loader *l, const yaml_event_t *event, const char *what)
{
	return err_set(l->e, -EBADMSG, "line %u: %s are not supported",
	               line_of(event), what);
}

/* @return 1 at the end of the stream, 0, or an error. */
static int take_event(struct loader *l, const yaml_event_t *event)
{
	switch (event->type) {
	case YAML_STREAM_END_EVENT:
		return 1;
	case YAML_DOCUMENT_START_EVENT:
		return l->root ? refuse(l, event, "several documents") : 0;
	case YAML_ALIAS_EVENT:
		return refuse(l, event, "aliases");
	case YAML_SCALAR_EVENT:
		if (event->data.scalar.anchor || event->data.scalar.tag)
			return refuse(l, event, "anchors and tags");
		return take_scalar(l, event);
	case YAML_SEQUENCE_START_EVENT:
		if (event->data.sequence_start.anchor ||
		    event->data.sequence_start.tag)
			return refuse(l, event, "anchors and tags");
		return open_level(l, event, json_object_new_array());
	case YAML_MAPPING_START_EVENT:
		if (event->data.mapping_start.anchor ||
		    event->data.mapping_start.tag)
			return refuse(l, event, "anchors and tags");
		return open_level(l, event, json_object_new_object());
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		l->depth--;
		return 0;
	case YAML_NO_EVENT:
	case YAML_STREAM_START_EVENT:
	case YAML_DOCUMENT_END_EVENT:
		break;
	}
	return 0;
}

static int run(struct loader *l)
{
	yaml_event_t event;
	int got = 0;

	while (got == 0) {
		if (!yaml_parser_parse(&l->parser, &event))
			return err_set(l->e, -EBADMSG, "line %zu: %s",
			               l->parser.problem_mark.line + 1,
			               l->parser.problem ? l->parser.problem
			                                 : "not valid YAML");
		got = take_event(l, &event);
		yaml_event_delete(&event);
	}
	return got < 0 ? got : 0;
}

int config_yaml_load(const char *text, size_t n, struct json_object **out,
                     struct err *e)
{
	struct err why = { 0 };
	struct loader l = { .e = &why };
	int err;

	if (n > CONFIG_YAML_SIZE_MAX)
		return err_set(e, -EBADMSG, "line 1: the file is over %u bytes",
		               CONFIG_YAML_SIZE_MAX);
	if (!yaml_parser_initialize(&l.parser))
		return err_set(e, -ENOMEM, "out of memory");
	yaml_parser_set_input_string(&l.parser, (const unsigned char *)text, n);
	err = run(&l);
	yaml_parser_delete(&l.parser);
	while (l.depth)
		free(l.levels[--l.depth].key);
	if (!err && !l.root)
		l.root = json_object_new_object();
	if (err) {
		json_object_put(l.root);
		return err_set(e, err, "%s", why.text);
	}
	*out = l.root;
	return 0;
}
