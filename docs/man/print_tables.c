/* SPDX-License-Identifier: BSD-2-Clause */
/* Print the tables of calls and of the configuration as JSON, for
 * make_man.py. */
#include "control/config.h"

#include <json-c/json.h>
#include <stdio.h>

static void add_methods(struct json_object *list, const struct rpc_method *m,
                        size_t n)
{
	for (size_t i = 0; i < n; i++)
		json_object_array_add(list, rpc_method_json(&m[i]));
}

int main(void)
{
	const struct rpc_method file = {
		.name = "config",
		.doc = "the whole file",
		.params = config_rows,
		.n_params = config_rows_count,
	};
	struct json_object *all = json_object_new_object();
	struct json_object *methods = json_object_new_array();
	struct json_object *sections = json_object_new_object();

	add_methods(methods, methods_fast, methods_fast_count);
	add_methods(methods, methods_slow, methods_slow_count);
	add_methods(methods, methods_subnet, methods_subnet_count);
	for (size_t i = 0; i < config_sections_count; i++)
		json_object_object_add(
			sections, config_sections[i].section,
			json_object_new_string(config_sections[i].method));
	json_object_object_add(all, "methods", methods);
	json_object_object_add(all, "sections", sections);
	json_object_object_add(all, "config", rpc_method_json(&file));
	puts(json_object_to_json_string(all));
	json_object_put(all);
	return 0;
}
