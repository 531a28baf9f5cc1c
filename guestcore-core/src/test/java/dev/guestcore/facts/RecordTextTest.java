package dev.guestcore.facts;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.AddressRange;
import dev.guestcore.MemoryRegion;
import dev.guestcore.PageRun;
import dev.guestcore.PageState;
import dev.guestcore.RawContext;
import dev.guestcore.Vcpu;
import dev.guestcore.arch.x86.X86;
import dev.guestcore.cpu.RegisterState;
import java.nio.ByteOrder;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/** Records print addresses and values as people write them, and arrays by their size. */
class RecordTextTest {

    private static final byte[] BYTES = new byte[0x20];

    @Test
    void memoryAndVcpus() {
        AddressRange range = new AddressRange(0x100000, -1L);
        assertEquals("0x100000-0xffffffffffffffff", range.toString());
        assertTrue(new PageRun(range, PageState.ZERO).toString().contains("0x100000-0xffffffffffffffff"));
        assertTrue(new MemoryRegion(range, MemoryRegion.Kind.RAM, "ram").toString().contains("0x100000-0x"));
        RegisterState registers = RegisterState.builder().set(X86.RIP, 0xffffffff81000000L).build();
        String vcpu = new Vcpu(2, registers, List.of(new RawContext("kind", BYTES))).toString();
        assertEquals("Vcpu[index=2, registers={rip=0xffffffff81000000}, rawContexts=[kind (32 bytes)]]", vcpu);
    }

    @Test
    void facts() {
        ElfFacts elf = new ElfFacts(
                62, ByteOrder.LITTLE_ENDIAN, List.of(new ElfFacts.Note("ERASEINFO", 0x46e62b7f, BYTES)));
        assertEquals(
                "ElfFacts[machine=0x3e, flags=0x0, addressBits=64, bigEndian=false, kernelAddresses=false,"
                        + " notes=[Note[name=ERASEINFO, type=0x46e62b7f, content=32 bytes]]]",
                elf.toString());
        VirtualBoxFacts virtualBox = new VirtualBoxFacts(
                0x07020016, 0x2ac91, "7.0", 62, List.of(new VirtualBoxFacts.ExtraNote(BYTES)));
        assertEquals(
                "VirtualBoxFacts[version=0x7020016, revision=0x2ac91, layout=7.0, elfMachine=0x3e,"
                        + " extraNotes=[ExtraNote[32 bytes]]]",
                virtualBox.toString());
        XenFacts xen = new XenFacts(
                true,
                8,
                XenFacts.Version.builder(4, 17).extra(".7").virtualStart(0xffff800000000000L).pageSize(4096).build(),
                Optional.of(BYTES),
                Optional.of(FrameTable.of(new long[] {1, 2}, new long[] {3, 4})),
                Optional.of(new XenFacts.FileParts(BYTES, BYTES, BYTES, BYTES, BYTES, 4096)));
        assertTrue(xen.toString().contains("virtualStart=0xffff800000000000, pageSize=0x1000"), xen::toString);
        assertTrue(xen.toString().contains("sharedInfo=32 bytes, frames=2 entries"), xen::toString);
        assertTrue(new VmcoreInfoFacts(BYTES).toString().contains("32 bytes"));
        for (Object facts : List.of(elf, virtualBox, xen, new VmcoreInfoFacts(BYTES))) {
            assertFalse(facts.toString().contains("[B@"), facts::toString);
            assertFalse(facts.toString().contains("4096"), facts::toString);
        }
    }
}
