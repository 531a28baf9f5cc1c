package dev.guestcore.format.elf;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.AddressRange;
import dev.guestcore.Guest;
import dev.guestcore.MemoryRegion;
import dev.guestcore.PageState;
import dev.guestcore.Progress;
import dev.guestcore.RegionContents;
import dev.guestcore.arch.x86.X86;
import dev.guestcore.cpu.RegisterState;
import dev.guestcore.error.UnsupportedRequestException;
import dev.guestcore.facts.ElfFacts;
import dev.guestcore.facts.VmcoreInfoFacts;
import dev.guestcore.format.Loss;
import dev.guestcore.format.WriteReport;
import dev.guestcore.open.Guests;
import dev.guestcore.testing.ForeignTools;
import dev.guestcore.testing.LinuxPages;
import dev.guestcore.testing.MadeUpKernel;
import dev.guestcore.testing.Patterns;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.Channels;
import java.nio.channels.WritableByteChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ElfCoreWriterTest {

    private static final byte[] VMCOREINFO =
            "OSRELEASE=6.1.0-test\nPAGESIZE=4096\nSYMBOL(init_uts_ns)=ffffffff82a12345\n"
                    .getBytes(StandardCharsets.US_ASCII);

    @TempDir
    private Path folder;

    private static Guest guest() {
        byte[] low = Patterns.bytes(0x9f000, 1);
        byte[] high = Patterns.bytes(0x200000, 2);
        Arrays.fill(high, 0x100000, 0x180000, (byte) 0);
        return Guest.builder()
                .ram(0, MemorySegment.ofArray(low))
                .device(0xa0000, 0x20000, "vga")
                .rom(0xf0000, MemorySegment.ofArray(Patterns.bytes(0x10000, 3)))
                .ram(0x100000000L, MemorySegment.ofArray(high))
                .vcpu(Patterns.longMode(1))
                .vcpu(Patterns.longMode(2))
                .facts(new VmcoreInfoFacts(VMCOREINFO))
                .facts(new ElfFacts(62, ByteOrder.LITTLE_ENDIAN,
                        List.of(new ElfFacts.Note("ERASEINFO", 0, new byte[] {5, 6, 7}))))
                .build();
    }

    private Path write(Guest guest, String name) {
        Path target = folder.resolve(name);
        new ElfCoreFormat().writer(Map.of()).write(guest, target, Progress.none());
        return target;
    }

    @Test
    void aMachineThatNobodyNamedIsALossOrStated() {
        Path named = folder.resolve("named");
        try (Guest bare = Guest.builder().ram(0x40000000, MemorySegment.ofArray(Patterns.bytes(0x2000, 5))).build()) {
            ElfCoreFormat elf = new ElfCoreFormat();
            assertTrue(
                    elf.writer(Map.of()).plan(bare).losses().stream().anyMatch(loss -> loss.what().equals("machine")));
            elf.writer(Map.of("machine", "aarch64")).write(bare, named, Progress.none());
            assertTrue(elf.writer(Map.of("machine", "aarch64")).plan(bare).losses().stream()
                    .noneMatch(loss -> loss.what().equals("machine")));
        }
        try (Guest copy = Guests.open(named); Guest known = guest()) {
            assertEquals(183, copy.facts(ElfFacts.class).orElseThrow().machine());
            assertTrue(new ElfCoreFormat().writer(Map.of()).plan(known).losses().stream()
                    .noneMatch(loss -> loss.what().equals("machine")));
        }
    }

    /** As Xen shows a PVH guest that starts: no paging yet, and EFER is not in its context. */
    @Test
    void aProcessorThatMayBeOneOf64BitsKeepsAllItsRegisters() {
        RegisterState starting = RegisterState.builder()
                .set(X86.RIP, 0x100037)
                .set(X86.R8, 8)
                .set(X86.CR0, 0x11)
                .build();
        try (Guest guest = Guest.builder()
                .ram(0, MemorySegment.ofArray(Patterns.bytes(0x2000, 5)))
                .vcpu(starting)
                .build();
                Guest copy = Guests.open(write(guest, "starting"))) {
            assertEquals(62, copy.facts(ElfFacts.class).orElseThrow().machine());
            assertEquals(8, copy.vcpus().getFirst().registers().get(X86.R8));
        }
    }

    @Test
    void keepsMemoryRegistersAndFacts() {
        try (Guest guest = guest();
                Guest copy = Guests.open(write(guest, "core"))) {
            assertEquals(Patterns.contents(guest.memory()), Patterns.contents(copy.memory()));
            assertEquals(2, copy.vcpus().size());
            for (int i = 0; i < 2; i++) {
                assertEquals(guest.vcpus().get(i).registers(), copy.vcpus().get(i).registers());
            }
            assertArrayEquals(VMCOREINFO, copy.facts(VmcoreInfoFacts.class).orElseThrow().vmcoreInfo());
            ElfFacts.Note note = copy.facts(ElfFacts.class).orElseThrow().notes().getFirst();
            assertEquals("ERASEINFO", note.name());
            assertArrayEquals(new byte[] {5, 6, 7}, note.descriptor());
            assertTrue(copy.findings().isEmpty(), copy.findings()::toString);
        }
    }

    @Test
    void laysOutTheHeadersThatReadersExpect() throws Exception {
        ByteBuffer core;
        try (Guest guest = guest()) {
            core = ByteBuffer.wrap(Files.readAllBytes(write(guest, "core"))).order(ByteOrder.LITTLE_ENDIAN);
        }
        assertEquals(4, core.getShort(16));
        assertEquals(62, core.getShort(18));
        assertEquals(64, core.getLong(32), "e_phoff");
        assertEquals(0, core.getLong(40), "e_shoff");
        assertEquals(64, core.getShort(52), "e_ehsize");
        assertEquals(4, core.getShort(56), "e_phnum");
        assertEquals(0, core.getShort(60), "e_shnum");
        assertEquals(4, core.getInt(64), "PT_NOTE first");
        long end = core.getLong(64 + 8) + core.getLong(64 + 32);
        for (int i = 1; i < 4; i++) {
            int at = 64 + 56 * i;
            assertEquals(1, core.getInt(at));
            assertTrue(core.getLong(at + 8) >= end, "content behind what comes before");
            assertEquals(0, core.getLong(at + 8) % 4096);
            assertEquals(0, core.getLong(at + 48), "p_align");
            end = core.getLong(at + 8) + core.getLong(at + 32);
        }
        assertEquals(end, core.capacity());
    }

    /** As /proc/vmcore has it: memory at its place in the kernel's direct map, and not at low virtual addresses. */
    @Test
    void showsMemoryWhereTheKernelMapsIt() throws Exception {
        byte[] low = new byte[0x400000];
        LinuxPages.put(low, 1, true);
        Path core;
        try (Guest guest = Guest.builder()
                .ram(0, MemorySegment.ofArray(low))
                .ram(0x600000, MemorySegment.ofArray(Patterns.bytes(0x1000, 4)))
                .vcpu(Patterns.longMode(1))
                .facts(new VmcoreInfoFacts(LinuxPages.vmcoreInfo()))
                .build()) {
            core = write(guest, "linux");
        }
        assertEquals(
                List.of("0 ffffffff81000000", "200000 ffff93c540200000", "600000 ffff93c540600000"),
                virtualAddresses(core));
        try (Guest back = Guests.open(core)) {
            byte[] page = new byte[0x1000];
            back.memory().read(0x600000, MemorySegment.ofArray(page));
            assertArrayEquals(Patterns.bytes(0x1000, 4), page, "our own reader goes by physical addresses");
        }
    }

    @Test
    void tellsWhatIsLost() {
        RegisterState registers = Patterns.longMode(1).toBuilder()
                .set(X86.LSTAR, 5)
                .set(X86.DR7, 0x400)
                .set(X86.LDTR_ATTRIBUTES, 0x10082)
                .build();
        try (Guest guest = Guest.builder()
                .ram(0, MemorySegment.ofArray(new byte[4096]))
                .rom(0x1000, MemorySegment.ofArray(new byte[4096]))
                .device(0x2000, 0x1000, "apic")
                .vcpu(registers)
                .build()) {
            List<String> losses = new ElfCoreFormat().writer(Map.of()).plan(guest).losses().stream()
                    .map(Loss::what)
                    .toList();
            assertEquals(
                    List.of(
                            "kind ROM of 0x1000-0x1fff",
                            "device range 0x2000-0x2fff",
                            "names of 3 regions",
                            "registers ldtr.attributes, dr7, lstar of vCPU 0"),
                    losses);
        }
    }

    /** Contents of which every fourth page, of 2^shift bytes, is in another state. */
    private record Patchy(int shift) implements RegionContents {

        @Override
        public Run runAt(long offset, long remaining) {
            PageState state = switch ((int) (offset >> shift & 3)) {
                case 0 -> PageState.PRESENT;
                case 1 -> PageState.ZERO;
                case 2 -> PageState.EXCLUDED;
                default -> PageState.UNREADABLE;
            };
            return new Run(state, Math.min(remaining, (1L << shift) - (offset & (1L << shift) - 1)));
        }

        @Override
        public long readAvailable(long offset, MemorySegment target) {
            long done = 0;
            while (done < target.byteSize()) {
                Run run = runAt(offset + done, target.byteSize() - done);
                if (!run.state().isReadable()) {
                    break;
                }
                target.asSlice(done, run.size()).fill((byte) (run.state() == PageState.ZERO ? 0 : 0x5a));
                done += run.size();
            }
            return done;
        }
    }

    @Test
    void carriesWhatWasLeftOut() {
        MemoryRegion region = new MemoryRegion(new AddressRange(0x10000, 0x19fff), MemoryRegion.Kind.RAM, "");
        try (Guest guest = Guest.builder().region(region, new Patchy(12)).build()) {
            Path target = folder.resolve("patchy");
            WriteReport report = new ElfCoreFormat().writer(Map.of()).write(guest, target, Progress.none());
            assertEquals(List.of(new AddressRange(0x13000, 0x13fff), new AddressRange(0x17000, 0x17fff)),
                    report.unreadable());
            assertEquals(0x2000, report.unreadableBytes());
            try (Guest copy = Guests.open(target)) {
                assertEquals(List.of(region), copy.memory().regions());
                for (long page = 0x10; page < 0x1a; page++) {
                    PageState expected = (page & 2) == 0 ? PageState.PRESENT : PageState.EXCLUDED;
                    assertEquals(expected, copy.memory().runAt(page << 12).state(), "page " + page);
                }
                byte[] bytes = new byte[0x2000];
                copy.memory().read(0x14000, MemorySegment.ofArray(bytes));
                assertEquals(0x5a, bytes[0xfff]);
                assertEquals(0, bytes[0x1000]);
            }
        }
    }

    @Test
    @Tag("foreign")
    void writesMoreSegmentsThanTheHeaderCanCount() throws Exception {
        int count = 70_000;
        try (Guest guest = Guest.builder()
                .region(new MemoryRegion(AddressRange.ofSize(0, count * 4 * 64L), MemoryRegion.Kind.RAM, ""),
                        new Patchy(6))
                .build()) {
            Path target = write(guest, "many");
            try (Guest copy = Guests.open(target)) {
                assertEquals(1, copy.memory().regions().size());
                assertEquals(PageState.PRESENT, copy.memory().runAt((count - 1) * 4 * 64L).state());
            }
            if (Files.isExecutable(Path.of("/usr/bin/readelf"))) {
                String text = ForeignTools.output("readelf", "-h", target.toString());
                assertTrue(text.contains("65535 (70001)"), text);
            }
        }
    }

    @Test
    void keepsWhatTheFormatCannotCarry() {
        RegisterState registers = Patterns.longMode(1).toBuilder().set(X86.LSTAR, 5).build();
        MemoryRegion mixed = new MemoryRegion(new AddressRange(0x10000, 0x17fff), MemoryRegion.Kind.RAM, "mixed");
        try (Guest guest = Guest.builder()
                .rom(0x1000, MemorySegment.ofArray(Patterns.bytes(0x1000, 1)))
                .device(0x2000, 0x1000, "apic")
                .region(mixed, new Patchy(12))
                .vcpu(registers)
                .build()) {
            Path target = folder.resolve("kept");
            WriteReport report =
                    new ElfCoreFormat().writer(Map.of("keep", "true")).write(guest, target, Progress.none());
            assertTrue(report.losses().stream().allMatch(Loss::kept), report.losses()::toString);
            try (Guest copy = Guests.open(target)) {
                assertEquals(guest.memory().regions(), copy.memory().regions());
                assertEquals(registers, copy.vcpus().getFirst().registers());
                assertEquals(PageState.UNREADABLE, copy.memory().runAt(0x13000).state());
                assertEquals(PageState.EXCLUDED, copy.memory().runAt(0x12000).state());
            }
        }
    }

    @Test
    void streamsTheSameBytes() throws Exception {
        try (Guest guest = guest()) {
            Path streamed = folder.resolve("streamed");
            try (WritableByteChannel channel = Channels.newChannel(Files.newOutputStream(streamed))) {
                new ElfCoreFormat().writer(Map.of()).write(guest, channel, Progress.none());
            }
            assertEquals(-1, Files.mismatch(streamed, write(guest, "core")));
        }
    }

    @Test
    void choosesTheMachineByTheModeOfTheFirstVcpu() {
        RegisterState real = Patterns.longMode(1).toBuilder()
                .set(X86.CR0, 0x10)
                .set(X86.CS_ATTRIBUTES, 0x9b)
                .set(X86.RIP, 0x1234)
                .build();
        try (Guest guest = Guest.builder().ram(0, MemorySegment.ofArray(new byte[4096])).vcpu(real).build();
                Guest copy = Guests.open(write(guest, "real"))) {
            assertEquals(3, copy.facts(ElfFacts.class).orElseThrow().machine());
            assertEquals(real, copy.vcpus().getFirst().registers());
            assertEquals(144, copy.vcpus().getFirst().rawContexts().getFirst().bytes().length);
        }
        try (Guest guest = Guest.builder().ram(0, MemorySegment.ofArray(new byte[4096])).vcpu(real).build()) {
            Path target = folder.resolve("forced");
            new ElfCoreFormat().writer(Map.of("machine", "x86-64")).write(guest, target, Progress.none());
            try (Guest copy = Guests.open(target)) {
                assertEquals(62, copy.facts(ElfFacts.class).orElseThrow().machine());
            }
        }
    }

    @Test
    void findsVmcoreInfoInMemory() {
        byte[] memory = new byte[0x4000];
        ByteBuffer note = ByteBuffer.wrap(memory, 0x2000, 0x1000).order(ByteOrder.LITTLE_ENDIAN);
        note.putInt(11).putInt(VMCOREINFO.length).putInt(0).put("VMCOREINFO\0\0".getBytes(StandardCharsets.US_ASCII));
        note.put(VMCOREINFO);
        try (Guest guest = Guest.builder().ram(0, MemorySegment.ofArray(memory)).build();
                Guest copy = Guests.open(write(guest, "linux"))) {
            assertArrayEquals(VMCOREINFO, copy.facts(VmcoreInfoFacts.class).orElseThrow().vmcoreInfo());
        }
    }

    /** Nobody has noted VMCOREINFO, but the kernel keeps it near the end of its memory. */
    @Test
    void goesOverMemoryOnceAndStillTellsOfTheKernel() throws Exception {
        byte[] info = ("OSRELEASE=6.1.0-test\nPAGESIZE=4096\n" + String.join("\n", KERNEL) + "\n")
                .getBytes(StandardCharsets.US_ASCII);
        byte[] memory = Patterns.bytes(0x1000000, 4);
        ByteBuffer text = ByteBuffer.wrap(memory, 0xa00000, 0x1000);
        text.put(info).put((byte) 0);
        ByteBuffer note = ByteBuffer.wrap(memory, 0xffe000, 0x1000).order(ByteOrder.LITTLE_ENDIAN);
        note.putInt(11).putInt(info.length).putInt(0).put("VMCOREINFO\0\0".getBytes(StandardCharsets.US_ASCII))
                .put(info);
        AtomicLong read = new AtomicLong();
        RegionContents contents = (offset, target) -> {
            MemorySegment.copy(MemorySegment.ofArray(memory), offset, target, 0, target.byteSize());
            read.addAndGet(target.byteSize());
            return target.byteSize();
        };
        MemoryRegion region = new MemoryRegion(AddressRange.ofSize(0, memory.length), MemoryRegion.Kind.RAM, "");
        try (Guest guest = Guest.builder().region(region, contents).vcpu(Patterns.longMode(1)).build()) {
            Path file = folder.resolve("once");
            WriteReport report = new ElfCoreFormat().writer(Map.of()).write(guest, file, Progress.none());
            // What is found is read, and held against the page tables.
            assertTrue(read.get() <= memory.length + 64 * 1024, read + " bytes read of " + memory.length);
            assertEquals(Files.size(file), report.bytes());
            try (Guest copy = Guests.open(file)) {
                assertArrayEquals(info, copy.facts(VmcoreInfoFacts.class).orElseThrow().vmcoreInfo());
                assertTrue(copy.facts(ElfFacts.class).orElseThrow().kernelAddresses());
                assertEquals(guest.vcpus().getFirst().registers(), copy.vcpus().getFirst().registers());
                assertEquals(Patterns.contents(guest.memory()), Patterns.contents(copy.memory()));
                Path again = write(copy, "again");
                assertTrue(Files.size(again) < Files.size(file), "no room is left for what is known");
            }
            Path streamed = folder.resolve("streamed");
            try (WritableByteChannel channel = Channels.newChannel(Files.newOutputStream(streamed))) {
                new ElfCoreFormat().writer(Map.of()).write(guest, channel, Progress.none());
            }
            assertEquals(-1, Files.mismatch(streamed, file));
        }
    }

    private static Guest kernelAt(long size, String... lines) {
        byte[] info = ("OSRELEASE=6.1.0-test\nPAGESIZE=4096\n" + String.join("\n", lines) + "\n")
                .getBytes(StandardCharsets.US_ASCII);
        return Guest.builder()
                .ram(0, MemorySegment.ofArray(Patterns.bytes((int) size, 4)))
                .vcpu(Patterns.longMode(1))
                .facts(new VmcoreInfoFacts(info))
                .build();
    }

    private static final String[] KERNEL = {
        "SYMBOL(_stext)=ffffffff85a00000",
        "SYMBOL(swapper_pg_dir)=ffffffff85c10000",
        "SYMBOL(mem_section)=ffff8a241ffa8000",
        // 0x85a00000 lies at 0x600000.
        "NUMBER(phys_base)=-88080384"
    };

    /** drgn starts its page walk at a virtual address. */
    @Test
    void givesTheKernelsImageItsVirtualAddress() throws Exception {
        try (Guest guest = kernelAt(0x1000000, KERNEL)) {
            Path file = write(guest, "core");
            ByteBuffer core = ByteBuffer.wrap(Files.readAllBytes(file)).order(ByteOrder.LITTLE_ENDIAN);
            assertEquals(4, core.getShort(56), "e_phnum");
            long[][] segments = {
                {0, 0, 0x600000}, {0xffffffff85a00000L, 0x600000, 0x400000}, {0xa00000, 0xa00000, 0x600000}
            };
            long offset = core.getLong(64 + 56 + 8);
            for (int i = 0; i < 3; i++) {
                int at = 64 + 56 * (i + 1);
                assertEquals(offset, core.getLong(at + 8), "p_offset");
                assertEquals(segments[i][0], core.getLong(at + 16), "p_vaddr");
                assertEquals(segments[i][1], core.getLong(at + 24), "p_paddr");
                assertEquals(segments[i][2], core.getLong(at + 32), "p_filesz");
                assertEquals(segments[i][2], core.getLong(at + 40), "p_memsz");
                offset += segments[i][2];
            }
            try (Guest copy = Guests.open(file)) {
                assertEquals(1, copy.memory().regions().size(), "the same memory as before");
                assertEquals(Patterns.contents(guest.memory()), Patterns.contents(copy.memory()));
                assertTrue(copy.facts(ElfFacts.class).orElseThrow().kernelAddresses());
            }
        }
    }

    private static RegisterState paged(long root) {
        return RegisterState.builder()
                .set(X86.CR0, 0x8000_0011L)
                .set(X86.CR3, root)
                .set(X86.CR4, 0x20)
                .set(X86.EFER, 0x500)
                .set(X86.RIP, 0x1000)
                .build();
    }

    /** What nobody knows a virtual address of is nowhere, instead of where a process has other bytes. */
    @Test
    void memoryOfAnUnknownKernelIsAtNoVirtualAddressThatThereCanBe() throws Exception {
        MadeUpKernel kernel = MadeUpKernel.at(0x1a00_0000, 8 << 20);
        try (Guest guest = kernel.guest().vcpu(kernel.registers()).build()) {
            assertEquals(List.of("0 4000000000000000"), virtualAddresses(write(guest, "paged")));
        }
    }

    @Test
    void memoryIsAtItsPhysicalAddressesIfPageTablesOrTheirAbsenceSaySo() throws Exception {
        ByteBuffer memory = ByteBuffer.allocate(4 << 20).order(ByteOrder.LITTLE_ENDIAN);
        memory.putLong(0x1000, 0x2003).putLong(0x2000, 0x3003);
        memory.putLong(0x3000, 0x83).putLong(0x3008, 0x20_0083);
        MemorySegment bytes = MemorySegment.ofArray(memory.array());
        try (Guest guest = Guest.builder().ram(0, bytes).vcpu(paged(0x1000)).build()) {
            assertEquals(List.of("0 0"), virtualAddresses(write(guest, "identity")));
        }
        try (Guest guest = Guest.builder().ram(0, bytes).ram(0x800000, bytes).vcpu(paged(0x1000)).build()) {
            assertEquals(List.of("0 0", "800000 4000000000800000"), virtualAddresses(write(guest, "half")));
        }
        RegisterState unpaged = paged(0x1000).toBuilder().set(X86.CR0, 0x11).set(X86.EFER, 0).build();
        try (Guest guest = Guest.builder().ram(0, bytes).ram(0x800000, bytes).vcpu(unpaged).build()) {
            assertEquals(List.of("0 0", "800000 800000"), virtualAddresses(write(guest, "unpaged")));
        }
        try (Guest guest = Guest.builder().ram(0x800000, bytes).build()) {
            assertEquals(List.of("800000 800000"), virtualAddresses(write(guest, "bare")));
        }
    }

    /** p_paddr and p_vaddr of each segment of memory. */
    private static List<String> virtualAddresses(Path core) throws IOException {
        ByteBuffer file = ByteBuffer.wrap(Files.readAllBytes(core)).order(ByteOrder.LITTLE_ENDIAN);
        return IntStream.range(1, file.getShort(56))
                .map(i -> 64 + 56 * i)
                .mapToObj(at -> Long.toHexString(file.getLong(at + 24)) + " " + Long.toHexString(file.getLong(at + 16)))
                .toList();
    }

    @Test
    void givesNoVirtualAddressToWhatIsNotStored() {
        String[] elsewhere = KERNEL.clone();
        elsewhere[3] = "NUMBER(phys_base)=281474976710656";
        String[] odd = KERNEL.clone();
        odd[3] = "NUMBER(phys_base)=-88080383";
        for (String[] lines : List.of(elsewhere, odd, new String[] {KERNEL[0], KERNEL[1]}, new String[] {KERNEL[3]})) {
            try (Guest guest = kernelAt(0x1000000, lines);
                    Guest copy = Guests.open(write(guest, "core" + Arrays.hashCode(lines)))) {
                assertFalse(copy.facts(ElfFacts.class).orElseThrow().kernelAddresses());
                assertEquals(Patterns.contents(guest.memory()), Patterns.contents(copy.memory()));
            }
        }
        try (Guest guest = kernelAt(0x9ff000, KERNEL);
                Guest copy = Guests.open(write(guest, "short"))) {
            assertFalse(copy.facts(ElfFacts.class).orElseThrow().kernelAddresses());
        }
    }

    @Test
    void refusesWhatItCannotWrite() {
        try (Guest guest = Guest.builder().device(0, 0x1000, "x").build()) {
            UnsupportedRequestException error = assertThrows(
                    UnsupportedRequestException.class,
                    () -> new ElfCoreFormat().writer(Map.of()).plan(guest));
            assertEquals(
                    "this guest has no memory, and no program opens an ELF core without memory; nothing is written",
                    error.getMessage());
        }
        assertThrows(UnsupportedRequestException.class, () -> new ElfCoreFormat().writer(Map.of("layout", "7")));
        assertThrows(UnsupportedRequestException.class, () -> new ElfCoreFormat().writer(Map.of("machine", "vax")));
    }

    @Test
    @Tag("foreign")
    void elfToolsDoNotComplain() {
        ForeignTools.require("readelf", "eu-readelf");
        try (Guest guest = guest()) {
            String core = write(guest, "core").toString();
            String readelf = ForeignTools.output("readelf", "-aW", core);
            assertFalse(readelf.toLowerCase(Locale.ROOT).contains("warning"), readelf);
            assertFalse(readelf.toLowerCase(Locale.ROOT).contains("error"), readelf);
            assertTrue(readelf.contains("NT_PRSTATUS"), readelf);
            String elfutils = ForeignTools.output("eu-readelf", "-a", core);
            assertFalse(elfutils.toLowerCase(Locale.ROOT).contains("invalid"), elfutils);
            assertTrue(elfutils.contains("rip:"), elfutils);
        }
    }

    @Test
    @Tag("foreign")
    void gdbShowsTheRegistersAndTheMemory() {
        ForeignTools.require("gdb");
        try (Guest guest = guest()) {
            RegisterState registers = guest.vcpus().get(1).registers();
            String text = ForeignTools.output("gdb", "-nx", "-q", "-batch", "-ex", "core-file " + write(guest, "core"),
                    "-ex", "thread 2", "-ex", "printf \"%lx %lx %lx %lx\\n\", $rip, $rsp, $r15, $gs_base",
                    "-ex", "x/2xb 0x1000");
            assertTrue(text.contains(Long.toHexString(registers.get(X86.RIP)) + " "
                    + Long.toHexString(registers.get(X86.RSP)) + " " + Long.toHexString(registers.get(X86.R15)) + " "
                    + Long.toHexString(registers.get(X86.GS_BASE))), text);
            byte[] low = Patterns.bytes(0x1002, 1);
            assertTrue(text.contains(String.format("0x%02x\t0x%02x", low[0x1000], low[0x1001])), text);
        }
    }

    /** crash takes the file for a dump: it finds VMCOREINFO in it. */
    @Test
    @Tag("foreign")
    void crashFindsTheKernelRelease() {
        ForeignTools.require("crash");
        try (Guest guest = guest()) {
            assertEquals("6.1.0-test\n", ForeignTools.output("crash", "--osrelease", write(guest, "core").toString()));
        }
    }

    @Test
    @Tag("foreign")
    void libkdumpfileReadsThePagesAndRegisters() throws IOException {
        ForeignTools.requirePython("kdumpfile");
        try (Guest guest = guest()) {
            String text = ForeignTools.python("""
                    import sys, hashlib
                    from kdumpfile import kdumpfile, KDUMP_MACHPHYSADDR
                    core = kdumpfile(sys.argv[1])
                    print(core.attr['file.format'], core.attr['arch.name'], core.attr['cpu.number'],
                          '%x' % core.attr['cpu.1.reg.rip'])
                    for first, size in ((0, 0x9f000), (0xf0000, 0x10000), (0x100000000, 0x200000)):
                        print(hashlib.sha256(core.read(KDUMP_MACHPHYSADDR, first, size)).hexdigest())
                    """, write(guest, "core").toString());
            StringBuilder expected = new StringBuilder("elf x86_64 2 ")
                    .append(Long.toHexString(guest.vcpus().get(1).registers().get(X86.RIP)))
                    .append('\n');
            for (MemoryRegion region : guest.memory().regions()) {
                if (region.hasContent()) {
                    byte[] bytes = new byte[(int) region.range().size()];
                    guest.memory().read(region.range().first(), MemorySegment.ofArray(bytes));
                    expected.append(Patterns.sha256(bytes)).append('\n');
                }
            }
            assertEquals(expected.toString(), text);
        }
    }

    @Test
    @Tag("foreign")
    void drgnReadsPhysicalMemory() {
        ForeignTools.requirePython("drgn");
        byte[] text = ("OSRELEASE=6.1.0-test\nPAGESIZE=4096\nSYMBOL(init_uts_ns)=ffffffff82a12345\n"
                + "SYMBOL(swapper_pg_dir)=ffffffff82a10000\nKERNELOFFSET=0\nNUMBER(KERNEL_IMAGE_SIZE)=1073741824\n"
                + "LENGTH(mem_section)=0\nSYMBOL(mem_section)=ffffffff82a20000\n").getBytes(StandardCharsets.US_ASCII);
        try (Guest guest = Guest.builder()
                .ram(0, MemorySegment.ofArray(Patterns.bytes(0x10000, 1)))
                .vcpu(Patterns.longMode(1))
                .facts(new VmcoreInfoFacts(text))
                .build()) {
            String read = ForeignTools.python("""
                    import sys, drgn
                    program = drgn.Program()
                    program.set_core_dump(sys.argv[1])
                    print(program.flags & drgn.ProgramFlags.IS_LINUX_KERNEL != 0, program.platform.arch.name)
                    print(program.read(0x1234, 8, True).hex())
                    """, write(guest, "drgn").toString());
            byte[] expected = Arrays.copyOfRange(Patterns.bytes(0x10000, 1), 0x1234, 0x123c);
            assertEquals("True X86_64\n" + HexFormat.of().formatHex(expected) + "\n", read);
        }
    }
}
