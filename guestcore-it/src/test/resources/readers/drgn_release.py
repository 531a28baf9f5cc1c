"""Prints the release of the Linux kernel in a core, as drgn knows it."""
import sys

import drgn

program = drgn.Program()
program.set_core_dump(sys.argv[1])
print(program["UTS_RELEASE"].string_().decode())
