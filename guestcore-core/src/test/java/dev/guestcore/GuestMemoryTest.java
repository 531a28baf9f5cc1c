package dev.guestcore;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.guestcore.open.Guests;
import dev.guestcore.testing.ElfFiles;
import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Numbers and texts out of the memory of a guest. */
class GuestMemoryTest {

    private static final byte[] NUMBERS = {(byte) 0xfe, (byte) 0xdc, (byte) 0xba, (byte) 0x98, 0x76, 0x54, 0x32, 0x10};

    @TempDir
    Path folder;

    private static Guest guest(long address, byte[] bytes) {
        return Guest.builder().ram(address, MemorySegment.ofArray(bytes)).build();
    }

    @Test
    void numbersAreLittleEndianUnlessTold() {
        try (Guest guest = guest(0x1000, NUMBERS)) {
            GuestMemory memory = guest.memory();
            assertEquals(ByteOrder.LITTLE_ENDIAN, memory.byteOrder());
            assertEquals(0x1032547698badcfeL, memory.readLong(0x1000));
            assertEquals(0x7698badc, memory.readInt(0x1001));
            assertEquals((short) 0xdcfe, memory.readShort(0x1000));
            assertEquals((byte) 0xfe, memory.readByte(0x1000));
            byte[] middle = new byte[3];
            memory.read(0x1003, middle);
            assertArrayEquals(new byte[] {(byte) 0x98, 0x76, 0x54}, middle);
        }
    }

    @Test
    void numbersHaveTheByteOrderOfTheGuest() throws Exception {
        Path path = folder.resolve("core");
        Files.write(path, new ElfFiles(true, ByteOrder.BIG_ENDIAN, 22, 0x1000).load(0x1000, NUMBERS).build());
        try (Guest guest = Guests.open(path)) {
            assertEquals(0xfedcba9876543210L, guest.memory().readLong(0x1000));
            assertEquals(0xfedc, guest.memory().readShort(0x1000) & 0xffff);
            assertEquals(0x76543210, guest.memory().readInt(0x1004));
        }
    }

    @Test
    void whatIsNotThereIsNamed() {
        try (Guest guest = guest(0xffff_ffff_ffff_fff8L, NUMBERS)) {
            GuestMemory memory = guest.memory();
            assertEquals(0x1032547698badcfeL, memory.readLong(0xffff_ffff_ffff_fff8L));
            MemoryAccessException error = assertThrows(MemoryAccessException.class, () -> memory.readLong(0x1000));
            assertEquals(0x1000, error.address());
            assertEquals(PageState.ABSENT, error.state());
            assertThrows(MemoryAccessException.class, () -> memory.readLong(0xffff_ffff_ffff_fff9L));
            assertEquals(0, assertThrows(
                    MemoryAccessException.class, () -> memory.readString(0xffff_ffff_ffff_fff8L, 9)).address());
        }
    }

    @Test
    void textsEndBeforeAZeroByteOrWhereTheyMust() {
        byte[] bytes = new byte[600];
        Arrays.fill(bytes, (byte) 'x');
        byte[] text = "Grüße\0behind".getBytes(StandardCharsets.UTF_8);
        System.arraycopy(text, 0, bytes, 0, text.length);
        try (Guest guest = guest(0x2000, bytes)) {
            GuestMemory memory = guest.memory();
            assertEquals("Grüße", memory.readString(0x2000, 100));
            assertEquals("Gr", memory.readString(0x2000, 2));
            assertEquals("", memory.readString(0x2000, 0));
            assertEquals("Gr\ufffd", memory.readString(0x2000, 3));
            assertEquals("x".repeat(500), memory.readString(0x2000 + 100, 500));
            MemoryAccessException error =
                    assertThrows(MemoryAccessException.class, () -> memory.readString(0x2000 + 100, 501));
            assertEquals(0x2000 + 600, error.address());
            assertThrows(IndexOutOfBoundsException.class, () -> memory.readString(0x2000, -1));
        }
    }
}
