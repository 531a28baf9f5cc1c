package dev.guestcore.format;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.AddressRange;
import dev.guestcore.Guest;
import dev.guestcore.MemoryRegion;
import dev.guestcore.PageState;
import dev.guestcore.Progress;
import dev.guestcore.Provenance;
import dev.guestcore.RegionContents;
import dev.guestcore.Vcpu;
import dev.guestcore.cpu.RegisterState;
import dev.guestcore.facts.ElfFacts;
import dev.guestcore.facts.VmcoreInfoFacts;
import dev.guestcore.open.Guests;
import dev.guestcore.testing.Patterns;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;
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
        List<String> chain = List.of(
                "kdump", "xen", "kdump", "vbox", "xen", "elf", "kdump", "lime", "kdump", "raw", "avml", "elf", "raw",
                "kdump",
                "elf", "lime", "elf", "vbox", "avml");
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

    @Test
    void theTimeOfTheCaptureComesBackOrIsALoss() {
        Instant taken = Instant.parse("2026-01-31T12:00:00Z");
        for (CoreFormat format : Guests.formats()) {
            if (!format.canWrite()) {
                continue;
            }
            Provenance origin =
                    new Provenance("test", "test", "", Optional.empty(), Optional.empty(), Optional.of(taken));
            try (Guest guest = Guest.builder()
                    .ram(0, MemorySegment.ofArray(Patterns.bytes(0x4000, 1)))
                    .vcpu(Patterns.longMode(1))
                    .provenance(origin)
                    .build()) {
                List<Loss> losses = format.writer(Map.of()).plan(guest).losses();
                boolean isLoss = losses.stream().anyMatch(loss -> loss.what().contains(taken.toString()));
                try (Guest back = Guests.open(write(format.name(), guest, "timed." + format.name()))) {
                    assertTrue(isLoss || back.provenance().takenAt().equals(Optional.of(taken)), format.name());
                }
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

    /** A kdump has the notes of an ELF core, so every register and VMCOREINFO come back over it. */
    @Test
    void registersAndVmcoreinfoGoThroughKdumpsAndBack() {
        try (Guest original = guest();
                Guest first = Guests.open(write("kdump", original, "first"));
                Guest elf = Guests.open(write("elf", first, "elf"));
                Guest second = Guests.open(write("kdump", elf, "second"))) {
            for (int i = 0; i < 2; i++) {
                RegisterState expected = original.vcpus().get(i).registers();
                RegisterState found = second.vcpus().get(i).registers();
                expected.known().forEach(register -> assertEquals(
                        expected.hex(register), found.hex(register), register.label()));
            }
            assertArrayEquals(
                    original.facts(VmcoreInfoFacts.class).orElseThrow().vmcoreInfo(),
                    second.facts(VmcoreInfoFacts.class).orElseThrow().vmcoreInfo());
        }
    }

    /** What was left out stays told apart from zeros and holes where every link has a word for it. */
    @Test
    void pagesLeftOutStayLeftOut() {
        MemoryRegion region = new MemoryRegion(AddressRange.ofSize(0x200000, 0x8000), MemoryRegion.Kind.RAM, "partly");
        RegionContents contents = new RegionContents() {
            @Override
            public Run runAt(long offset, long remaining) {
                PageState state = (offset >> 12) % 2 == 0 ? PageState.PRESENT : PageState.EXCLUDED;
                return new Run(state, Math.min(remaining, 0x1000 - offset % 0x1000));
            }

            @Override
            public long readAvailable(long offset, MemorySegment target) {
                Run run = runAt(offset, target.byteSize());
                if (run.state() != PageState.PRESENT) {
                    return 0;
                }
                target.asSlice(0, run.size()).fill((byte) 0x5a);
                return run.size();
            }
        };
        try (Guest original = Guest.builder()
                .ram(0, MemorySegment.ofArray(Patterns.bytes(0x10000, 3)))
                .region(region, contents)
                .vcpu(Patterns.longMode(1))
                .build()) {
            Map<String, String> expected = Patterns.contents(original.memory());
            Path previous = write("kdump", original, "states");
            for (String format : List.of("raw", "kdump", "elf", "kdump", "raw", "elf", "raw")) {
                try (Guest link = Guests.open(previous)) {
                    assertEquals(expected, Patterns.contents(link.memory()), "before " + format);
                    previous = write(format, link, previous.getFileName() + "-" + format);
                }
            }
            try (Guest last = Guests.open(previous)) {
                assertEquals(expected, Patterns.contents(last.memory()));
            }
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
