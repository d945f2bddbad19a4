/* SPDX-License-Identifier: BSD-2-Clause */
#include "fabric/address.h"

#include "base/base.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

static const char *const schemes[] = {
	[FABRIC_TCP] = "tcp",
	[FABRIC_TLS] = "tls",
	[FABRIC_VERBS] = "verbs",
	[FABRIC_SIM] = "sim",
};

static const uint8_t v4_mapped[12] = { [10] = 0xff, [11] = 0xff };

static int not_one(const char *text, struct err *e)
{
	return err_set(e, -EINVAL,
	               "\"%.100s\" is not an address; write HOST:PORT or "
	               "tcp:, tls: or verbs:HOST:PORT with a numeric HOST",
	               text);
}

/* Steps over "SCHEME:"; without one it is TCP. */
static enum fabric_scheme take_scheme(const char **text)
{
	for (enum fabric_scheme s = FABRIC_TCP; s < ARRAY_LEN(schemes); s++) {
		size_t n = strlen(schemes[s]);

		if (strncmp(*text, schemes[s], n) == 0 && (*text)[n] == ':') {
			*text += n + 1;
			return s;
		}
	}
	return FABRIC_TCP;
}

static bool parse_number(const char *text, uint32_t max, uint32_t *out)
{
	uint64_t value = 0;

	if (!*text)
		return false;
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return false;
		value = value * 10 + (uint64_t)(*text - '0');
		if (value > max)
			return false;
	}
	*out = (uint32_t)value;
	return true;
}

static bool parse_host(const char *host, bool brackets,
                       struct fabric_address *a)
{
	static const uint8_t zeroes[16];

	if (!*host || (!brackets && strcmp(host, "*") == 0)) {
		a->v6 = brackets;
		a->any = true;
		return true;
	}
	if (brackets) {
		if (inet_pton(AF_INET6, host, a->ip) != 1)
			return false;
		a->v6 = true;
		a->any = memcmp(a->ip, zeroes, 16) == 0;
		return true;
	}
	if (strcmp(host, "localhost") == 0)
		host = "127.0.0.1";
	if (inet_pton(AF_INET, host, a->ip + 12) != 1)
		return false;
	a->any = memcmp(a->ip + 12, zeroes, 4) == 0;
	if (!a->any)
		memcpy(a->ip, v4_mapped, sizeof(v4_mapped));
	return true;
}

/* "HOST:PORT" or "[HOST]:PORT". */
static bool parse_host_port(const char *text, struct fabric_address *a)
{
	bool brackets = *text == '[';
	const char *end = brackets ? strchr(text, ']') : strrchr(text, ':');
	char host[INET6_ADDRSTRLEN];
	uint32_t port;
	size_t n;

	text += brackets;
	if (!end || (brackets && end[1] != ':'))
		return false;
	n = (size_t)(end - text);
	if (n >= sizeof(host) ||
	    !parse_number(end + 1 + brackets, 65535, &port))
		return false;
	memcpy(host, text, n);
	host[n] = '\0';
	a->port = (uint16_t)port;
	return parse_host(host, brackets, a);
}

int address_parse(const char *text, struct fabric_address *out, struct err *e)
{
	struct fabric_address a = { 0 };
	const char *rest = text;
	uint32_t number;

	a.scheme = take_scheme(&rest);
	if (a.scheme == FABRIC_SIM) {
		if (!parse_number(rest, UINT32_MAX, &number))
			return not_one(text, e);
		number = htobe32(number);
		memcpy(a.ip + 12, &number, sizeof(number));
	} else if (!parse_host_port(rest, &a)) {
		return not_one(text, e);
	}
	*out = a;
	return 0;
}

static bool is_v4(const struct fabric_address *a)
{
	return a->any ? !a->v6
	              : memcmp(a->ip, v4_mapped, sizeof(v4_mapped)) == 0;
}

const char *address_format(const struct fabric_address *a,
                           char out[FABRIC_ADDRESS_TEXT])
{
	const char *scheme = a->scheme >= FABRIC_TCP && a->scheme <= FABRIC_SIM
	                             ? schemes[a->scheme]
	                             : "unknown";
	char ip[INET6_ADDRSTRLEN] = "*";
	uint32_t number;

	memcpy(&number, a->ip + 12, sizeof(number));
	if (a->scheme == FABRIC_SIM)
		snprintf(out, FABRIC_ADDRESS_TEXT, "sim:%u", be32toh(number));
	else if (is_v4(a))
		snprintf(
			out, FABRIC_ADDRESS_TEXT, "%s:%s:%u", scheme,
			a->any ? ip
			       : inet_ntop(AF_INET, a->ip + 12, ip, sizeof(ip)),
			a->port);
	else
		snprintf(out, FABRIC_ADDRESS_TEXT, "%s:[%s]:%u", scheme,
		         inet_ntop(AF_INET6, a->ip, ip, sizeof(ip)), a->port);
	return out;
}

bool address_equal(const struct fabric_address *a,
                   const struct fabric_address *b)
{
	return a->scheme == b->scheme && a->port == b->port &&
	       a->any == b->any && is_v4(a) == is_v4(b) &&
	       memcmp(a->ip, b->ip, sizeof(a->ip)) == 0;
}

socklen_t address_to_socket(const struct fabric_address *a,
                            struct sockaddr_storage *out)
{
	struct sockaddr_in *in4 = (struct sockaddr_in *)out;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)out;

	memset(out, 0, sizeof(*out));
	if (is_v4(a)) {
		in4->sin_family = AF_INET;
		in4->sin_port = htons(a->port);
		memcpy(&in4->sin_addr, a->ip + 12, 4);
		return sizeof(*in4);
	}
	in6->sin6_family = AF_INET6;
	in6->sin6_port = htons(a->port);
	memcpy(&in6->sin6_addr, a->ip, 16);
	return sizeof(*in6);
}

int address_from_socket(const struct sockaddr_storage *from,
                        struct fabric_address *a)
{
	const struct sockaddr_in *in4 = (const struct sockaddr_in *)from;
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)from;

	if (from->ss_family == AF_INET) {
		a->port = ntohs(in4->sin_port);
		memcpy(a->ip, v4_mapped, sizeof(v4_mapped));
		memcpy(a->ip + 12, &in4->sin_addr, 4);
		a->any = in4->sin_addr.s_addr == 0;
		if (a->any)
			memset(a->ip, 0, sizeof(a->ip));
		a->v6 = false;
		return 0;
	}
	if (from->ss_family != AF_INET6)
		return -EAFNOSUPPORT;
	a->port = ntohs(in6->sin6_port);
	memcpy(a->ip, &in6->sin6_addr, 16);
	a->any = memcmp(a->ip, &in6addr_any, 16) == 0;
	a->v6 = true;
	return 0;
}
