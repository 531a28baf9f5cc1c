"""Prints what libkdumpfile knows of a core apart from its memory, a line "NAME VALUE" for each fact; numbers in hex."""
import sys

import kdumpfile


def facts(folder, prefix):
    for name in folder:
        value = folder[name]
        if isinstance(value, kdumpfile.attr_dir):
            yield from facts(value, prefix + name + ".")
        elif isinstance(value, int):
            yield prefix + name, hex(value)
        elif isinstance(value, str) and "\n" not in value:
            yield prefix + name, value


for fact in facts(kdumpfile.kdumpfile(sys.argv[1]).attr, ""):
    print(*fact)
