package dev.guestcore.internal.writer;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.Guest;
import dev.guestcore.GuestBuilder;
import dev.guestcore.arch.Architectures;
import dev.guestcore.arch.x86.X86;
import dev.guestcore.cpu.Architecture;
import dev.guestcore.cpu.RegisterState;
import dev.guestcore.error.UnsupportedRequestException;
import dev.guestcore.format.CoreFormat;
import dev.guestcore.format.Loss;
import dev.guestcore.open.Guests;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Who does not say which processor it is stays unknown until a format must name one. */
class NamedProcessorTest {

    @TempDir
    private Path folder;

    private static GuestBuilder memory() {
        return Guest.builder().ram(0, MemorySegment.ofArray(new byte[8192]));
    }

    private static CoreFormat format(String name) {
        return Guests.formats().stream().filter(format -> format.name().equals(name)).findFirst().orElseThrow();
    }

    private static List<String> machineLosses(Guest guest, String format, Map<String, String> options) {
        return format(format).writer(options).plan(guest).losses().stream()
                .filter(loss -> loss.what().equals("machine"))
                .map(Loss::why)
                .toList();
    }

    @Test
    void registersTellWhoseTheyAre() {
        try (Guest bare = memory().build();
                Guest empty = memory().vcpu(RegisterState.unknown()).build();
                Guest x86 = memory()
                        .vcpu(RegisterState.unknown())
                        .vcpu(RegisterState.builder().set(X86.RIP, 1).build())
                        .build()) {
            assertSame(Architecture.UNKNOWN, bare.architecture());
            assertSame(Architecture.UNKNOWN, empty.architecture());
            assertSame(Architectures.X86, x86.architecture());
        }
    }

    @Test
    void imagesOfMemoryDoNotName() throws IOException {
        Path raw = Files.write(folder.resolve("image"), new byte[4096]);
        try (Guest guest = Guests.open("raw:" + raw)) {
            assertSame(Architecture.UNKNOWN, guest.architecture());
        }
        Files.writeString(folder.resolve("guest.json"), """
                {"regions":[{"kind":"ram","address":0,"size":4096}]}""");
        try (Guest guest = Guests.open("file:" + folder.resolve("guest.json"))) {
            assertSame(Architecture.UNKNOWN, guest.architecture());
        }
        Files.writeString(folder.resolve("guest.json"), """
                {"regions":[{"kind":"ram","address":0,"size":4096}],"vcpus":[{},{"registers":{"rip":1}}]}""");
        try (Guest guest = Guests.open("file:" + folder.resolve("guest.json"))) {
            assertSame(Architectures.X86, guest.architecture());
        }
    }

    @ParameterizedTest
    @CsvSource({"elf, an ELF core", "kdump, a kdump", "vbox, a VMCore"})
    void whatIsAssumedIsReported(String format, String called) {
        try (Guest unknown = memory().build();
                Guest known = memory().architecture(Architectures.X86).build()) {
            assertTrue(NamedProcessor.isAssumed(unknown));
            List<String> why = machineLosses(unknown, format, Map.of());
            assertEquals(1, why.size(), why::toString);
            assertTrue(
                    why.getFirst().startsWith("the source does not name one, and " + called + " must; it says x86-64"),
                    why::getFirst);
            assertEquals(List.of(), machineLosses(known, format, Map.of()));
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"x86-64", "aarch64", "riscv"})
    void nothingIsAssumedOfWhatTheUserSays(String machine) {
        try (Guest unknown = memory().build()) {
            assertEquals(List.of(), machineLosses(unknown, "elf", Map.of("machine", machine)));
        }
    }

    @Test
    void bigEndianMemoryIsNoX86() {
        try (Guest big = memory().byteOrder(ByteOrder.BIG_ENDIAN).build()) {
            assertFalse(NamedProcessor.isAssumed(big));
            for (String format : List.of("elf", "kdump", "vbox")) {
                assertThrows(
                        UnsupportedRequestException.class, () -> format(format).writer(Map.of()).plan(big), format);
            }
        }
    }

    /** Of a kernel that names itself nothing is assumed, and another than x86 is told. */
    @ParameterizedTest
    @CsvSource({
        "SYMBOL(init_top_pgt)=ffffffff82a0a000, ''",
        "NUMBER(kimage_voffset)=0xffffa9461be00000, though the kernel in memory is one for aarch64, and another if the option machine does"
    })
    void theKernelInMemoryTells(String line, String told) {
        byte[] bytes = new byte[16384];
        byte[] text =
                ("OSRELEASE=6.1.0-test\nPAGESIZE=4096\nSYMBOL(_stext)=ffffffff81000000\n" + line + "\nCRASHTIME=1\n")
                        .getBytes(StandardCharsets.US_ASCII);
        System.arraycopy(text, 0, bytes, 4096, text.length);
        try (Guest guest = Guest.builder().ram(0, MemorySegment.ofArray(bytes)).build()) {
            // A record makes the writer look for the kernel before it plans.
            List<String> why = machineLosses(guest, "elf", Map.of("keep", "true"));
            assertEquals(told.isEmpty() ? 0 : 1, why.size(), why::toString);
            assertTrue(why.isEmpty() || why.getFirst().contains(told), why::toString);
        }
    }
}
