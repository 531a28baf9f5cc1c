package dev.guestcore.serve.gdb;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.AddressRange;
import dev.guestcore.Guest;
import dev.guestcore.MemoryRegion;
import dev.guestcore.Provenance;
import dev.guestcore.RegionContents;
import dev.guestcore.arch.Architectures;
import dev.guestcore.arch.x86.X86;
import dev.guestcore.cpu.Architecture;
import dev.guestcore.cpu.Register;
import dev.guestcore.cpu.RegisterState;
import dev.guestcore.cpu.TargetDescription;
import dev.guestcore.testing.DebuggedGuest;
import dev.guestcore.testing.Patterns;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Random;
import java.util.concurrent.locks.LockSupport;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

class GdbServerTest {

    private static final String GDB = "qSupported:multiprocess+;swbreak+;hwbreak+;qRelocInsn+;xmlRegisters=i386";
    private static final Pattern REGISTER =
            Pattern.compile("<reg name=\"([a-z0-9_]+)\" bitsize=\"(\\d+)\"[^>]*regnum=\"(\\d+)\"/>");

    private final Guest guest = DebuggedGuest.create();

    private String last(String... packets) {
        return Wire.ask(guest, packets).getLast();
    }

    private static String hex(String text) {
        return HexFormat.of().formatHex(text.getBytes(StandardCharsets.UTF_8));
    }

    private static String text(String hex) {
        return new String(HexFormat.of().parseHex(hex), StandardCharsets.UTF_8);
    }

    /** What a monitor command prints. */
    private String monitor(String... packets) {
        List<String> replies = Wire.ask(guest, packets);
        assertEquals("OK", replies.getLast());
        StringBuilder shown = new StringBuilder();
        replies.stream().filter(reply -> reply.startsWith("O") && !reply.equals("OK"))
                .forEach(reply -> shown.append(text(reply.substring(1))));
        return shown.toString();
    }

    private static String command(String line) {
        return "qRcmd," + hex(line);
    }

    private static String xml(Guest of) {
        String reply = Wire.ask(of, "qXfer:features:read:target.xml:0,1ffff").getLast();
        assertEquals('l', reply.charAt(0));
        return reply.substring(1);
    }

    private static String register(Guest of, String name, String... before) {
        Matcher matcher = REGISTER.matcher(xml(of));
        while (matcher.find()) {
            if (matcher.group(1).equals(name)) {
                String[] packets = Arrays.copyOf(before, before.length + 1);
                packets[before.length] = "p" + Integer.toHexString(Integer.parseInt(matcher.group(3)));
                return Wire.ask(of, packets).getLast();
            }
        }
        throw new AssertionError("no register " + name);
    }

    private static String littleEndian(long value) {
        return String.format("%016x", Long.reverseBytes(value));
    }

    @Test
    void tellsWhatItCan() {
        String reply = last(GDB);
        assertEquals(
                "PacketSize=20000;qXfer:features:read+;QStartNoAckMode+;vContSupported+;binary-upload+;multiprocess+",
                reply);
        assertFalse(last("qSupported").contains("multiprocess"));
    }

    @Test
    void vcpusAreThreads() {
        assertEquals("mp1.1,p1.2", last(GDB, "qfThreadInfo"));
        assertEquals("l", last(GDB, "qfThreadInfo", "qsThreadInfo"));
        assertEquals("m1,2", last("qfThreadInfo"));
        assertEquals("QCp1.1", last(GDB, "qC"));
        assertEquals("QCp1.2", last(GDB, "Hgp1.2", "qC"));
        assertEquals("QCp1.2", last(GDB, "Hgp1.2", "Hc-1", "Hgp0.0", "qC"));
        assertEquals("T05thread:p1.1;", last(GDB, "?"));
        assertEquals("OK", last(GDB, "Tp1.2"));
        assertEquals("E22", last("T3"));
        assertEquals("E22", last("Hg3"));
        assertEquals(
                "vCPU 1: 64-bit ring 0, rip 0xffffffff81000002", text(last(GDB, "qThreadExtraInfo,p1.2")));
        assertEquals("1", last("qAttached:1"));
    }

    @Test
    void givesEveryRegister() {
        assertEquals(littleEndian(0x1111_1111_1111_1100L), register(guest, "rax"));
        assertEquals(littleEndian(0x1111_1111_1111_1101L), register(guest, "rax", GDB, "Hgp1.2"));
        assertEquals(littleEndian(DebuggedGuest.BASE + 2), register(guest, "rip", GDB, "Hgp1.2"));
        assertEquals(littleEndian(0x5000), register(guest, "cr3", "Hg2"));
        assertEquals(littleEndian(0xd01), register(guest, "efer"));
        assertEquals(littleEndian(0x1234), register(guest, "k_gs_base"));
        assertEquals(littleEndian(0x7f00_1234_5000L), register(guest, "fs_base"));
        assertEquals("46020000", register(guest, "eflags"));
        assertEquals("10000000", register(guest, "cs"));
        assertEquals("7f000000", register(guest, "gdtr_limit"));
        assertEquals("000102030405060708090a0b0c0d0e0f", register(guest, "xmm0"));
        assertEquals("202122232425262728292a2b2c2d2e2f", register(guest, "ymm1h"));
        assertEquals("7f030000", register(guest, "fctrl"));
        // TOP is 6: register 6 holds ST0 = 1 (valid), register 7 ST1 = 0 (zero), all others are empty.
        assertEquals("ff4f0000", register(guest, "ftag"));
    }

    /** Two registers that swap places are two wrong answers that nothing else would notice. */
    @Test
    void everyRegisterHasItsOwnName() {
        List<String> names =
                List.of("rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "rsp", "r8", "r9", "r10", "r11", "r12",
                        "r13", "r14", "r15", "rip", "cs", "ss", "ds", "es", "fs", "gs", "fs_base", "gs_base", "cr0",
                        "cr2", "cr3",
                        "cr4");
        RegisterState.Builder registers = RegisterState.builder();
        // As its own mode needs them: a vCPU in long mode.
        Map<String, Long> values = new HashMap<>(Map.of("cr0", 0x8005_0033L, "cr4", 0xa0L, "cs", 0x10L, "ss", 0x18L));
        for (int i = 0; i < names.size(); i++) {
            values.putIfAbsent(names.get(i), names.get(i).length() == 2 && names.get(i).endsWith("s")
                    ? 0x20L + 8L * i
                    : 0x0102_0304_0506_0708L * 3 + i);
        }
        values.put("cr3", 0x1000L);
        values.forEach(
                (name, value) -> registers.set(X86.ofLabel(name.replace("_base", ".base")).orElseThrow(), value));
        registers.set(X86.CS_ATTRIBUTES, 0xa09b).set(X86.EFER, 0xd01);
        Guest distinct = Guest.builder()
                .ram(0, MemorySegment.ofArray(new byte[0x2000]))
                .vcpu(registers.build())
                .provenance(Provenance.of("made up", "test"))
                .build();
        for (String name : names) {
            String shown = register(distinct, name);
            assertEquals(littleEndian(values.get(name)).substring(0, shown.length()), shown, name);
        }
    }

    @Test
    void registersThatTheSourceDoesNotKnowAreUnavailable() {
        assertEquals("x".repeat(16), register(guest, "cr8"));
        assertEquals("x".repeat(20), register(guest, "st2"));
        assertEquals("x".repeat(16), register(guest, "orig_rax"));
        // lldb would take the letters for a value.
        assertEquals("E22;" + hex("the source does not know this register"),
                register(guest, "cr8", "QEnableErrorStrings"));
        assertEquals("E22", last("p9999"));
    }

    @Test
    void allRegistersAreTheSingleOnesInARow() {
        String all = last("g");
        int at = 0;
        Matcher matcher = REGISTER.matcher(xml(guest));
        int number = 0;
        while (matcher.find()) {
            assertEquals(number, Integer.parseInt(matcher.group(3)));
            int digits = Integer.parseInt(matcher.group(2)) / 4;
            assertEquals(last("p" + Integer.toHexString(number)), all.substring(at, at + digits), matcher.group(1));
            at += digits;
            number++;
        }
        assertEquals(all.length(), at);
        assertTrue(number > 80, "registers: " + number);
    }

    @Test
    void givesTheDescriptionInPieces() {
        String whole = xml(guest);
        assertTrue(whole.contains("<architecture>i386:x86-64</architecture>"));
        assertEquals("m" + whole.substring(100, 150), last("qXfer:features:read:target.xml:64,32"));
        assertEquals("l", last("qXfer:features:read:target.xml:ffffff,32"));
        assertEquals("E00", last("qXfer:features:read:other.xml:0,32"));
    }

    @Test
    void readsMemoryThroughThePageTablesOfTheSelectedVcpu() {
        String range = Long.toHexString(DebuggedGuest.TEXT) + ",1b";
        assertEquals(hex(DebuggedGuest.TEXT_0), last("m" + range));
        assertEquals(hex(DebuggedGuest.TEXT_1), last("Hg2", "m" + range));
        assertEquals(hex(DebuggedGuest.TEXT_0), last("Hg2", "Hg1", "m" + range));
        assertEquals("b" + DebuggedGuest.TEXT_1, last("Hg2", "x" + range));
        assertEquals("b", last("x0,0"));
    }

    @Test
    void binaryMemoryHoldsEveryByteValue() {
        StringBuilder expected = new StringBuilder("b");
        for (int i = 0; i < 256; i++) {
            expected.append((char) i);
        }
        assertEquals(expected.toString(), last("x" + Long.toHexString(DebuggedGuest.BYTES) + ",100"));
    }

    @Test
    void readsUpToWhereMemoryEnds() {
        String start = Long.toHexString(DebuggedGuest.NOT_MAPPED - 2);
        assertEquals(4, last("m" + start + ",10").length());
        assertEquals("E14", last("m" + Long.toHexString(DebuggedGuest.NOT_MAPPED) + ",10"));
        // gdb before 16 cannot take a text here.
        assertEquals("E14", last(GDB, "m" + Long.toHexString(DebuggedGuest.NOT_MAPPED) + ",10"));
        assertEquals("E14", last("m8000000000000000,8"));
        assertEquals("E14", last("mffffffffffffffff,ffffffffffffffff"));
        assertEquals(2 * 0x6000 + 0x2000, last("m" + Long.toHexString(DebuggedGuest.BASE) + ",ffffffff").length());
    }

    @Test
    void readsPhysicalMemoryOnRequest() {
        String text = hex(DebuggedGuest.TEXT_1);
        assertEquals("E14", last("mb000,1b"));
        assertEquals(text, last(command("phys on"), "mb000,1b"));
        assertEquals("E14", last(command("phys on"), command("phys off"), "mb000,1b"));
        assertEquals(text, last("Qqemu.PhyMemMode:1", "mb000,1b"));
        assertEquals("1", last("Qqemu.PhyMemMode:1", "qqemu.PhyMemMode"));
    }

    @Test
    void searchesMemory() {
        String from = Long.toHexString(DebuggedGuest.BASE) + ";" + Long.toHexString(-DebuggedGuest.BASE) + ";";
        assertEquals("1," + Long.toHexString(DebuggedGuest.TEXT), last("qSearch:memory:" + from + "Guestcore"));
        assertEquals("0", last("qSearch:memory:" + from + "no such text"));
        assertEquals("0", last("qSearch:memory:" + from + DebuggedGuest.TEXT_1));
        assertEquals(
                "1," + Long.toHexString(DebuggedGuest.TEXT),
                last("Hg2", "qSearch:memory:" + from + DebuggedGuest.TEXT_1));
        // All of the address space, holes and all; the needle has bytes that are escaped on the wire.
        assertEquals(
                "1," + Long.toHexString(DebuggedGuest.BYTES + '"'),
                last("qSearch:memory:0;ffffffffffffffff;\"#$%&'()*+"));
        assertEquals("1,b000", last(command("phys on"), "qSearch:memory:0;10000;" + DebuggedGuest.TEXT_1));
        assertEquals("E22", last("qSearch:memory:0"));
    }

    @Test
    void refusesToChangeAnything() {
        String refusal = "E.this is a frozen machine, served read-only: memory and registers cannot be changed";
        for (String packet : List.of("M1000,1:00", "X1000,1:a", "G00", "P0=00")) {
            assertEquals(refusal, last(GDB, packet));
            assertEquals("E30", last(packet));
            assertEquals("E30;" + hex(refusal.substring(2)), last("QEnableErrorStrings", packet));
        }
        assertEquals(
                "E.this is a frozen machine, served read-only: it never runs, so there are no breakpoints",
                last(GDB, "Z0,1000,1"));
    }

    @Test
    void refusesToRun() {
        for (String packet : List.of("c", "s", "vCont;c", "vCont;s:p1.1;c:p1.-1", "C05", "bc")) {
            List<String> replies = Wire.ask(guest, GDB, packet);
            assertEquals(
                    "O" + hex("guestcore: this is a frozen machine, served read-only: it cannot run or step\n"),
                    replies.get(1));
            assertEquals("T02thread:p1.1;", replies.get(2));
        }
        assertEquals("vCont;c;C;s;S", last("vCont?"));
    }

    @Test
    void doesNotKnowWhatItDoesNotKnow() {
        for (String packet : List.of("vMustReplyEmpty", "vFile:open:00,0,0", "!", "qTStatus", "jThreadsInfo", "")) {
            assertEquals("", last(packet));
        }
    }

    @Test
    void endsWhenTheClientLeaves() {
        assertEquals(List.of("OK"), Wire.ask(guest, "D;1", "g"));
        assertEquals(List.of(), Wire.ask(guest, "k", "g"));
        assertEquals(List.of("OK"), Wire.ask(guest, "vKill;1", "g"));
    }

    @Test
    void monitorTellsOfTheGuest() {
        String shown = monitor(command("info"));
        assertTrue(shown.contains("made up (test)"), shown);
        assertTrue(shown.contains("ram         65,536 bytes in 1 regions"), shown);
        assertTrue(shown.contains("* vCPU 0: 64-bit ring 0, rip 0xffffffff81000000; paging 4-level"), shown);
        assertTrue(shown.contains("  vCPU 1: 64-bit"), shown);
        assertTrue(shown.contains("guest-physical 0x5000"), shown);
    }

    /** gdb prints what the monitor says as it comes. */
    @Test
    void monitorTellsTheTerminalNothingButText() {
        String hostile = "\u001b[31m\u009b5m\u202e\r\n\u0007\u2028\u007f";
        Guest evil = Guest.builder()
                .region(
                        new MemoryRegion(AddressRange.ofSize(0, 0x4000), MemoryRegion.Kind.RAM, "r" + hostile),
                        RegionContents.of(MemorySegment.ofArray(new byte[0x4000])))
                .vcpu(Patterns.longMode(1))
                .provenance(Provenance.of("made " + hostile + "up", "test" + hostile))
                .build();
        for (String line : List.of("info", "regs", "search x" + hostile, "translate " + hostile, "cpu " + hostile,
                hostile)) {
            for (String reply : Wire.ask(evil, command(line))) {
                if (reply.startsWith("O") && !reply.equals("OK")) {
                    String shown = text(reply.substring(1));
                    assertTrue(shown.endsWith("\n"), shown);
                    assertTrue(
                            shown.substring(0, shown.length() - 1).codePoints().allMatch(
                                    symbol -> !Character.isISOControl(symbol) && symbol != 0x202e && symbol != 0x2028),
                            shown);
                }
            }
        }
    }

    @Test
    void monitorTranslates() {
        String shown = monitor("Hg2", command("translate 0x" + Long.toHexString(DebuggedGuest.TEXT + 5)));
        String root = "PML4E[511] at guest-physical 0x5ff8 = 0x6003: table at guest-physical 0x6000";
        assertTrue(shown.contains(root), shown);
        assertTrue(shown.contains("PTE[1] at guest-physical 0x8008 = 0xb003: page at guest-physical 0xb000"), shown);
        assertTrue(shown.endsWith("virtual 0xffffffff81001005 = guest-physical 0xb005, rwx--\n"), shown);
        assertTrue(monitor(command("translate $rip")).contains("= guest-physical 0x9000,"));
        assertTrue(monitor(command("translate 0x0")).contains("not mapped"));
        assertTrue(monitor(command("translate twelve")).contains("write 0x before hexadecimal digits"));
    }

    @Test
    void monitorSearches() {
        String shown = monitor(command("search Guestcore shows"));
        assertTrue(shown.contains("0xffffffff81001000"), shown);
        assertTrue(shown.endsWith("1 hit, virtual addresses\n"), shown);
        String physical = monitor(command("phys on"), command("search Guestcore shows"));
        assertTrue(physical.endsWith("2 hits, guest-physical addresses\n"), physical);
    }

    @Test
    void monitorShowsRegistersAndHelps() {
        String shown = monitor(command("regs"));
        assertTrue(shown.contains("rip            0xffffffff81000000"), shown);
        assertTrue(shown.contains("kernel_gs_base 0x1234"), shown);
        assertTrue(monitor(command("regs 1")).contains("rip            0xffffffff81000002"));
        assertTrue(monitor(command("translate $cr3 1")).startsWith("vCPU 1, 4-level"));
        assertTrue(monitor(command("regs 2")).contains("the vCPU '2'; the last is 1"));
        assertTrue(monitor(command("help")).contains("monitor translate ADDRESS"));
        assertTrue(monitor(command("dance")).contains("no command 'dance'"));
    }

    @Test
    void tellsLldbOfRegions() {
        assertEquals(
                "start:ffffffff81001000;size:1000;permissions:rwx;",
                last("qMemoryRegionInfo:" + Long.toHexString(DebuggedGuest.TEXT)));
        assertEquals("start:0;size:8000000000;", last("qMemoryRegionInfo:0"));
    }

    @Test
    void aGuestOutsideOfLongModeHas32Bits() {
        byte[] memory = new byte[0x2000];
        memory[0x1234] = 0x5a;
        Guest real = Guest.builder()
                .ram(0, MemorySegment.ofArray(memory))
                .vcpu(RegisterState.builder()
                        .set(X86.RAX, 0xffff_ffff_1234_5678L)
                        .set(X86.RIP, 0x7c00)
                        .set(X86.CS, 0x10)
                        .set(X86.CS_BASE, 0x100)
                        .set(X86.CR0, 0x10)
                        .set(X86.EFER, 0)
                        .build())
                .build();
        assertTrue(xml(real).contains("<architecture>i386</architecture>"));
        assertEquals("78563412", register(real, "eax"));
        assertEquals("xxxxxxxx", register(real, "ebx"));
        assertEquals("5a", Wire.ask(real, "m1234,1").getLast());
        assertEquals(
                "vCPU 0: real mode, cs:ip 0x10:0x7c00 at linear 0x7d00",
                text(Wire.ask(real, "qThreadExtraInfo,1").getLast()));
    }

    @Test
    void aDumpWithoutRegistersShowsPhysicalMemory() {
        Guest bare = Guest.builder()
                .architecture(Architectures.X86)
                .ram(0x1000, MemorySegment.ofArray(new byte[] {1, 2, 3}))
                .build();
        assertEquals("m1", Wire.ask(bare, "qfThreadInfo").getLast());
        assertEquals("010203", Wire.ask(bare, "m1000,8").getLast());
        assertEquals("E14", Wire.ask(bare, "mffffffffffffffff,ffffffffffffffff").getLast());
        // gdb leaves what has no instruction pointer.
        assertTrue(Wire.ask(bare, "g").getLast().matches("x{256}0{16}x+"));
        assertEquals(
                "the source has no registers, rip 0 is not the guest's",
                text(Wire.ask(bare, "qThreadExtraInfo,1").getLast()));
    }

    @Test
    void anAddressSpaceThatIsNotKnownIsAnErrorAndPhysicalMemoryIsNot() {
        Guest blind = Guest.builder()
                .ram(0, MemorySegment.ofArray(new byte[0x1000]))
                .vcpu(RegisterState.builder().set(X86.RIP, 0x10).build())
                .build();
        assertEquals("E14", Wire.ask(blind, "m0,4").getLast());
        assertEquals("00000000", Wire.ask(blind, command("phys on"), "m0,4").getLast());
        List<String> replies = Wire.ask(blind, command("translate 0"));
        assertTrue(text(replies.getFirst().substring(1)).contains("does not know register cr0"), replies.toString());
        List<String> info = Wire.ask(blind, command("info"));
        assertTrue(text(info.get(info.size() - 2).substring(1)).startsWith("* vCPU 0: mode unknown"), info.toString());
    }

    /** Memory of 1 GiB of which every read takes so many milliseconds. */
    private static Guest slow(int millisecondsAChunk) {
        RegionContents contents = (offset, target) -> {
            LockSupport.parkNanos(millisecondsAChunk * 1_000_000L);
            target.fill((byte) 1);
            return target.byteSize();
        };
        MemoryRegion region = new MemoryRegion(AddressRange.ofSize(0, 1L << 30), MemoryRegion.Kind.RAM, "slow");
        return Guest.builder().region(region, contents).build();
    }

    @Test
    @Tag("slow")
    void aSlowSearchKeepsTheClientWaiting() {
        StringBuilder signs = new StringBuilder();
        OutputStream out = new OutputStream() {
            @Override
            public void write(int value) {
                signs.append((char) value);
            }
        };
        byte[] sent = Wire.bytes(Wire.frame("qSearch:memory:0;4000000;nothing"));
        new GdbServer(slow(30)).serve(new ByteArrayInputStream(sent), out);
        // gdb waits two seconds after every byte.
        assertTrue(signs.toString().matches("\\+\\++\\$0#30"), signs.toString());
    }

    @Test
    @Tag("slow")
    void aSearchEndsWhenTheClientIsGone() {
        OutputStream out = new OutputStream() {
            private int left = 2;

            @Override
            public void write(int value) throws IOException {
                if (left-- == 0) {
                    throw new IOException("Broken pipe");
                }
            }
        };
        byte[] sent = Wire.bytes(Wire.frame("qSearch:memory:0;40000000;nothing"));
        assertTimeoutPreemptively(
                Duration.ofSeconds(60), () -> new GdbServer(slow(1000)).serve(new ByteArrayInputStream(sent), out));
    }

    @Test
    void servesMemoryOnlyWhereTheProcessorIsNotKnown() {
        for (Architecture family : List.of(Architecture.UNKNOWN, Architectures.ARM)) {
            Guest memory = Guest.builder()
                    .architecture(family)
                    .ram(0x1000, MemorySegment.ofArray(new byte[] {1, 2, 3, 4}))
                    .build();
            assertFalse(Wire.ask(memory, GDB).getLast().contains("features"));
            assertEquals("01020304", Wire.ask(memory, GDB, "m1000,4").getLast());
            // gdb leaves what has no instruction pointer.
            assertTrue(Wire.ask(memory, GDB, "g").getLast().matches("x{64}0{8}x{184}0{16}x{240}0{16}x{16}"));
            assertTrue(
                    text(Wire.ask(memory, GDB, "qThreadExtraInfo,p1.1").getLast()).contains("pc 0 is not the guest's"));
            assertEquals("xxxxxxxx", Wire.ask(memory, GDB, "p10").getLast());
            assertEquals("endian:little;ptrsize:8;", Wire.ask(memory, GDB, "qHostInfo").getLast());
            String line = new GdbServer(memory).restriction().orElseThrow();
            assertTrue(line.startsWith("memory only, by guest-physical address: "), line);
        }
        assertEquals(Optional.empty(), new GdbServer(guest).restriction());
    }

    @Test
    void servesEveryFamilyThatDebuggersKnow() {
        for (Architecture family : Architectures.all()) {
            Optional<TargetDescription> description =
                    family.targetDescription(List.of(), ByteOrder.LITTLE_ENDIAN, OptionalInt.empty());
            if (description.isEmpty()) {
                continue;
            }
            Register pointer = family.instructionPointer().orElseThrow();
            RegisterState state = RegisterState.builder().set(pointer, 0x0123_4567_89ab_cdefL).build();
            ByteOrder order = family.byteOrder().orElse(ByteOrder.LITTLE_ENDIAN);
            Guest one = Guest.builder().byteOrder(order).ram(0, MemorySegment.ofArray(new byte[8])).vcpu(state).build();
            String value = register(one, family == Architectures.X86 ? "rip" : pointer.label());
            assertEquals(order == ByteOrder.BIG_ENDIAN ? "0123456789abcdef" : "efcdab8967452301", value, family.name());
            String all = Wire.ask(one, GDB, "g").getLast();
            int digits = description.get().slots().stream().mapToInt(slot -> 2 * slot.bytes()).sum();
            assertTrue(all.length() >= digits, family.name());
            assertTrue(all.contains(value), family.name());
            assertTrue(xml(one).contains("<reg "), family.name());
        }
    }

    @Test
    void wellFormedNonsenseEndsInRepliesOnly() {
        Random random = new Random(3000);
        List<String> heads = List.of(
                "m", "x", "p", "H", "Hg", "T", "q", "Q", "v", "vCont", "Z", "M", "qSearch:memory:", "qRcmd,", "qXfer:",
                "qXfer:features:read:target.xml:", "qThreadExtraInfo,", "qMemoryRegionInfo:", "Qqemu.PhyMemMode:",
                "qSupported", "G", "X", "", "qRcmd,7472616e736c61746520", "qRcmd,73656172636820");
        String symbols = "0123456789abcdef,;:.-p+";
        assertTimeoutPreemptively(Duration.ofSeconds(240), () -> {
            for (int round = 0; round < 400; round++) {
                StringBuilder sent = new StringBuilder();
                int packets = 0;
                for (; packets < 10; packets++) {
                    StringBuilder body = new StringBuilder(heads.get(random.nextInt(heads.size())));
                    int length = random.nextInt(30);
                    for (int i = 0; i < length; i++) {
                        int any = random.nextInt(30) == 0 ? random.nextInt(256) : 0;
                        body.append(any != 0 ? (char) any : symbols.charAt(random.nextInt(symbols.length())));
                    }
                    sent.append(Wire.frame(body.toString())).append('+');
                }
                sent.append(Wire.frame("?"));
                List<String> replies = Wire.decode(Wire.exchange(guest, sent.toString()));
                assertTrue(replies.getLast().startsWith("T05thread:"), () -> sent + " gave " + replies);
                assertTrue(replies.size() > packets);
            }
        });
    }
}
