#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Write a manual page from the tables of the programs.

    make_man.py causeway.1        CAUSEWAY      OUT
    make_man.py causeway-rpc.7    PRINT_TABLES  OUT
    make_man.py causeway.yaml.5   PRINT_TABLES  OUT

CAUSEWAY and PRINT_TABLES are programs; what they print is the page's matter.
"""
import json
import subprocess
import sys

DATE = "November 22, 2026"
EXITS = [
    (0, "Done."),
    (1, "It failed, or the daemon could not be reached."),
    (2, "The command line or a value in it is wrong."),
    (3, "Something that it names does not exist."),
    (4, "The node works, but is degraded."),
    (5, "Denied."),
    (6, "A pool, a table or a file system is full."),
    (75, "Not just now; the same command may work a little later."),
]


def esc(text):
    """Text in which roff sees nothing of its own."""
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return "\\&" + text if text[:1] in (".", "'") else text


def head(name, section, brief):
    return [f".Dd {DATE}", f".Dt {name.upper()} {section}", ".Os Causeway",
            ".Sh NAME", f".Nm {name}", f".Nd {esc(brief)}"]


def line(*words):
    """A macro line: each word quoted as mdoc wants it."""
    return " ".join(words)


def quoted(text):
    return '"' + esc(text).replace('"', '\\(dq') + '"'


def option_item(o):
    item = f".It Fl \\-{esc(o['name'])}"
    if "value" in o:
        item += f" Ar {esc(o['value'])}"
    return [item, esc(o["doc"]) + "."]


def listing(text):
    return [".Bd -literal -offset indent", *map(esc, text.split("\n")), ".Ed"]


def causeway_1(data):
    out = head("causeway", 1, "use another machine's memory, disks and "
               "devices")
    out += [".Sh SYNOPSIS", ".Nm", ".Op Fl \\-json",
            ".Op Fl \\-socket Ar PATH", ".Ar COMMAND", ".Sh DESCRIPTION",
            "Asks the daemon",
            ".Xr causewayd 8", "over its control socket.",
            "What a command accepted is durable when it returns.",
            "An error says what failed, why, and what helps.",
            "Sizes may be written 512, 64k, 10G or 1T: powers of 1024.",
            ".Pp", "These options may stand anywhere:",
            ".Bl -tag -width Ds"]
    for o in data["options"]:
        out += option_item(o)
    out += [".El", ".Sh COMMANDS", ".Bl -tag -width Ds"]
    for c in data["commands"]:
        out += [f".It Xo Ic {quoted(c['path'])}"]
        if c["args"]:
            out += [f".Li {quoted(c['args'])}"]
        out += [".Xc", esc(c["brief"][0].upper() + c["brief"][1:]) + "."]
        if c["options"]:
            out += [".Bl -tag -width Ds"]
            for o in c["options"]:
                out += option_item(o)
            out += [".El"]
    out += [".El", ".Sh ENVIRONMENT", ".Bl -tag -width Ds",
            ".It Ev CAUSEWAY_SOCKET", "Control socket, where",
            ".Fl \\-socket", "is not given.",
            ".It Ev CAUSEWAY_WINDOW_SOCKET",
            "Where window cat, put and cp reach the node; else window.sock",
            "beside the control socket.", ".El", ".Sh EXIT STATUS",
            ".Bl -tag -width Ds"]
    for code, words in EXITS:
        out += [f".It {code}", words]
    out += [".El", ".Sh EXAMPLES"]
    out += listing("\n".join("causeway " + c["example"]
                             for c in data["commands"]))
    out += [".Sh SEE ALSO", ".Xr causeway.yaml 5 ,", ".Xr causeway-rpc 7 ,",
            ".Xr causewayd 8"]
    return out


def limits(p):
    if p["type"] == "enum":
        return "one of " + ", ".join(p["values"])
    if "syntax" in p:
        words = p["syntax"]
    elif p["type"] in ("int", "size"):
        words = f"{p['min']} to {p['max']}"
    elif p["type"] == "string":
        words = f"{p['min']} to {p['max']} bytes"
    else:
        return ""
    if p["type"] == "strings":
        words = f"{p['min']} to {p['max']} of them, each {words}"
    return words


def param_items(params):
    out = [".Bl -tag -width Ds"]
    for p in params:
        kind = p["type"]
        if p["required"]:
            kind += ", required"
        elif "one_of" in p:
            others = [q["name"] for q in params
                      if q.get("one_of") == p["one_of"] and q is not p]
            kind += ", this or " + " or ".join(others)
        out += [f".It Va {esc(p['name'])} Pq {quoted(kind)}",
                esc(p["doc"][0].upper() + p["doc"][1:]) + "."]
        if limits(p):
            words = limits(p)
            out += [esc(words[0].upper() + words[1:]) + "."]
    return out + [".El"]


def causeway_rpc_7(data):
    out = head("causeway-rpc", 7, "control a node from a program")
    out += [".Sh DESCRIPTION",
            "A node answers JSON-RPC 2.0 on the Unix socket",
            ".Pa DIR/control.sock",
            "where DIR is the state folder of",
            ".Xr causewayd 8 .",
            "Messages may follow each other with or without newlines.",
            "Parameters go by name; there are no batches.",
            "A message has at most 1 MiB, 32 levels and 4096 values.",
            "What a call answered with a result is durable.",
            ".Pp",
            "The same tables are the result of the method",
            ".Ic rpc.methods .",
            ".Sh METHODS", ".Bl -tag -width Ds"]
    for m in data["methods"]:
        out += [f".It Ic {esc(m['name'])}", esc(m["doc"]) + "."]
        if m["params"]:
            out += param_items(m["params"])
    out += [".El", ".Sh ERRORS",
            "The member", ".Va data.class",
            "of an error is one of the words below; it is the exit status of",
            ".Xr causeway 1 ,", "too.",
            ".Va data.text",
            "says what failed, why, and what to do next.",
            ".Bl -column \"not found\" \"75\"",
            ".It failed Ta 1", ".It usage Ta 2", ".It not found Ta 3",
            ".It degraded Ta 4", ".It denied Ta 5", ".It full Ta 6",
            ".It try again Ta 75", ".El", ".Sh EXAMPLES"]
    out += listing('{"jsonrpc": "2.0", "id": 1, "method": "volume.create",\n'
                   ' "params": {"volume": "tank/vm1", "size": 10737418240}}')
    out += [".Sh SEE ALSO", ".Xr causeway 1 ,", ".Xr causewayd 8"]
    return out


def causeway_yaml_5(data):
    methods = {m["name"]: m for m in data["methods"]}
    out = head("causeway.yaml", 5, "configuration of a node")
    out += [".Sh DESCRIPTION",
            "With", ".Fl \\-config Ar FILE ,", ".Xr causewayd 8",
            "brings the node into the state that the file describes.",
            "What is there and equal is left alone; what is there and "
            "different is an error.",
            "Nothing is ever changed or removed because of the file.",
            ".Pp",
            "The file is YAML: mappings, lists, words and numbers; no "
            "anchors, aliases or tags.",
            "A size may be written 10G.",
            ".Sh KEYS", ".Bl -tag -width Ds"]
    for p in data["config"]["params"]:
        out += [f".It Va {esc(p['name'])}",
                esc(p["doc"][0].upper() + p["doc"][1:]) + "."]
        if p["name"] in data["sections"]:
            out += ["Each entry has:"]
            out += param_items(methods[data["sections"][p["name"]]]["params"])
        elif limits(p):
            words = limits(p)
            out += [esc(words[0].upper() + words[1:]) + "."]
    out += [".El", ".Sh EXAMPLES"]
    out += listing("node: alpha\ncores: 2\n"
                   "cluster_key: /etc/causeway/key\n"
                   "listen: [\"192.0.2.1:7420\", \"198.51.100.1:7420\"]\n"
                   "peers:\n  - { name: beta, addresses: "
                   "[\"192.0.2.2:7420\", \"198.51.100.2:7420\"] }\n"
                   "windows:\n"
                   "  - { name: spare, size: 4G, allow: [\"beta:rw\"] }\n"
                   "drives:\n"
                   "  - { name: d1, spec: \"file:/srv/d1.img,size=10G\" }\n"
                   "  - { name: d2, spec: \"file:/srv/d2.img,size=10G\" }\n"
                   "  - { name: d3, spec: \"remote:beta/disk\" }\n"
                   "pools:\n  - { pool: tank, drives: [d1, d2, d3] }\n"
                   "volumes:\n"
                   "  - { volume: tank/vm1, size: 100G, raid: raid5 }\n"
                   "exports:\n"
                   "  - { type: nbd, volume: tank/vm1, "
                   "unix: /run/vm1.sock }")
    out += [".Sh SEE ALSO", ".Xr causeway 1 ,", ".Xr causeway-rpc 7 ,",
            ".Xr causewayd 8"]
    return out


page, program, target = sys.argv[1:]
pages = {
    "causeway.1": (causeway_1, ["--json", "help"]),
    "causeway-rpc.7": (causeway_rpc_7, []),
    "causeway.yaml.5": (causeway_yaml_5, []),
}
make, args = pages[page]
text = subprocess.run([program, *args], check=True, text=True,
                      capture_output=True).stdout
with open(target, "w", encoding="utf-8") as out_file:
    out_file.write('.\\" SPDX-License-Identifier: BSD-2-Clause\n')
    out_file.write("\n".join(make(json.loads(text))) + "\n")
