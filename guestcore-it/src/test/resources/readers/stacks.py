# Prints of each task the addresses of its stack: core, vmlinux.
import sys

import drgn
from drgn.helpers.linux.pid import for_each_task

program = drgn.Program()
program.set_core_dump(sys.argv[1])
program.load_debug_info([sys.argv[2]])
for task in for_each_task(program):
    addresses = []
    for frame in program.stack_trace(task):
        try:
            address = hex(frame.pc)
        except LookupError:
            continue
        if not addresses or addresses[-1] != address:
            addresses.append(address)
    print(task.pid.value_(), *addresses)
