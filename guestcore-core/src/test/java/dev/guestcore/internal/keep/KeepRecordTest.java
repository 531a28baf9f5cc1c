package dev.guestcore.internal.keep;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.AddressRange;
import dev.guestcore.Finding;
import dev.guestcore.Guest;
import dev.guestcore.GuestMemory;
import dev.guestcore.MemoryRegion;
import dev.guestcore.PageRun;
import dev.guestcore.PageState;
import dev.guestcore.Progress;
import dev.guestcore.RegionContents;
import dev.guestcore.arch.x86.X86;
import dev.guestcore.cpu.RegisterState;
import dev.guestcore.facts.FrameTable;
import dev.guestcore.facts.VirtualBoxFacts;
import dev.guestcore.facts.XenFacts;
import dev.guestcore.format.Loss;
import dev.guestcore.format.WriteReport;
import dev.guestcore.open.Guests;
import dev.guestcore.report.Severity;
import dev.guestcore.testing.Samples;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import tools.jackson.databind.json.JsonMapper;

class KeepRecordTest {

    private static final RegisterState REGISTERS = RegisterState.builder()
            .set(X86.RIP, 0x1234)
            .set(X86.LSTAR, 0xffffffff81000000L)
            .set(X86.ymm(3), new byte[32])
            .build();

    @TempDir
    Path folder;

    static Stream<String> xenSamples() {
        return Samples.XEN_MINI.stream();
    }

    static Stream<String> vmCores() {
        return Samples.VBOX_GENERATED.stream().filter(sample -> !sample.contains("r32341"));
    }

    @ParameterizedTest
    @MethodSource("xenSamples")
    void aDumpCoreComesBackFromAVmCoreByteForByte(String sample) throws IOException {
        thereAndBack(Samples.core(sample), "vbox", "xen");
    }

    @ParameterizedTest
    @MethodSource("vmCores")
    void aVmCoreComesBackFromADumpCoreByteForByte(String sample) throws IOException {
        thereAndBack(Samples.core(sample), "xen", "vbox");
    }

    private void thereAndBack(Path original, String carrier, String format) throws IOException {
        Path carried = folder.resolve("carried");
        Path back = folder.resolve("back");
        WriteReport report = convert(original, carrier, Map.of("keep", "true"), carried);
        assertTrue(report.losses().stream().allMatch(Loss::kept), report.losses().toString());
        convert(carried, format, Map.of(), back);
        assertEquals(-1, Files.mismatch(original, back));
    }

    /** The names in a record stay, whatever the classes of the library are called. */
    @Test
    void readsTheFactsAsTheyWereFirstWritten() {
        String text =
                """
                {"paravirtualized":true,"guestWidth":8,"version":{"major":4,"minor":17,"extra":".7","compiler":"gcc",
                "compiledBy":"me","compileDomain":"here","compileDate":"now","capabilities":"xen-3.0-x86_64 ",
                "changeset":"abc","virtualStart":-140737488355328,"pageSize":4096},"sharedInfo":"AQI=","frames":null,
                "layout":{"elfHeader":"AQ==","sectionHeaders":"Ag==","names":"Aw==","notes":"BA==","mappedRegisters":"",
                "pageSize":4096}}
                """;
        XenFacts facts = FactsJson.read(new JsonMapper().readTree(text), XenFacts.class, place -> null, place -> null);
        assertEquals(
                XenFacts.Version.builder(4, 17)
                        .extra(".7")
                        .compiler("gcc")
                        .compiledBy("me")
                        .compileDomain("here")
                        .compileDate("now")
                        .capabilities("xen-3.0-x86_64 ")
                        .changeset("abc")
                        .virtualStart(0xffff800000000000L)
                        .pageSize(4096)
                        .build(),
                facts.version());
        assertArrayEquals(new byte[] {1, 2}, facts.sharedInfo().orElseThrow());
        assertArrayEquals(new byte[] {3}, facts.fileParts().orElseThrow().names());
    }

    @Test
    void machineAddressesComeBackToo() {
        Path carried = folder.resolve("carried");
        convert(Samples.core("xen/pv64-mini"), "vbox", Map.of("keep", "true"), carried);
        try (Guest original = Guests.open(Samples.core("xen/pv64-mini"));
                Guest restored = Guests.open(carried)) {
            GuestMemory expected = original.machineMemory().orElseThrow();
            GuestMemory found = restored.machineMemory().orElseThrow();
            FrameTable frames =
                    original.facts(XenFacts.class).orElseThrow().frames().orElseThrow();
            byte[] left = new byte[4096];
            byte[] right = new byte[4096];
            for (long i = 0; i < frames.size(); i++) {
                long address = frames.mfn(i) << 12;
                expected.read(address, MemorySegment.ofArray(left));
                found.read(address, MemorySegment.ofArray(right));
                assertArrayEquals(left, right, "machine address 0x" + Long.toHexString(address));
            }
            assertEquals(PageState.ABSENT, found.runAt(0).state());
        }
    }

    /** ROM of which only the first page can be read, a device, RAM that ends at 2^64. */
    private static Guest small() {
        byte[] bytes = new byte[0x3000];
        Arrays.fill(bytes, (byte) 0x11);
        RegionContents failing = new RegionContents() {
            @Override
            public long readAvailable(long offset, MemorySegment target) {
                long readable = Math.clamp(0x1000 - offset, 0, target.byteSize());
                MemorySegment.copy(MemorySegment.ofArray(bytes), offset, target, 0, readable);
                return readable;
            }

            @Override
            public Run runAt(long offset, long remaining) {
                return offset < 0x1000
                        ? new Run(PageState.PRESENT, 0x1000 - offset)
                        : new Run(PageState.UNREADABLE, remaining);
            }
        };
        return Guest.builder()
                .region(new MemoryRegion(AddressRange.ofSize(0, 0x3000), MemoryRegion.Kind.ROM, "bios"), failing)
                .device(0xfee00000L, 0x1000, "apic")
                .ram(-0x1000L, MemorySegment.ofArray(new byte[0x1000]))
                .vcpu(REGISTERS)
                .facts(new VirtualBoxFacts(0x07020016, 175245, "7.0", 62, List.of()))
                .build();
    }

    @Test
    void keepsRegionsStatesAndRegisters() {
        Path carried = folder.resolve("carried");
        try (Guest guest = small()) {
            Guests.format("xen").writer(Map.of("keep", "true")).write(guest, carried, Progress.none());
            try (Guest read = Guests.open(carried)) {
                assertEquals(guest.memory().regions(), read.memory().regions());
                assertEquals(
                        new PageRun(new AddressRange(0x1000, 0x2fff), PageState.UNREADABLE),
                        read.memory().runAt(0x1000));
                assertEquals(PageState.ABSENT, read.memory().runAt(0xfee00000L).state());
                assertEquals(REGISTERS, read.vcpus().getFirst().registers());
                assertEquals(guest.facts(VirtualBoxFacts.class), read.facts(VirtualBoxFacts.class));
            }
        }
    }

    @Test
    @Tag("slow")
    void aDamagedRecordLeavesWhatTheFileItselfSays() throws IOException {
        Path carried = folder.resolve("carried");
        try (Guest guest = small()) {
            Guests.format("xen").writer(Map.of("keep", "true")).write(guest, carried, Progress.none());
        }
        byte[] bytes = Files.readAllBytes(carried);
        int record = indexOf(bytes, "GCKEEP02");
        assertEquals(List.of(), damageOf(bytes));
        Random random = new Random(7);
        int noticed = 0;
        for (int round = 0; round < 2000; round++) {
            byte[] broken = bytes.clone();
            for (int i = 0; i <= random.nextInt(4); i++) {
                broken[record + random.nextInt(bytes.length - record - 100)] = (byte) random.nextInt();
            }
            Path file = Files.write(folder.resolve("broken"), broken);
            try (Guest guest = Guests.open(file)) {
                assertFalse(guest.memory().regions().isEmpty());
                boolean damage = guest.findings().stream()
                        .anyMatch(finding -> finding.severity() == Severity.DAMAGE);
                // The checksum sees every change; what was not changed is none.
                assertEquals(!Arrays.equals(bytes, broken), damage, "round " + round);
                noticed += damage ? 1 : 0;
            }
        }
        assertTrue(noticed > 1900, "only " + noticed + " of 2000 records were changed at all");
    }

    /** A record as Guestcore wrote it before it had a checksum: no trailer, and the old magic. */
    private static byte[] withoutChecksum(byte[] core, int noteSize, int record, int size) {
        byte[] old = core.clone();
        System.arraycopy("GCKEEP01".getBytes(), 0, old, record, 8);
        ByteBuffer.wrap(old).order(ByteOrder.LITTLE_ENDIAN).putInt(noteSize, size - 8);
        return old;
    }

    private List<String> damageOf(byte[] core) throws IOException {
        try (Guest guest = Guests.open(Files.write(folder.resolve("changed"), core))) {
            return guest.findings().stream()
                    .filter(finding -> finding.severity() == Severity.DAMAGE)
                    .map(Finding::message)
                    .toList();
        }
    }

    /** Records of earlier versions still open; where one contradicts its core, the core is shown, and that is said. */
    @Test
    void aRecordWithoutChecksumMayNotHideWhatTheCoreHolds() throws IOException {
        Path carried = folder.resolve("carried");
        MemoryRegion ram = new MemoryRegion(new AddressRange(0, 0x3fff), MemoryRegion.Kind.RAM, "");
        byte[] content = new byte[0x4000];
        Arrays.fill(content, (byte) 7);
        try (Guest guest = Guest.builder().region(ram, RegionContents.of(MemorySegment.ofArray(content)))
                .vcpu(RegisterState.builder().set(X86.RIP, 0x1234).set(X86.CR0, 0x80000011L).set(X86.CR3, 0x1000)
                        .build())
                .build()) {
            Guests.format("elf").writer(Map.of("keep", "true")).write(guest, carried, Progress.none());
        }
        byte[] bytes = Files.readAllBytes(carried);
        assertEquals(List.of(), damageOf(bytes));
        int record = indexOf(bytes, "GCKEEP02");
        // The note before the record: sizes of name and descriptor, type, "GUESTCORE" in 12 bytes.
        int noteSize = record - 12 - 12 + 4;
        ByteBuffer fields = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
        int size = fields.getInt(noteSize);
        byte[] old = withoutChecksum(bytes, noteSize, record, size);
        assertEquals(List.of(), damageOf(old));
        int json = record + 16;
        int blobs = json + (int) (fields.getLong(record + 8) + 7 & ~7L);

        byte[] rip = old.clone();
        rip[indexOf(rip, "0x1234") + 5] = '5';
        assertEquals(1, damageOf(rip).size());
        assertTrue(damageOf(rip).getFirst().contains("found rip 0x1234 of vCPU 0, where the record has 0x1235"),
                damageOf(rip)::toString);
        try (Guest guest = Guests.open(folder.resolve("changed"))) {
            assertEquals(0x1234, guest.vcpus().getFirst().registers().get(X86.RIP));
        }
        byte[] shorter = old.clone();
        shorter[blobs + 8 + 1] = 0x0f;
        assertTrue(damageOf(shorter).getFirst().contains("memory at 0x1000-0x3fff, which the record does not have"),
                damageOf(shorter)::toString);
        byte[] device = old.clone();
        device[blobs + 16] = 2;
        assertTrue(damageOf(device).getFirst().contains("memory at 0x0-0x3fff"), damageOf(device)::toString);
        try (Guest guest = Guests.open(folder.resolve("changed"))) {
            assertEquals(PageState.PRESENT, guest.memory().runAt(0).state());
        }
    }

    private static int indexOf(byte[] bytes, String text) {
        for (int at = 0; at < bytes.length - text.length(); at++) {
            if (Arrays.equals(bytes, at, at + text.length(), text.getBytes(), 0, text.length())) {
                return at;
            }
        }
        throw new AssertionError("no " + text);
    }

    private static WriteReport convert(Path from, String format, Map<String, String> options, Path to) {
        try (Guest guest = Guests.open(from)) {
            assertEquals(List.of(), guest.findings().stream()
                    .filter(finding -> finding.severity() == Severity.DAMAGE)
                    .toList());
            return Guests.format(format).writer(options).write(guest, to, Progress.none());
        }
    }
}
