"""Reads physical memory through drgn: FILE; from standard input a line "ADDRESS LENGTH" for each piece."""
import hashlib
import sys

import drgn

program = drgn.Program()
program.set_core_dump(sys.argv[1])
for line in sys.stdin.read().splitlines():
    address, length = map(int, line.split())
    print(address, length, hashlib.sha256(program.read(address, length, True)).hexdigest())
