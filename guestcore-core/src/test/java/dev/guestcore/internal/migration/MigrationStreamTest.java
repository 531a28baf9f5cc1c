package dev.guestcore.internal.migration;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.arch.x86.X86;
import dev.guestcore.cpu.RegisterState;
import dev.guestcore.error.GuestcoreException;
import dev.guestcore.error.MalformedDumpException;
import dev.guestcore.error.UnsupportedRequestException;
import dev.guestcore.report.Severity;
import dev.guestcore.testing.MigrationFiles;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.Channels;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

class MigrationStreamTest {

    private static final int PAGE = 4096;

    /** Writes down what it is given. */
    private static final class Notes implements RamSink {

        private final List<String> events = new ArrayList<>();
        private final List<byte[]> pages = new ArrayList<>();
        private final List<Long> positions = new ArrayList<>();

        @Override
        public void block(RamBlock block) {
            events.add("block " + block.index() + " " + block.name() + " " + block.size());
        }

        @Override
        public void page(RamBlock block, long offset, MemorySegment page, long position) {
            events.add("page " + block.name() + " " + offset);
            pages.add(page.toArray(ValueLayout.JAVA_BYTE));
            positions.add(position);
        }

        @Override
        public void fill(RamBlock block, long offset, byte value) {
            events.add("fill " + block.name() + " " + offset + " " + value);
        }
    }

    private static byte[] page(int seed) {
        byte[] page = new byte[PAGE];
        new Random(seed).nextBytes(page);
        return page;
    }

    private static MachineState read(byte[] stream, RamSink sink) {
        return new MigrationStream(Channels.newChannel(new ByteArrayInputStream(stream)), "stream", sink).read();
    }

    private static MachineState read(byte[] stream) {
        return read(stream, new Notes());
    }

    private static MigrationFiles begun() {
        return new MigrationFiles("pc-i440fx-7.2").blocks("pc.ram", 4 * PAGE, "vga.vram", PAGE);
    }

    private static MigrationFiles withRam() {
        return begun().page("pc.ram", 0, page(1)).fill("pc.ram", PAGE, 0).endOfRam();
    }

    @Test
    void handsMemoryOverInTheOrderOfTheStream() {
        MigrationFiles file = begun().page("pc.ram", 0, page(1))
                .page("pc.ram", 2 * PAGE, page(2))
                .fill("pc.ram", PAGE, 0)
                .nextRun()
                .fill("vga.vram", 0, 0xff)
                .deflated("pc.ram", 3 * PAGE, page(3))
                .page("pc.ram", 0, page(4))
                .endOfRam();
        Notes notes = new Notes();
        MachineState state = read(file.finish(), notes);
        assertEquals(List.of("block 0 pc.ram 16384", "block 1 vga.vram 4096", "page pc.ram 0", "page pc.ram 8192",
                "fill pc.ram 4096 0", "fill vga.vram 0 -1", "page pc.ram 12288", "page pc.ram 0"), notes.events);
        for (int i = 0; i < 4; i++) {
            assertArrayEquals(page(i + 1), notes.pages.get(i));
        }
        assertEquals(List.of(file.positionOf("pc.ram", 2 * PAGE), RamSink.NOT_STORED, file.positionOf("pc.ram", 0)),
                notes.positions.subList(1, 4));
        assertEquals("pc-i440fx-7.2", state.machine());
        assertEquals(List.of(new RamBlock(0, "pc.ram", 16384), new RamBlock(1, "vga.vram", 4096)), state.blocks());
    }

    /** A socket gives what it has, also single bytes. */
    @Test
    void readsFromAChannelThatGivesLittleAtATime() {
        byte[] stream = withRam().device("cpu", 0, 12, cpu -> MigrationFiles.cpu(cpu, 0)).finish();
        InputStream trickle = new ByteArrayInputStream(stream) {
            @Override
            public synchronized int read(byte[] target, int offset, int length) {
                return super.read(target, offset, Math.min(length, 7));
            }
        };
        Notes notes = new Notes();
        MachineState state = new MigrationStream(Channels.newChannel(trickle), "stream", notes).read();
        assertArrayEquals(page(1), notes.pages.getFirst());
        assertEquals(1, state.vcpus().size());
        assertTrue(state.isWhole());
    }

    private static byte[] pair(long low, long high) {
        return ByteBuffer.allocate(16).order(ByteOrder.LITTLE_ENDIAN).putLong(low).putLong(high).array();
    }

    /** Numbers stay where vCPUs between were unplugged. */
    @Test
    void vcpusKeepTheNumbersThatQemuGaveThem() throws Exception {
        MigrationFiles file = withRam();
        for (int number : new int[] {0, 2, 5}) {
            file.device("cpu", number, 12, fields -> MigrationFiles.cpu(fields, 0x10000L * number));
        }
        MachineState state = read(file.finish());
        assertEquals(List.of(0, 2, 5), state.vcpuNumbers());
        assertEquals(0x20200, state.vcpus().get(1).get(X86.RIP));
        assertEquals(List.of(), state.findings());
    }

    @Test
    void decodesAvx512AndProtectionKeys() throws Exception {
        MachineState state = read(withRam().device("cpu", 0, 12, fields -> {
            MigrationFiles.cpu(fields, 0);
            MigrationFiles.beyondAvx(fields, 0x40);
        })
                .finish());
        RegisterState registers = state.vcpus().getFirst();
        assertEquals(0x440, registers.get(X86.K0));
        assertEquals(0x447, registers.get(X86.K7));
        assertEquals(0x55555554L, registers.get(X86.PKRU));
        ByteBuffer third = ByteBuffer.wrap(registers.bytes(X86.zmm(3))).order(ByteOrder.LITTLE_ENDIAN);
        assertEquals(0x1103, third.getLong(0), "xmm3");
        assertEquals(0x1403, third.getLong(24), "upper half of ymm3");
        assertEquals(0x43, third.getLong(32));
        assertEquals(0x343, third.getLong(56));
        ByteBuffer last = ByteBuffer.wrap(registers.bytes(X86.zmm(31))).order(ByteOrder.LITTLE_ENDIAN);
        assertEquals(0x104f, last.getLong(0));
        assertEquals(0x704f, last.getLong(56));
        assertEquals(List.of(), state.findings());
    }

    @Test
    void decodesAVcpu() {
        long seed = 0x123400000000L;
        RegisterState cpu = read(withRam().device("timer", 0, 2, fields -> fields.numbers("ticks", 8, 1))
                .device("cpu", 0, 12, fields -> MigrationFiles.cpu(fields, seed))
                .device("apic", 0, 3, fields -> fields.numbers("apicbase", 4, 0xfee00900L).numbers("tpr", 1, 0x60))
                .finish())
                .vcpus()
                .getFirst();
        X86[] general =
                {X86.RAX, X86.RCX, X86.RDX, X86.RBX, X86.RSP, X86.RBP, X86.RSI, X86.RDI, X86.R8, X86.R9, X86.R10,
                    X86.R11, X86.R12, X86.R13, X86.R14, X86.R15};
        for (int i = 0; i < 16; i++) {
            assertEquals(seed + 0x100 + i, cpu.get(general[i]));
        }
        assertEquals(seed + 0x200, cpu.get(X86.RIP));
        assertEquals(0x246, cpu.get(X86.RFLAGS));
        assertEquals(0x10, cpu.get(X86.ES));
        assertEquals(seed + 0x5001, cpu.get(X86.CS_BASE));
        assertEquals(0xffff2, cpu.get(X86.SS_LIMIT));
        assertEquals(0xc096, cpu.get(X86.DS_ATTRIBUTES));
        assertEquals(0x14, cpu.get(X86.FS));
        assertEquals(seed + 0x5005, cpu.get(X86.GS_BASE));
        assertEquals(0x20, cpu.get(X86.LDTR));
        assertEquals(0x82, cpu.get(X86.LDTR_ATTRIBUTES));
        assertEquals(seed + 0x7000, cpu.get(X86.TR_BASE));
        assertEquals(seed + 0x8000, cpu.get(X86.GDTR_BASE));
        assertEquals(0xfff, cpu.get(X86.IDTR_LIMIT));
        assertEquals(0x10, cpu.get(X86.SYSENTER_CS));
        assertEquals(seed + 0xa001, cpu.get(X86.SYSENTER_ESP));
        assertEquals(seed + 0xa002, cpu.get(X86.SYSENTER_EIP));
        assertEquals(0x80050033L, cpu.get(X86.CR0));
        assertEquals(seed + 0xb002, cpu.get(X86.CR2));
        assertEquals(seed + 0xb003, cpu.get(X86.CR3));
        assertEquals(0x406e0, cpu.get(X86.CR4));
        assertEquals(6, cpu.get(X86.CR8));
        assertEquals(0xfee00900L, cpu.get(X86.APIC_BASE));
        assertEquals(seed + 0xd3, cpu.get(X86.DR3));
        assertEquals(0xffff0ff0L, cpu.get(X86.DR6));
        assertEquals(0x400, cpu.get(X86.DR7));
        assertEquals(0xd01, cpu.get(X86.EFER));
        assertEquals(0x23001000000000L, cpu.get(X86.STAR));
        assertEquals(seed + 0xe1, cpu.get(X86.LSTAR));
        assertEquals(seed + 0xe2, cpu.get(X86.CSTAR));
        assertEquals(0x47700, cpu.get(X86.SFMASK));
        assertEquals(seed + 0xe3, cpu.get(X86.KERNEL_GS_BASE));
        assertEquals(0x7040600070406L, cpu.get(X86.PAT));
        assertEquals(0x77, cpu.get(X86.TSC_AUX));
        assertEquals(7, cpu.get(X86.XCR0));
        assertEquals(0x37f, cpu.get(X86.FCW));
        assertEquals(0x2841, cpu.get(X86.FSW));
        assertEquals(0xe0, cpu.get(X86.FTW));
        assertEquals(0x5d8, cpu.get(X86.FOP));
        assertEquals(seed + 0xf1, cpu.get(X86.FIP));
        assertEquals(seed + 0xf2, cpu.get(X86.FDP));
        // The top of the stack is 5, so st0 is physical register 5 and st3 is physical register 0.
        assertArrayEquals(Arrays.copyOf(pair(seed + 0xf005, 0x3ff5), 10), cpu.bytes(X86.ST0));
        assertArrayEquals(Arrays.copyOf(pair(seed + 0xf000, 0x3ff0), 10), cpu.bytes(X86.ST3));
        assertEquals(0x1f80, cpu.get(X86.MXCSR));
        assertArrayEquals(pair(seed + 0x110f, seed + 0x120f), cpu.bytes(X86.XMM15));
        byte[] wide = Arrays.copyOf(pair(seed + 0x1102, seed + 0x1202), 32);
        System.arraycopy(pair(seed + 0x1302, seed + 0x1402), 0, wide, 16, 16);
        assertArrayEquals(wide, cpu.bytes(X86.YMM2));
    }

    @Test
    void takesTheX87RegistersInTheOrderOfTheStackUnderKvm() {
        RegisterState cpu = read(withRam().device("cpu", 0, 12, fields -> MigrationFiles.cpu(fields, 0))
                .device("kvmclock", 0, 1, fields -> fields.numbers("clock", 8, 1))
                .finish())
                .vcpus()
                .getFirst();
        assertArrayEquals(Arrays.copyOf(pair(0xf000, 0x3ff0), 10), cpu.bytes(X86.ST0));
    }

    /** Numbers of interrupt controllers are not those of their vCPUs where cores are not a power of two. */
    @Test
    void sortsVcpusByNumberAndInterruptControllersByPlace() {
        MigrationFiles file = withRam();
        for (int i : new int[] {0, 2, 1}) {
            file.device("cpu", i, 12, fields -> MigrationFiles.cpu(fields, 0x10000L * i));
            file.device("apic", 5 * i, 3, fields -> fields.numbers("apicbase", 4, i).numbers("tpr", 1, 0));
        }
        List<RegisterState> cpus = read(file.finish()).vcpus();
        for (int i = 0; i < 3; i++) {
            assertEquals(0x10000L * i + 0x200, cpus.get(i).get(X86.RIP));
            assertEquals(i, cpus.get(i).get(X86.APIC_BASE));
        }
    }

    @Test
    void findsWhatMemoryIsPlacedBy() {
        byte[] config = MigrationFiles.i440fx(3);
        MachineState state = read(withRam()
                .device("0000:00:00.0/I440FX", 0, 3, fields -> fields.pciDevice(config))
                .device("mc146818rtc", 0, 3,
                        fields -> fields.bytes("cmos_data", "buffer", MigrationFiles.cmos(1 << 28, 0)))
                .device("cpu", 0, 12, fields -> MigrationFiles.cpu(fields, 0))
                .device("globalstate", 0, 1, fields -> fields.numbers("size", 4, 7)
                        .bytes("runstate", "buffer", Arrays.copyOf("paused".getBytes(), 100)))
                .finish());
        assertTrue(state.isWhole(), state.findings()::toString);
        assertArrayEquals(config, state.pciConfig().get("0000:00:00.0/I440FX"));
        assertArrayEquals(MigrationFiles.cmos(1 << 28, 0), state.cmos().orElseThrow());
        assertEquals("paused", state.runState().orElseThrow());
    }

    @Test
    void readsStreamsWithoutFooters() {
        MigrationFiles file = new MigrationFiles("pc-i440fx-2.3").withoutFooters().blocks("pc.ram", PAGE);
        MachineState state = read(file.fill("pc.ram", 0, 0).endOfRam()
                .device("timer", 0, 2, fields -> fields.numbers("ticks", 8, 1))
                .device("cpu", 0, 12, fields -> MigrationFiles.cpu(fields, 0))
                .finish());
        assertEquals(List.of(), state.findings());
        assertEquals(0x200, state.vcpus().getFirst().get(X86.RIP));
    }

    private static String damage(MachineState state) {
        assertFalse(state.isWhole());
        return state.findings().stream()
                .filter(finding -> finding.severity() == Severity.DAMAGE)
                .findFirst()
                .orElseThrow()
                .message();
    }

    @Test
    void keepsTheVcpusBeforeADeviceWhoseDataDoNotFit() {
        MigrationFiles file = withRam().device("cpu", 0, 12, fields -> MigrationFiles.cpu(fields, 0));
        file.device("odd", 0, 1, fields -> fields.numbers("value", 4, 1));
        byte[] stream = file.device("cpu", 1, 12, fields -> MigrationFiles.cpu(fields, 0)).finish();
        String text = new String(stream, StandardCharsets.ISO_8859_1);
        int at = text.indexOf("\"uint32\",\"size\":4}]},{\"name\":\"cpu\",\"instance_id\":1")
                + "\"uint32\",\"size\":".length();
        stream[at] = '8';
        MachineState state = read(stream);
        assertEquals(1, state.vcpus().size());
        assertTrue(damage(state).contains("the foot of section 11 of device odd"), damage(state));
    }

    @Test
    void saysWhenTheDescriptionIsMissingOrNoJson() {
        MigrationFiles file = withRam();
        assertTrue(damage(read(file.u8(0).bytes())).contains("suppress-vmdesc"));
        assertTrue(damage(read(withRam().finish("{\"devices\":[}"))).contains("expected JSON"));
        assertTrue(damage(read(withRam().finish("{\"devices\":" + "[{\"x\":".repeat(100) + "}")))
                .contains("expected JSON"));
        assertTrue(damage(read(withRam().finish("{\"page_size\":16384}"))).contains("page_size 4096"));
        assertTrue(damage(read(withRam().finish())).contains("there is no vCPU of x86"));
    }

    @Test
    void boundsWhatADescriptionClaims() {
        for (String field : List.of("\"size\":8,\"array_len\":4611686018427387904", "\"size\":-1",
                "\"size\":9223372036854775807", "\"size\":8,\"array_len\":-3", "\"size\":99999999999999999999")) {
            MigrationFiles file = withRam();
            byte[] stream = file.u8(4).i32(9).text("cpu").i32(0).i32(12).i64(0).u8(0x7e).i32(9)
                    .finish("{\"devices\":[{\"name\":\"cpu\",\"instance_id\":0,\"version\":12,\"fields\":[{\"name\":\"x\","
                            + field + "}]}]}");
            assertTrue(damage(read(stream)).contains("expected "), field);
        }
    }

    private static String refusal(byte[] stream) {
        return assertThrows(UnsupportedRequestException.class, () -> read(stream)).getMessage();
    }

    @Test
    void refusesWhatOtherCapabilitiesWrite() {
        assertTrue(refusal(begun().i64(0x40 | 0x20).bytes())
                .contains("(xbzrle), which Guestcore cannot read; QEMU itself can load the file"));
        assertTrue(refusal(begun().endOfRam().u8(8).raw((byte) 0, (byte) 4, (byte) 0, (byte) 0).bytes())
                .contains("only a guest that still runs has it"));
        MigrationFiles mapped = new MigrationFiles("pc-q35-9.0");
        mapped.u8(5).text("configuration/capabilities").i32(1).i32(2).text("multifd").text("mapped-ram");
        assertTrue(refusal(mapped.bytes()).contains("a file of QEMU's mapped-ram"));
        assertTrue(
                refusal(mapped.bytes()).contains("migrate_set_capability mapped-ram on, migrate_incoming file:FILE"));
        MigrationFiles shared = new MigrationFiles("pc-q35-9.0");
        shared.u8(5).text("configuration/capabilities").i32(1).i32(1).text("x-ignore-shared");
        assertTrue(refusal(shared.bytes()).contains("capability x-ignore-shared, which Guestcore cannot read"));
        MigrationFiles early = new MigrationFiles("pc-q35-8.2");
        early.u8(4).i32(1).text("virtio-mem-device-early").i32(0).i32(1);
        assertTrue(refusal(early.bytes()).contains("virtio-mem-device-early"));
        MigrationFiles block = new MigrationFiles("pc-q35-8.2");
        block.u8(1).i32(1).text("block").i32(0).i32(1);
        assertTrue(refusal(block.bytes()).contains("'block'"));
    }

    /** Proxmox has a section for its backup server, QEMU one for bitmaps of disks; both say how long they are. */
    @Test
    void skipsSectionsOfWhichItKnowsTheLength() {
        MigrationFiles file = new MigrationFiles("pc-i440fx-9.2+pve1");
        file.u8(1).i32(7).text("dirty-bitmap").i32(0).i32(1);
        file.u8(0x1c).text("drive0").text("bitmap0").i32(65536).u8(1).u8(0x01).u8(0x7e).i32(7);
        file.u8(1).i32(8).text("pbs-state").i32(0).i32(1).i64(700_000).raw(new byte[700_000]).u8(0x7e).i32(8);
        file.blocks("pc.ram", 2 * PAGE).page("pc.ram", PAGE, page(5)).endOfRam();
        file.u8(3).i32(7).u8(0x80 | 0x40).u8(0x80).raw((byte) 0, (byte) 0).i64(0).i32(8).i64(3).raw((byte) 1, (byte) 2,
                (byte) 3);
        file.u8(0x42).i64(8).i32(8).u8(0x20).u8(0x01).u8(0x7e).i32(7);
        byte[] stream = file.u8(0).bytes();
        assertEquals(1, read(stream).blocks().size());
        MigrationFiles torn = new MigrationFiles("pc");
        torn.u8(1).i32(8).text("pbs-state").i32(0).i32(1).i64(Long.MAX_VALUE).raw(new byte[100]);
        assertTrue(error(torn).contains("the stream is cut short"), error(torn));
        MigrationFiles negative = new MigrationFiles("pc");
        negative.u8(1).i32(8).text("pbs-state").i32(0).i32(1).i64(-1);
        assertTrue(error(negative).contains("length of a state of a backup server"), error(negative));
    }

    @Test
    void skipsCommandsThatChangeNothing() {
        MigrationFiles file = new MigrationFiles("pc-q35-10.0");
        file.u8(8).raw((byte) 0, (byte) 2, (byte) 0, (byte) 4).i32(77);
        byte[] stream = file.blocks("pc.ram", PAGE).fill("pc.ram", 0, 0).endOfRam().u8(8)
                .raw((byte) 0, (byte) 11, (byte) 0, (byte) 0).u8(0).bytes();
        assertEquals(1, read(stream).blocks().size());
    }

    private static String error(MigrationFiles file) {
        return assertThrows(MalformedDumpException.class, () -> read(file.bytes())).getMessage();
    }

    @Test
    void saysWhatIsWrongWithMemory() {
        assertEquals(
                "stream: at offset 0x74: offset of a page in block pc.ram: expected less than 0x4000, found 0x4000;"
                        + " the stream is damaged before this place",
                error(begun().page("pc.ram", 4 * PAGE, page(1))));
        assertTrue(error(begun().fill("pc.rom", 0, 0)).contains("found 'pc.rom'"));
        assertTrue(error(begun().i64(0x28)).contains("first page: expected a block name"));
        assertTrue(error(begun().i64(0x0c)).contains("found 00c"));
        assertTrue(error(begun().i64(PAGE | 4)).contains("found a second one"));
        assertTrue(error(new MigrationFiles("pc").blocks("a", 5000, "b", 3192)).contains("a multiple of 4096"));
        assertTrue(error(new MigrationFiles("pc").blocks("a", PAGE, "a", PAGE)).contains("'a' again"));
        assertTrue(error(new MigrationFiles("pc").blocks("a", Long.MIN_VALUE)).contains("size of block a"));
        MigrationFiles lie = new MigrationFiles("pc");
        lie.u8(1).i32(1).text("ram").i32(0).i32(4).i64(PAGE | 4).text("a").i64(2 * PAGE);
        assertTrue(error(lie).contains("at most 0x1000, found 0x2000"));
        assertTrue(error(begun().i64(0x120).i32(-1)).contains("first page"));
        assertTrue(error(begun().fill("pc.ram", 0, 0).i64(0x120).i32(-1)).contains("found 4294967295"));
    }

    @Test
    void endsInAnErrorOrAFindingWhereverAStreamIsCut() {
        byte[] stream = withRam().device("cpu", 0, 12, fields -> MigrationFiles.cpu(fields, 0)).finish();
        int ram = withRam().bytes().length;
        for (int length = 0; length < stream.length; length += length > 100 && length < PAGE ? 97 : 1) {
            byte[] cut = Arrays.copyOf(stream, length);
            if (length <= ram) {
                assertThrows(MalformedDumpException.class, () -> read(cut), "cut at " + length);
            } else {
                assertFalse(read(cut).isWhole(), "cut at " + length);
            }
        }
        assertTrue(read(stream).isWhole());
    }

    @Test
    void throwsNothingButItsOwnErrors() {
        byte[] stream = withRam().device("cpu", 0, 12, fields -> MigrationFiles.cpu(fields, 0))
                .device("apic", 0, 3, fields -> fields.numbers("apicbase", 4, 1).numbers("tpr", 1, 0))
                .finish();
        Random random = new Random(7);
        int errors = 0;
        for (int i = 0; i < 3000; i++) {
            byte[] broken = stream.clone();
            for (int j = random.nextInt(3); j >= 0; j--) {
                int at = random.nextInt(10) == 0 ? random.nextInt(150) : random.nextInt(broken.length - 4300) + 4300;
                broken[at] = (byte) random.nextInt();
            }
            try {
                errors += read(broken).isWhole() ? 0 : 1;
            } catch (GuestcoreException e) {
                errors++;
            }
        }
        assertTrue(errors > 1000, "of 3000 broken streams " + errors + " were found to be broken");
    }

    @Test
    void saysWhichReadFailed() {
        InputStream failing = new InputStream() {
            @Override
            public int read() throws IOException {
                throw new IOException("connection reset");
            }
        };
        GuestcoreException error = assertThrows(GuestcoreException.class,
                () -> new MigrationStream(Channels.newChannel(failing), "stream", new Notes()).read());
        assertEquals("stream: reading at offset 0x0 failed: connection reset", error.getMessage());
    }
}
