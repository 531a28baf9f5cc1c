package dev.guestcore.testing;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.guestcore.GuestMemory;
import dev.guestcore.MemoryRegion;
import dev.guestcore.PageRun;
import dev.guestcore.PageState;
import dev.guestcore.arch.x86.X86;
import dev.guestcore.cpu.RegisterState;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.Map;
import java.util.TreeMap;

/** Content for made-up guests, and ways to compare what became of it. */
public final class Patterns {

    private Patterns() {}

    /** Bytes that differ from address to address and from seed to seed. */
    public static byte[] bytes(int size, int seed) {
        byte[] bytes = new byte[size];
        for (int i = 0; i < size; i++) {
            bytes[i] = (byte) (i * 7 + (i >> 8) * 13 + seed * 101 + 1);
        }
        return bytes;
    }

    /** A vCPU in long mode of which every register that QEMU's note holds is set, each to a value of its own. */
    public static RegisterState longMode(int seed) {
        RegisterState.Builder registers = RegisterState.builder();
        for (X86 register : X86.values()) {
            boolean carried = register.ordinal() <= X86.TR_ATTRIBUTES.ordinal()
                    || register == X86.CR0
                    || register == X86.CR2
                    || register == X86.CR3
                    || register == X86.CR4
                    || register == X86.KERNEL_GS_BASE;
            if (carried && register.label().endsWith(".attributes")) {
                registers.set(register, register == X86.CS_ATTRIBUTES ? 0xa09b : 0xc093);
            } else if (carried) {
                registers.set(register, 0x0102030405060708L * (register.ordinal() + 1) + seed);
            }
        }
        registers.set(X86.CR0, 0x80050033L).set(X86.CR4, 0x6f0);
        return registers.build();
    }

    /** Checks that memory from address 0 on is what a file holds. */
    public static void assertSameAs(Path file, GuestMemory memory) {
        try (FileChannel channel = FileChannel.open(file)) {
            ByteBuffer expected = ByteBuffer.allocate(1 << 20);
            byte[] found = new byte[1 << 20];
            for (long address = 0; channel.read(expected.clear()) > 0; address += found.length) {
                memory.read(address, MemorySegment.ofArray(found).asSlice(0, expected.position()));
                int difference = Arrays.mismatch(
                        expected.array(), 0, expected.position(), found, 0, expected.position());
                long place = address + difference;
                assertEquals(-1, difference, () -> "memory differs at 0x" + Long.toHexString(place));
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Every byte that can be read, and the state of every other, as text: first address of each run, what is there. */
    public static Map<String, String> contents(GuestMemory memory) {
        Map<String, String> contents = new TreeMap<>();
        for (MemoryRegion region : memory.regions()) {
            if (!region.hasContent()) {
                continue;
            }
            for (long address = region.range().first();;) {
                PageRun run = memory.runAt(address);
                long last = Long.compareUnsigned(run.range().last(), region.range().last()) < 0
                        ? run.range().last()
                        : region.range().last();
                for (long page = address;; page = (page | 0xfff) + 1) {
                    long pageLast = Long.compareUnsigned(page | 0xfff, last) < 0 ? page | 0xfff : last;
                    if (run.state() != PageState.ABSENT) {
                        contents.put(HexFormat.of().toHexDigits(page), page(memory, page, pageLast, run.state()));
                    }
                    if (pageLast == last) {
                        break;
                    }
                }
                if (last == region.range().last()) {
                    break;
                }
                address = last + 1;
            }
        }
        return contents;
    }

    private static String page(GuestMemory memory, long first, long last, PageState state) {
        if (!state.isReadable()) {
            return state.name();
        }
        byte[] bytes = new byte[(int) (last - first + 1)];
        memory.read(first, MemorySegment.ofArray(bytes));
        return sha256(bytes);
    }

    /** The digest in hexadecimal. */
    public static String sha256(byte[] bytes) {
        try {
            return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(bytes));
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);
        }
    }
}
