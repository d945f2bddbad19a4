/* SPDX-License-Identifier: BSD-2-Clause */
#include "control/methods.h"

#include "base/base.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

static bool name_valid(const char *text)
{
	return base_is_name(text, strlen(text));
}

const struct rpc_syntax methods_name_syntax = {
	.words = "1 to 63 letters, digits, '_', '.' or '-', the first a letter "
		 "or digit",
	.valid = name_valid,
};

int methods_split_volume(const char *text, char pool[METHODS_NAME_MAX + 1],
                         char volume[METHODS_NAME_MAX + 1])
{
	const char *slash = strchr(text, '/');
	size_t n;

	if (!slash || !base_is_name(text, (size_t)(slash - text)) ||
	    !name_valid(slash + 1))
		return -EINVAL;
	n = (size_t)(slash - text);
	memcpy(pool, text, n);
	pool[n] = '\0';
	memcpy(volume, slash + 1, strlen(slash + 1) + 1);
	return 0;
}

static bool volume_valid(const char *text)
{
	char pool[METHODS_NAME_MAX + 1], volume[METHODS_NAME_MAX + 1];

	return methods_split_volume(text, pool, volume) == 0;
}

const struct rpc_syntax methods_volume_syntax = {
	.words = "POOL/VOLUME, as in tank/vm1",
	.valid = volume_valid,
};

static bool is_port(const char *text)
{
	uint32_t n = 0;

	if (!*text)
		return false;
	for (; *text; text++) {
		if (!isdigit((unsigned char)*text))
			return false;
		n = n * 10 + (uint32_t)(*text - '0');
		if (n > UINT16_MAX)
			return false;
	}
	return true;
}

static bool is_host(const char *text, size_t n, bool bracketed)
{
	const char *more = bracketed ? ":.%" : ".-_";

	if (n == 0 || n > 255)
		return false;
	for (size_t i = 0; i < n; i++)
		if (!isalnum((unsigned char)text[i]) &&
		    !(text[i] && strchr(more, text[i])))
			return false;
	return true;
}

/* ADDR:PORT or [ADDR]:PORT; whether there is such an address is for the one
 * who listens there to say. */
static bool tcp_valid(const char *text)
{
	bool bracketed = text[0] == '[';
	const char *start = bracketed ? text + 1 : text;
	const char *end = strchr(start, bracketed ? ']' : ':');
	const char *colon = end && bracketed ? end + 1 : end;

	return end && *colon == ':' &&
	       is_host(start, (size_t)(end - start), bracketed) &&
	       is_port(colon + 1);
}

const struct rpc_syntax methods_tcp_syntax = {
	.words = "ADDRESS:PORT, as in 127.0.0.1:10809 or [::1]:10809",
	.valid = tcp_valid,
};

static bool link_valid(const char *text)
{
	static const char *const schemes[] = { "tcp:", "tls:", "verbs:" };

	if (strlen(text) > METHODS_LINK_MAX)
		return false;
	for (size_t i = 0; i < ARRAY_LEN(schemes); i++)
		if (strncmp(text, schemes[i], strlen(schemes[i])) == 0) {
			text += strlen(schemes[i]);
			break;
		}
	return tcp_valid(text) ||
	       (text[0] == '*' && text[1] == ':' && is_port(text + 2));
}

const struct rpc_syntax methods_link_syntax = {
	.words = "ADDRESS:PORT, tls:ADDRESS:PORT or verbs:ADDRESS:PORT, as in "
		 "192.0.2.1:7000",
	.valid = link_valid,
};

static bool path_valid(const char *text)
{
	return text[0] == '/' && text[1];
}

const struct rpc_syntax methods_path_syntax = {
	.words = "an absolute path, as in /run/causeway/vm1.sock",
	.valid = path_valid,
};

const char *const methods_rights[] = { "ro", "wo", "rw", NULL };

int methods_split_allow(const char *text, char node[METHODS_NAME_MAX + 1],
                        unsigned *rights)
{
	const char *colon = strchr(text, ':');

	if (!colon || !base_is_name(text, (size_t)(colon - text)))
		return -EINVAL;
	for (unsigned i = 0; methods_rights[i]; i++)
		if (strcmp(colon + 1, methods_rights[i]) == 0) {
			memcpy(node, text, (size_t)(colon - text));
			node[colon - text] = '\0';
			*rights = i;
			return 0;
		}
	return -EINVAL;
}

static bool allow_valid(const char *text)
{
	char node[METHODS_NAME_MAX + 1];
	unsigned rights;

	return methods_split_allow(text, node, &rights) == 0;
}

const struct rpc_syntax methods_allow_syntax = {
	.words = "NODE:ro, NODE:wo or NODE:rw",
	.valid = allow_valid,
};
