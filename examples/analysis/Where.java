// Where does each vCPU of a guest stand, what was it about to execute, and where in memory is a text?
//   java -p guestcore-cli/target/lib --add-modules dev.guestcore examples/analysis/Where.java vm.core needle

import module dev.guestcore;

void main(String[] arguments) {
    try (Guest guest = Guests.open(arguments[0])) {
        for (Vcpu vcpu : guest.vcpus()) {
            long rip = vcpu.registers().get(X86.RIP);
            byte[] code = new byte[8];
            AddressSpace.of(guest, vcpu).memory().read(rip, MemorySegment.ofArray(code));
            IO.println("vCPU %d at 0x%x: %s".formatted(vcpu.index(), rip, HexFormat.ofDelimiter(" ").formatHex(code)));
        }
        SearchPattern text = SearchPattern.text(arguments[1], Set.of(StandardCharsets.UTF_8));
        MemorySearch.of(text).physical(
                guest.memory(),
                hit -> IO.println("\"%s\" at 0x%x in %s".formatted(arguments[1], hit.address(), hit.region())),
                Progress.none());
    }
}
