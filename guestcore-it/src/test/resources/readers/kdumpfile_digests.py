"""Reads memory through libkdumpfile: FILE SPACE [SYSTEM]; from standard input a line "ADDRESS LENGTH" for each piece."""
import hashlib
import sys

import kdumpfile

core = kdumpfile.kdumpfile(sys.argv[1])
space = {"physical": kdumpfile.KDUMP_KPHYSADDR, "machine": kdumpfile.KDUMP_MACHPHYSADDR}[sys.argv[2]]
if len(sys.argv) > 3:
    core.attr["addrxlat.ostype"] = sys.argv[3]
for line in sys.stdin.read().splitlines():
    address, length = map(int, line.split())
    print(address, length, hashlib.sha256(core.read(space, address, length)).hexdigest())
