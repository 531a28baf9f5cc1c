package dev.guestcore.format.vbox;

import dev.guestcore.AddressRange;
import dev.guestcore.Guest;
import dev.guestcore.GuestBuilder;
import dev.guestcore.MemoryRegion;
import dev.guestcore.Progress;
import dev.guestcore.RegionContents;
import dev.guestcore.arch.x86.X86;
import dev.guestcore.cpu.RegisterState;
import dev.guestcore.facts.VirtualBoxFacts;
import dev.guestcore.format.CoreWriter;
import dev.guestcore.open.Guests;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.Channels;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/** A core of a few pages for tests that change single bytes of it. */
final class SmallCore {

    static final int RAM_SIZE = 0x2000;
    static final int ROM_SIZE = 0x1000;

    /** Offsets in a core of layout 7.0 with three ranges: 64 + 4 * 56 bytes of headers, then the notes. */
    static final int NOTES = 64 + 4 * 56;

    static final int DESCRIPTOR = NOTES + 20;
    static final int FIRST_CPU = NOTES + 44;
    static final int LOADS = 64 + 56;

    private SmallCore() {}

    /** Every register that some layout has, each with a value of its own. */
    static RegisterState registers(int salt) {
        RegisterState.Builder registers = RegisterState.builder();
        for (X86 register : X86.values()) {
            if (register == X86.DR4 || register == X86.DR5 || register == X86.CR8) {
                continue;
            }
            byte[] value = new byte[register.bits() / 8];
            for (int i = 0; i < value.length; i++) {
                value[i] = (byte) (register.ordinal() * 5 + i * 3 + salt + 1);
            }
            registers.set(register, value);
        }
        for (int i = 0; i < 16; i++) {
            byte[] wide = registers.build().bytes(X86.ymm(i));
            System.arraycopy(registers.build().bytes(X86.xmm(i)), 0, wide, 0, 16);
            registers.set(X86.ymm(i), wide);
            byte[] wider = registers.build().bytes(X86.zmm(i));
            System.arraycopy(wide, 0, wider, 0, 32);
            registers.set(X86.zmm(i), wider);
        }
        // The fields of the oldest layouts have 16 bits for these.
        registers.set(X86.GDTR_LIMIT, 0x57).set(X86.IDTR_LIMIT, 0xfff);
        return registers.build();
    }

    static GuestBuilder builder() {
        return Guest.builder()
                .region(ram(0, RAM_SIZE), RegionContents.of(MemorySegment.ofArray(pattern(RAM_SIZE, 1))))
                .device(0x2000, 0x2000, "")
                .region(ram(0x4000, ROM_SIZE), RegionContents.of(MemorySegment.ofArray(pattern(ROM_SIZE, 2))));
    }

    private static MemoryRegion ram(long address, long size) {
        return new MemoryRegion(AddressRange.ofSize(address, size), MemoryRegion.Kind.RAM, "");
    }

    static Guest guest() {
        return builder().vcpu(registers(0)).vcpu(registers(100)).build();
    }

    static VirtualBoxFacts facts() {
        return new VirtualBoxFacts(0x07020016, 175245, "", 62, List.of());
    }

    static byte[] pattern(int size, int salt) {
        byte[] bytes = new byte[size];
        for (int i = 0; i < size; i++) {
            bytes[i] = (byte) (i * 31 + (i >>> 8) + salt);
        }
        return bytes;
    }

    static byte[] bytes(Guest guest, CoreWriter writer) {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        writer.write(guest, Channels.newChannel(bytes), Progress.none());
        return bytes.toByteArray();
    }

    static byte[] bytes() {
        return bytes(guest(), VmCoreWriter.newest());
    }

    static ByteBuffer buffer(byte[] bytes) {
        return ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
    }

    static Path file(Path folder, byte[] bytes) {
        try {
            return Files.write(folder.resolve("core"), bytes);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    static Guest open(Path folder, byte[] bytes) {
        return Guests.open(file(folder, bytes));
    }
}
