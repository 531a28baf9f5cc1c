package dev.guestcore.format.xen;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.AddressRange;
import dev.guestcore.Guest;
import dev.guestcore.GuestBuilder;
import dev.guestcore.MemoryRegion;
import dev.guestcore.PageState;
import dev.guestcore.Progress;
import dev.guestcore.RegionContents;
import dev.guestcore.arch.Architectures;
import dev.guestcore.arch.x86.X86;
import dev.guestcore.cpu.RegisterState;
import dev.guestcore.error.UnsupportedRequestException;
import dev.guestcore.facts.FrameTable;
import dev.guestcore.facts.XenFacts;
import dev.guestcore.file.FileBytes;
import dev.guestcore.format.Check;
import dev.guestcore.format.Loss;
import dev.guestcore.format.WriteReport;
import dev.guestcore.open.Guests;
import dev.guestcore.testing.ForeignTools;
import dev.guestcore.testing.Samples;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.Channels;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Guests of other sources written as dump-cores, read back by us and by other programs. */
class XenWriterTest {

    @TempDir
    private Path folder;

    private static byte[] filled(int size, int value) {
        byte[] bytes = new byte[size];
        Arrays.fill(bytes, (byte) value);
        return bytes;
    }

    private static RegisterState registers(int n) {
        byte[] xmm = filled(16, 0x40 + n);
        return RegisterState.builder()
                .set(X86.RAX, 0x1111_2222_3333_4400L + n)
                .set(X86.R15, -5L - n)
                .set(X86.RIP, 0xffff_ffff_8100_0000L)
                .set(X86.CS, 0x10)
                .set(X86.CR0, 0x8005_0033L)
                .set(X86.CR3, 0x1000)
                .set(X86.CR4, 0x20)
                .set(X86.GS_BASE, 0xffff_8880_0000_0000L)
                .set(X86.KERNEL_GS_BASE, 0x7fff_0000L)
                .set(X86.FCW, 0x27f)
                .set(X86.XMM15, xmm)
                .build();
    }

    private static GuestBuilder madeUp() {
        return Guest.builder()
                .ram(0, MemorySegment.ofArray(filled(0x3000, 0x11)))
                .device(0xa0000, 0x20000, "vga")
                .rom(0xf0000, MemorySegment.ofArray(filled(0x1000, 0x22)))
                .ram(0x1_0000_0000L, MemorySegment.ofArray(filled(0x2000, 0x33)))
                .vcpu(registers(0))
                .vcpu(registers(1).toBuilder().set(X86.LSTAR, 1).set(X86.CS_BASE, 0).build());
    }

    @Test
    void anHvmDumpOfAnyGuestReadsBackTheSame() throws IOException {
        Path core = folder.resolve("core");
        Guest guest = madeUp().build();
        WriteReport report = XenDumpCoreWriter.hvm().write(guest, core, Progress.none());
        assertEquals(Files.size(core), report.bytes());
        assertEquals(0x6000, report.memoryBytes());
        assertEquals(
                List.of("1 device regions", "kind ROM of 1 regions", "names of 4 regions", "registers cs.base",
                        "registers lstar",
                        "that the source does not know registers rbx, rcx, rdx, rsi, rdi, rbp, rsp, r8, r9, r10, r11, r12,"
                                + " r13, r14, rflags",
                        "that the source does not know registers ds, es, fs, fs.base, gs, ss",
                        "that the source does not know register cr2",
                        "that the source does not know registers dr0, dr1, dr2, dr3, dr6, dr7"),
                report.losses().stream().map(Loss::what).toList());
        // Placed as section 2 of the documentation says, for two vCPUs.
        long pages = 0x1768 + 2 * 5168 + 4095 & ~4095L;
        assertEquals(pages + 6 * 4096 + 6 * 8 + 72, report.bytes());
        try (Guest read = Guests.open(core)) {
            assertEquals(List.of(), read.findings());
            assertEquals(
                    List.of("0x0-0x2fff", "0xf0000-0xf0fff", "0x100000000-0x100001fff"),
                    read.memory().regions().stream().map(region -> region.range().toString()).toList());
            for (int i = 0; i < 2; i++) {
                RegisterState written = registers(i);
                RegisterState back = read.vcpus().get(i).registers();
                written.known().forEach(register -> assertEquals(written.hex(register), back.hex(register)));
                assertFalse(back.knows(X86.LSTAR));
            }
            byte[] page = new byte[0x2000];
            read.memory().read(0x1_0000_0000L, MemorySegment.ofArray(page));
            assertArrayEquals(filled(0x2000, 0x33), page);
        }
        assertNoneFails(core);
    }

    private static void assertNoneFails(Path core) {
        try (FileBytes file = FileBytes.open(core)) {
            assertEquals(
                    List.of(),
                    new XenDumpCoreFormat().verify(file, true, Progress.none()).stream()
                            .filter(check -> check.result() == Check.Result.FAIL)
                            .toList());
        }
    }

    @Test
    void aPipeGetsTheSameBytesAsAFile() throws IOException {
        Path core = folder.resolve("core");
        XenDumpCoreWriter.hvm().write(madeUp().build(), core, Progress.none());
        ByteArrayOutputStream pipe = new ByteArrayOutputStream();
        XenDumpCoreWriter.hvm().write(madeUp().build(), Channels.newChannel(pipe), Progress.none());
        assertArrayEquals(Files.readAllBytes(core), pipe.toByteArray());
    }

    @Test
    void partialAndUnreadablePages() throws IOException {
        Path core = folder.resolve("core");
        MemoryRegion broken = new MemoryRegion(AddressRange.ofSize(0x8000, 0x1000), MemoryRegion.Kind.RAM, "");
        RegionContents unreadable = new RegionContents() {
            @Override
            public long readAvailable(long offset, MemorySegment target) {
                return 0;
            }

            @Override
            public Run runAt(long offset, long remaining) {
                return new Run(PageState.UNREADABLE, remaining);
            }
        };
        Guest guest = Guest.builder()
                .ram(0x1f00, MemorySegment.ofArray(filled(0x80, 1)))
                .ram(0x1fc0, MemorySegment.ofArray(filled(0x50, 2)))
                .region(broken, unreadable)
                .vcpu(registers(0))
                .build();
        WriteReport report = XenDumpCoreWriter.hvm().write(guest, core, Progress.none());
        assertEquals(List.of(AddressRange.ofSize(0x8000, 0x1000)), report.unreadable());
        assertTrue(report.losses().stream()
                .anyMatch(loss -> loss.what().equals("where memory begins and ends within a page")));
        try (Guest read = Guests.open(core)) {
            byte[] bytes = new byte[0x2000];
            read.memory().read(0x1000, MemorySegment.ofArray(bytes));
            byte[] expected = new byte[0x2000];
            Arrays.fill(expected, 0xf00, 0xf80, (byte) 1);
            Arrays.fill(expected, 0xfc0, 0x1010, (byte) 2);
            assertArrayEquals(expected, bytes);
            assertEquals(2, read.memory().regions().size());
        }
        assertNoneFails(core);
    }

    @Test
    void aDescribedPvGuestBecomesAPvDump() {
        for (int width : new int[] {8, 4}) {
            Path core = folder.resolve("core" + width);
            RegisterState registers = RegisterState.builder()
                    .set(X86.RAX, 0x55)
                    .set(X86.CR3, 0x1_2345_6000L)
                    .set(X86.RIP, width == 8 ? -4096L : 0xc0001000L)
                    .set(X86.CS, width == 8 ? 0xe033 : 0xe019)
                    .build();
            FrameTable frames = FrameTable.of(new long[] {2, 0, 1}, new long[] {0x123456, 9, 8});
            Guest guest = Guest.builder()
                    .ram(0, MemorySegment.ofArray(XenImage.join(filled(4096, 1), filled(4096, 2), filled(4096, 3))))
                    .vcpu(registers)
                    .facts(XenFacts.builder()
                            .version(XenFacts.Version.of(4, 17, ".7"))
                            .sharedInfo(new byte[] {42})
                            .paravirtualized(width, frames)
                            .build())
                    .build();
            XenDumpCoreWriter.asSource().write(guest, core, Progress.none());
            try (Guest read = Guests.open(core)) {
                assertEquals(List.of(), read.findings());
                XenFacts facts = read.facts(XenFacts.class).orElseThrow();
                assertTrue(facts.paravirtualized());
                assertEquals(width, facts.guestWidth());
                assertEquals("4.17.7", facts.version().text());
                assertEquals(42, facts.sharedInfo().orElseThrow()[0]);
                byte[] page = new byte[4096];
                read.machineMemory().orElseThrow().read(0x1_2345_6000L, MemorySegment.ofArray(page));
                assertArrayEquals(filled(4096, 3), page);
                registers.known().forEach(register -> assertEquals(
                        registers.hex(register), read.vcpus().getFirst().registers().hex(register)));
            }
            assertNoneFails(core);
        }
    }

    @Test
    void memoryWithoutMachineFrameIsALoss() {
        Guest guest = Guest.builder()
                .ram(0, MemorySegment.ofArray(new byte[0x4000]))
                .vcpu(registers(0))
                .facts(XenFacts.builder()
                        .paravirtualized(8, FrameTable.of(new long[] {0, 3}, new long[] {1, 2}))
                        .build())
                .build();
        assertTrue(XenDumpCoreWriter.pv().plan(guest).losses().stream()
                .anyMatch(loss -> loss.what().equals("8192 bytes of memory, the first at 0x1000-0x2fff")));
    }

    @Test
    void realPvDumpsInTheOtherFlavours() throws IOException {
        try (Guest pv = Guests.open(Samples.core("xen/pv64-mini"))) {
            Path hvm = folder.resolve("hvm");
            WriteReport report = XenDumpCoreWriter.hvm().write(pv, hvm, Progress.none());
            assertTrue(report.losses().stream()
                    .anyMatch(loss -> loss.what().equals("machine frame numbers of the pages")));
            Path again = folder.resolve("pv");
            XenDumpCoreWriter.pv().write(pv, again, Progress.none());
            assertEquals(-1, Files.mismatch(Samples.core("xen/pv64-mini"), again));
        }
        try (Guest guest = Guests.open(Samples.core("xen/pvh-mini"))) {
            Path hvm = folder.resolve("pvh");
            XenDumpCoreWriter.hvm().write(guest, hvm, Progress.none());
            try (Guest read = Guests.open(hvm)) {
                assertEquals(2016, read.facts(XenFacts.class).orElseThrow().frames().orElseThrow().size());
            }
        }
    }

    @Test
    void whatCannotBeWrittenIsRefusedBeforehand() {
        Guest idle = Guest.builder().ram(0, MemorySegment.ofArray(new byte[4096])).build();
        assertEquals(
                "a Xen dump-core needs at least one vCPU, and this guest has none (Xen itself refuses to dump"
                        + " it); choose"
                        + " another format, or give it a vCPU",
                refusal(XenDumpCoreWriter.hvm(), idle));
        Guest arm = Guest.builder()
                .architecture(Architectures.ARM)
                .ram(0, MemorySegment.ofArray(new byte[4096]))
                .vcpu(RegisterState.unknown())
                .build();
        assertEquals(
                "vCPU 0 is of processor family Arm, whose registers Guestcore writes into a Xen dump-core only"
                        + " from one that it"
                        + " has read; choose elf, kdump, raw or lime",
                refusal(XenDumpCoreWriter.asSource(), arm));
        assertEquals(
                "a PV dump-core needs the machine frame of every page, and this source does not tell them; write"
                        + " flavour hvm"
                        + " instead",
                refusal(XenDumpCoreWriter.pv(), madeUp().build()));
        MemoryRegion vast = new MemoryRegion(new AddressRange(0, -1L), MemoryRegion.Kind.RAM, "");
        Guest large = Guest.builder().region(vast, RegionContents.zeros()).vcpu(registers(0)).build();
        String refusal = refusal(XenDumpCoreWriter.hvm(), large);
        assertTrue(refusal.startsWith("a Xen dump-core holds less than 2^32 pages of 4096 bytes"), refusal);
        assertThrows(
                UnsupportedRequestException.class, () -> new XenDumpCoreFormat().writer(Map.of("flavour", "sweet")));
        assertThrows(UnsupportedRequestException.class, () -> new XenDumpCoreFormat().writer(Map.of("colour", "x")));
    }

    private static String refusal(XenDumpCoreWriter writer, Guest guest) {
        return assertThrows(UnsupportedRequestException.class, () -> writer.plan(guest)).getMessage();
    }

    @Test
    @Tag("foreign")
    void libkdumpfileReadsTheSamePages() throws Exception {
        Path core = folder.resolve("core");
        XenDumpCoreWriter.hvm().write(madeUp().build(), core, Progress.none());
        String script = """
                import sys, kdumpfile
                k = kdumpfile.kdumpfile(sys.argv[1])
                for address in (0, 0x2000, 0xf0000, 0x100001000):
                    page = k.read(kdumpfile.KDUMP_KPHYSADDR, address, 4096)
                    print('%x %d %x %x' % (address, len(page), page[0], page[4095]))
                print('rax %x' % k.attr['cpu.1.reg.rax'])
                """;
        assertEquals(
                "0 4096 11 11\n2000 4096 11 11\nf0000 4096 22 22\n100001000 4096 33 33\nrax 1111222233334401\n",
                run("/usr/bin/python3", "-c", script, core.toString()));
    }

    @Test
    @Tag("foreign")
    void readelfTakesTheSections() throws Exception {
        Path core = folder.resolve("core");
        XenDumpCoreWriter.hvm().write(madeUp().build(), core, Progress.none());
        String sections = run("readelf", "-S", "-W", core.toString());
        assertTrue(sections.contains(".xen_pages") && sections.contains(".xen_pfn"), sections);
        assertFalse(sections.toLowerCase().contains("warning"), sections);
    }

    private static String run(String... command) throws IOException, InterruptedException {
        Process process;
        try {
            process = new ProcessBuilder(command).redirectErrorStream(true).start();
        } catch (IOException e) {
            return ForeignTools.missing(command[0] + " is not installed");
        }
        String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        if (process.waitFor() != 0 && output.contains("No module named 'kdumpfile'")) {
            return ForeignTools.missing("python3-libkdumpfile is not installed");
        }
        return output;
    }

    /** sh_entsize 0: the contexts are shared out by their number, or by the size of a context. */
    @Test
    void contextsWithoutTheirSizeAreRead() throws IOException {
        for (boolean noted : new boolean[] {true, false}) {
            Path core = folder.resolve("sizeless" + noted);
            XenDumpCoreWriter.hvm().write(madeUp().build(), core, Progress.none());
            ByteBuffer bytes = ByteBuffer.wrap(Files.readAllBytes(core)).order(ByteOrder.LITTLE_ENDIAN);
            int headers = (int) bytes.getLong(40);
            for (int at = headers; at < headers + 64 * bytes.getShort(60); at += 64) {
                if (bytes.getLong(at + 56) == 5168) {
                    bytes.putLong(at + 56, 0);
                }
            }
            if (!noted) {
                // The first vCPU alone, while the header of the dump speaks of two.
                for (int at = headers; at < headers + 64 * bytes.getShort(60); at += 64) {
                    if (bytes.getLong(at + 32) == 2 * 5168) {
                        bytes.putLong(at + 32, 5168);
                    }
                }
            }
            Files.write(core, bytes.array());
            try (Guest guest = Guests.open(core)) {
                assertEquals(noted ? 2 : 1, guest.vcpus().size());
                assertEquals(registers(0).get(X86.RIP), guest.vcpus().getFirst().registers().get(X86.RIP));
                assertTrue(
                        guest.findings().stream().anyMatch(finding -> finding.message().contains("sh_entsize")),
                        guest.findings()::toString);
            }
        }
    }
}
