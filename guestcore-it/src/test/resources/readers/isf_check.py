# Checks a symbol table for Volatility 3 (format 6.2.0): prints what is wrong to standard error, and each symbol as "ADDRESS NAME".
import json
import sys

table = json.load(open(sys.argv[1]))
base, user, enums, symbols = (table[part] for part in ("base_types", "user_types", "enums", "symbols"))


def wrong(*what):
    print(*what, file=sys.stderr)


def check(place, kind):
    while kind["kind"] in ("pointer", "array"):
        if kind["kind"] == "array" and (not isinstance(kind["count"], int) or kind["count"] < 0):
            wrong(place, "count", kind["count"])
        kind = kind["subtype"]
    known = {"base": base, "struct": user, "union": user, "class": user, "enum": enums}
    if kind["kind"] == "bitfield":
        if not 0 <= kind["bit_position"] < 64 or not 1 <= kind["bit_length"] <= 64:
            wrong(place, kind)
        check(place, kind["type"])
    elif kind["kind"] != "function" and kind["name"] not in known.get(kind["kind"], ()):
        wrong(place, "refers to", kind)


meta = table["metadata"]
if meta["format"] != "6.2.0" or not meta["producer"]["name"]:
    wrong("metadata", meta)
for source in meta["linux"]["symbols"] + meta["linux"]["types"]:
    if source["kind"] not in ("dwarf", "symtab", "system-map"):
        wrong("source", source)
for name in ("void", "pointer"):
    if name not in base:
        wrong("no base type", name)
for name, kind in base.items():
    if kind["kind"] not in ("void", "int", "float", "char", "bool") or kind["endian"] not in ("little", "big"):
        wrong("base type", name, kind)
for name, kind in enums.items():
    if kind["base"] not in base:
        wrong("enum", name, kind["base"])
for name, kind in user.items():
    for field, member in kind["fields"].items():
        if not 0 <= member["offset"] <= kind["size"]:
            wrong(name, field, "at", member["offset"], "of", kind["size"])
        check(name + "." + field, member["type"])
for name, symbol in symbols.items():
    if "type" in symbol:
        check(name, symbol["type"])
    print(symbol["address"], name)
for name, kind in (("init_task", "task_struct"), ("modules", "list_head")):
    if symbols[name]["type"]["name"] != kind:
        wrong(name, "is", symbols[name]["type"])
if "constant_data" not in symbols["linux_banner"]:
    wrong("no banner")
