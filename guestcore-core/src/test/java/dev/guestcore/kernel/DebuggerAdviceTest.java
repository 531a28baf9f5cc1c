package dev.guestcore.kernel;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.Guest;
import dev.guestcore.Progress;
import dev.guestcore.facts.ElfFacts;
import dev.guestcore.open.Guests;
import dev.guestcore.testing.ElfFiles;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class DebuggerAdviceTest {

    private static final String VMCOREINFO =
            "OSRELEASE=6.1.0-9-example\nNUMBER(phys_base)=0\nSYMBOL(_stext)=ffffffff81000000\n";

    @TempDir
    private Path folder;

    /** Of QEMU: with VMCOREINFO, and without virtual addresses. */
    private Path core(long address, int size) {
        ElfFiles elf = new ElfFiles(true, ByteOrder.LITTLE_ENDIAN, 62, 3 << 20);
        byte[] note = elf.note("VMCOREINFO", 0, VMCOREINFO.getBytes(StandardCharsets.US_ASCII));
        elf.programHeader(4, elf.content(note), 0, 0, note.length, note.length);
        return ElfFiles.write(folder.resolve("vm.core"), elf.load(address, new byte[size]).build());
    }

    private static Optional<DebuggerAdvice> drgn(Guest guest, Path core) {
        List<DebuggerAdvice> all = DebuggerAdvice.of(guest, core.toString(), KernelFacts.glance(guest));
        return all.stream().filter(advice -> advice.tool().equals("drgn")).findFirst();
    }

    @Test
    void anElfCoreIsConvertedForTheKernelsAddresses() throws Exception {
        Path core = core(0x1000000, 2 << 20);
        try (Guest guest = Guests.open(core)) {
            DebuggerAdvice advice = drgn(guest, core).orElseThrow();
            assertTrue(advice.conversion().orElseThrow().endsWith(" --to elf"), advice::toString);
            assertTrue(advice.reason().contains("this core has none"), advice::toString);
            Path converted = folder.resolve("converted.core");
            Guests.format("elf").writer(Map.of()).write(guest, converted, Progress.none());
            try (Guest again = Guests.open(converted)) {
                assertTrue(again.facts(ElfFacts.class).orElseThrow().kernelAddresses());
                assertEquals(Optional.empty(), drgn(again, converted).orElseThrow().conversion());
            }
        }
    }

    /** Without the kernel's image or its page tables, an ELF core that we write has no such addresses either. */
    @Test
    void aConversionThatGivesNothingIsNotAdvised() {
        Path core = core(0x4000, 4096);
        try (Guest guest = Guests.open(core)) {
            assertEquals(Optional.empty(), drgn(guest, core));
        }
    }
}
