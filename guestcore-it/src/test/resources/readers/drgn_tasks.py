"""Prints the tasks of the Linux kernel in a core, as drgn knows them: CORE [VMLINUX]."""
import sys

import drgn
from drgn.helpers.linux.pid import for_each_task

program = drgn.Program()
program.set_core_dump(sys.argv[1])
if len(sys.argv) > 2:
    program.load_debug_info([sys.argv[2]])
for task in for_each_task(program):
    print(task.pid.value_(), task.comm.string_().decode())
