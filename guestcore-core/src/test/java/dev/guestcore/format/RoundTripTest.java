package dev.guestcore.format;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.guestcore.Guest;
import dev.guestcore.Guests;
import dev.guestcore.Progress;
import dev.guestcore.Vcpu;
import dev.guestcore.cpu.RegisterState;
import dev.guestcore.hypervisor.ElfFacts;
import dev.guestcore.hypervisor.VmcoreInfoFacts;
import dev.guestcore.testing.Patterns;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A guest that goes through one format after the other keeps what every link can carry. */
class RoundTripTest {

    @TempDir
    private Path folder;

    private static Guest guest() {
        byte[] sparse = new byte[0x40000];
        System.arraycopy(Patterns.bytes(0x3000, 9), 0, sparse, 0x10000, 0x3000);
        return Guest.builder()
                .ram(0, MemorySegment.ofArray(Patterns.bytes(0xa0000, 1)))
                .rom(0xf0000, MemorySegment.ofArray(Patterns.bytes(0x10000, 2)))
                .ram(0x100000000L, MemorySegment.ofArray(sparse))
                .vcpu(Patterns.longMode(1))
                .vcpu(Patterns.longMode(2))
                .facts(new VmcoreInfoFacts("OSRELEASE=6.1\nPAGESIZE=4096\n".getBytes(StandardCharsets.US_ASCII)))
                .build();
    }

    private Path write(String format, Guest guest, String name) {
        Path target = folder.resolve(name);
        Guests.format(format).writer(Map.of()).write(guest, target, Progress.none());
        return target;
    }

    @Test
    void memoryGoesThroughAllFormatsAndBack() {
        List<String> chain = List.of("lime", "raw", "avml", "elf", "raw", "lime", "elf", "vbox", "avml");
        try (Guest original = guest()) {
            Map<String, String> expected = Patterns.contents(original.memory());
            Path previous = write("elf", original, "start");
            for (int i = 0; i < chain.size(); i++) {
                try (Guest link = Guests.open(previous)) {
                    assertEquals(expected, Patterns.contents(link.memory()), "before " + chain.get(i));
                    previous = write(chain.get(i), link, i + "-" + chain.get(i));
                }
            }
            try (Guest last = Guests.open(previous)) {
                assertEquals("avml", last.provenance().format());
                assertEquals(expected, Patterns.contents(last.memory()));
            }
        }
    }

    /** What NT_PRSTATUS and QEMU's note hold, a VMCore holds as well. */
    @Test
    void registersGoFromElfToVmcoreAndBack() {
        try (Guest original = guest();
                Guest vmcore = Guests.open(write("vbox", original, "vmcore"));
                Guest elf = Guests.open(write("elf", vmcore, "elf"))) {
            for (int i = 0; i < 2; i++) {
                RegisterState expected = original.vcpus().get(i).registers();
                RegisterState found = elf.vcpus().get(i).registers();
                expected.known().forEach(register -> assertEquals(
                        expected.hex(register), found.hex(register), register.label()));
            }
            assertEquals(2, elf.vcpus().stream().map(Vcpu::index).distinct().count());
        }
    }

    /** The facts of an ELF core survive in Guestcore's own record. */
    @Test
    void factsTravelInTheRecordOfOtherFormats() {
        for (String format : List.of("vbox", "xen")) {
            try (Guest original = guest();
                    Guest elf = Guests.open(write("elf", original, "first-" + format))) {
                Path target = folder.resolve("kept-" + format);
                Guests.format(format).writer(Map.of("keep", "true")).write(elf, target, Progress.none());
                try (Guest kept = Guests.open(target)) {
                    assertArrayEquals(
                            elf.facts(VmcoreInfoFacts.class).orElseThrow().vmcoreInfo(),
                            kept.facts(VmcoreInfoFacts.class).orElseThrow().vmcoreInfo());
                    assertEquals(
                            elf.facts(ElfFacts.class).orElseThrow().machine(),
                            kept.facts(ElfFacts.class).orElseThrow().machine());
                    assertEquals(
                            elf.facts(ElfFacts.class).orElseThrow().order(),
                            kept.facts(ElfFacts.class).orElseThrow().order());
                }
            }
        }
    }
}
