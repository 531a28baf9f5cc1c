package dev.guestcore.fuzz;

import dev.guestcore.Guest;
import dev.guestcore.arch.x86.X86;
import dev.guestcore.cpu.RegisterState;
import dev.guestcore.serve.gdb.GdbServer;
import dev.guestcore.testing.Patterns;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;

/** A debugger that sends anything. */
final class GdbTarget implements Target {

    /** A packet gets a reply of at most this, and each takes a few bytes. */
    private static final long MOST_REPLIED_PER_BYTE = 0x4_0000;

    private static final List<Guest> GUESTS = List.of(paged(), Guest.builder()
            .ram(0, MemorySegment.ofArray(Patterns.bytes(4096, 1)))
            .vcpu(RegisterState.unknown())
            .build(), Guest.builder().build());

    @Override
    public String name() {
        return "gdb";
    }

    @Override
    public String title() {
        return "the gdb server";
    }

    private static Guest paged() {
        byte[] memory = new byte[16 * 4096];
        ByteBuffer tables = ByteBuffer.wrap(memory).order(ByteOrder.LITTLE_ENDIAN);
        tables.putLong(0x1000, 0x2003).putLong(0x1ff8, 0x2003).putLong(0x2000, 0x3003).putLong(0x3000, 0x4003);
        for (int i = 0; i < 16; i++) {
            tables.putLong(0x4000 + i * 8, i * 0x1000L | 3);
        }
        byte[] text = "Linux version 6.1.0 (needle)".getBytes(StandardCharsets.US_ASCII);
        System.arraycopy(text, 0, memory, 0x8000, text.length);
        RegisterState registers = Patterns.longMode(1).toBuilder()
                .set(X86.CR0, 0x80050033L)
                .set(X86.CR3, 0x1000)
                .set(X86.CR4, 0x20)
                .set(X86.EFER, 0xd01)
                .set(X86.RIP, 0x8000)
                .build();
        return Guest.builder()
                .ram(0, MemorySegment.ofArray(memory))
                .vcpu(registers)
                .vcpu(registers.toBuilder().set(X86.CR0, 0x11).build())
                .build();
    }

    /** The first byte chooses the guest, and whether sums are put right; the rest is what the client sends. */
    @Override
    public void run(byte[] input) {
        if (input.length == 0) {
            return;
        }
        Guest guest = GUESTS.get((input[0] & 0x7f) % GUESTS.size());
        byte[] sent = input[0] < 0 ? input : packets(input);
        Counter replies = new Counter();
        new GdbServer(guest).serve(new ByteArrayInputStream(sent, 1, sent.length - 1), replies);
        GuestWalk.require(
                replies.count <= (sent.length + 16) * MOST_REPLIED_PER_BYTE, "too long a reply", replies.count);
    }

    /** Each line is the body of a packet, so that an input need not guess sums. */
    private static byte[] packets(byte[] input) {
        String lines = new String(input, 1, input.length - 1, StandardCharsets.ISO_8859_1);
        StringBuilder wire = new StringBuilder("+");
        for (String line : lines.split("\n")) {
            int sum = 0;
            for (int i = 0; i < line.length(); i++) {
                sum += line.charAt(i);
            }
            wire.append('$').append(line).append('#').append(HexFormat.of().toHexDigits((byte) sum)).append('+');
        }
        return wire.toString().getBytes(StandardCharsets.ISO_8859_1);
    }

    private static final class Counter extends OutputStream {

        private long count;

        @Override
        public void write(int value) {
            count++;
        }

        @Override
        public void write(byte[] bytes, int from, int size) throws IOException {
            count += size;
        }
    }

    @Override
    public List<byte[]> seeds() {
        List<String> sessions = List.of(
                "qSupported:multiprocess+;swbreak+;xmlRegisters=i386;error-message+\n!\n"
                        + "?\nHg0\nqC\nqfThreadInfo\nqsThreadInfo",
                "QStartNoAckMode\nqXfer:features:read:target.xml:0,1000\n"
                        + "g\np10\npff\nm8000,40\nx8000,10\nmffffffff00000000,10",
                "qSearch:memory:0;10000;needle\nqRcmd," + hex("info")
                        + "\nqRcmd," + hex("regs") + "\nqRcmd," + hex("help"),
                "qRcmd," + hex("translate 0x8000") + "\nqRcmd," + hex("search needle") + "\nqRcmd," + hex("phys on")
                        + "\nm8000,40\nqRcmd," + hex("search --regex n[e]+dle"),
                "vCont?\nvCont;c\nc\ns\nZ0,8000,1\nz0,8000,1\nM8000,1:00\nG00\nP1=00\nD;1\nk",
                "T2\nHg2\nHcp1.-1\nHgp1.2\nqThreadExtraInfo,p1.2\nqAttached\nqOffsets\nqHostInfo\nqProcessInfo\n"
                        + "qRegisterInfo0\njThreadsInfo\nqMemoryRegionInfo:8000\nQEnableErrorStrings\n"
                        + "qTStatus\nvMustReplyEmpty");
        List<byte[]> seeds = new ArrayList<>();
        for (int i = 0; i < sessions.size() * 3; i++) {
            byte[] session = sessions.get(i / 3).getBytes(StandardCharsets.ISO_8859_1);
            byte[] seed = new byte[session.length + 1];
            seed[0] = (byte) (i % 3);
            System.arraycopy(session, 0, seed, 1, session.length);
            seeds.add(seed);
            byte[] raw = packets(seed);
            byte[] wire = new byte[raw.length + 1];
            wire[0] = (byte) (i % 3 | 0x80);
            System.arraycopy(raw, 0, wire, 1, raw.length);
            seeds.add(wire);
        }
        return seeds;
    }

    private static String hex(String text) {
        return HexFormat.of().formatHex(text.getBytes(StandardCharsets.US_ASCII));
    }

    @Override
    public List<byte[]> dictionary() {
        return Seeds.words(
                "qSupported:", "multiprocess+", "xmlRegisters=i386", "error-message+", "QStartNoAckMode",
                "qXfer:features:read:target.xml:", "qSearch:memory:", "qRcmd,", "qfThreadInfo", "vCont;c", "Hgp1.2",
                "qMemoryRegionInfo:", "qRegisterInfo", "qThreadExtraInfo,", "QEnableErrorStrings", "ffffffffffffffff",
                hex("translate "), hex("search "), hex("regs "), hex("phys on"), hex("info"), hex("virt"),
                hex(" regex "), hex(" text "), hex(" hex "), "$", "#", "}", "*", "+", "-", "\u0003");
    }

    @Override
    public int longest() {
        return 2048;
    }
}
