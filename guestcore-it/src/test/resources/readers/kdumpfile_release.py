"""Prints the release of a Linux kernel as it stands in its memory, found by virtual address: init_uts_ns, a name of the
system, of the node and then the release, 65 bytes each."""
import sys

import kdumpfile

core = kdumpfile.kdumpfile(sys.argv[1])
core.attr["addrxlat.ostype"] = "linux"
address = core.attr["linux.vmcoreinfo.SYMBOL.init_uts_ns"] + core.attr["linux.vmcoreinfo.OFFSET.uts_namespace.name"]
names = core.read(kdumpfile.KDUMP_KVADDR, address, 3 * 65)
print(names[2 * 65:].split(b"\0")[0].decode())
