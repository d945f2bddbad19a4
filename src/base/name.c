/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/base.h"

#include <string.h>

static const char first_letters[] = "abcdefghijklmnopqrstuvwxyz"
				    "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789";

static bool is_first(char c)
{
	return c && strchr(first_letters, c);
}

bool base_is_name(const char *text, size_t length)
{
	if (length == 0 || length > BASE_NAME_MAX || !is_first(text[0]))
		return false;
	for (size_t i = 1; i < length; i++)
		if (!is_first(text[i]) && !(text[i] && strchr("_.-", text[i])))
			return false;
	return true;
}
