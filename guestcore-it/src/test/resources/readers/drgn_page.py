# Evaluates expressions on a dump, one a line of standard input, and prints what each gives.
import sys

import drgn
from drgn import *
from drgn.helpers.linux import *

prog = drgn.Program()
prog.set_core_dump(sys.argv[1])
prog.load_debug_info([sys.argv[2]])
task = find_task(prog, 1)


def number(value):
    return str((value + 2**63) % 2**64 - 2**63)


def shown(value):
    if isinstance(value, drgn.Object):
        type_ = value.type_
        while type_.kind == drgn.TypeKind.TYPEDEF:
            type_ = type_.type
        if type_.kind == drgn.TypeKind.POINTER:
            return hex(value.value_())
        if type_.kind in (drgn.TypeKind.INT, drgn.TypeKind.BOOL, drgn.TypeKind.ENUM):
            return number(int(value.value_()))
        return hex(value.address_)
    if isinstance(value, drgn.Symbol):
        return "%s %s" % (value.name, hex(value.address))
    if isinstance(value, drgn.StackTrace):
        # Inlined functions have the address of the function that they are in; the last frame may have none.
        found = []
        for frame in value:
            try:
                if not found or found[-1] != hex(frame.pc):
                    found.append(hex(frame.pc))
            except LookupError:
                pass
        return "[%s]" % ", ".join(found)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return number(value)
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, str):
        return value
    return "[%s]" % ", ".join(shown(each) for each in value)


for line in sys.stdin:
    try:
        print(shown(eval(line)))
    except Exception as error:
        print("error:", error)
