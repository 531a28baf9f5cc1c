package dev.guestcore.internal.elf;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.Finding;
import dev.guestcore.Guest;
import dev.guestcore.arch.Architectures;
import dev.guestcore.arch.x86.X86;
import dev.guestcore.cpu.Architecture;
import dev.guestcore.cpu.RegisterState;
import dev.guestcore.facts.ElfFacts;
import dev.guestcore.open.Guests;
import dev.guestcore.report.Severity;
import dev.guestcore.testing.ElfFiles;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class MachineWitnessesTest {

    private static final int NT_PRSTATUS = 1;

    @TempDir
    private Path folder;

    /** A core of that machine with one page, and with the notes that are not empty. */
    private Guest core(boolean wide, int machine, ByteOrder order, int statusSize, boolean qemu, String vmcoreInfo) {
        ElfFiles elf = new ElfFiles(wide, order, machine, 1 << 14);
        ByteArrayOutputStream notes = new ByteArrayOutputStream();
        if (statusSize > 0) {
            notes.writeBytes(elf.note("CORE", NT_PRSTATUS, status(statusSize)));
        }
        if (qemu) {
            byte[] state = new byte[440];
            ByteBuffer.wrap(state).order(ByteOrder.LITTLE_ENDIAN).putInt(1).putInt(440).putLong(8, 7);
            notes.writeBytes(elf.note("QEMU", 0, state));
        }
        if (!vmcoreInfo.isEmpty()) {
            notes.writeBytes(elf.note("VMCOREINFO", 0, vmcoreInfo.getBytes(StandardCharsets.US_ASCII)));
        }
        byte[] bytes = notes.toByteArray();
        elf.programHeader(4, elf.content(bytes), 0, 0, bytes.length, bytes.length);
        return Guests.open(
                ElfFiles.write(folder.resolve("core" + System.nanoTime()), elf.load(0x1000, new byte[4096]).build()));
    }

    /** With a 7 where x86 has rax. */
    private static byte[] status(int size) {
        ByteBuffer status = ByteBuffer.allocate(size).order(ByteOrder.LITTLE_ENDIAN);
        if (size == 336 || size == 328) {
            status.putLong(112 + 8 * 10, 7);
        } else {
            status.putInt(72 + 4 * 6, 7);
        }
        return status.array();
    }

    private static List<String> messages(Guest guest, Severity severity) {
        return guest.findings().stream()
                .filter(finding -> finding.severity() == severity)
                .map(Finding::message)
                .toList();
    }

    /** Of a file whose header says nothing. */
    @ParameterizedTest
    @CsvSource({
        "true,  336, true,  '',                             62, 'QEMU''s notes about vCPUs, NT_PRSTATUS of 336 bytes'",
        "true,  0,   true,  '',                             62, QEMU's notes about vCPUs",
        "true,  336, false, '',                             62, NT_PRSTATUS of 336 bytes",
        "false, 144, false, '',                             3,  NT_PRSTATUS of 144 bytes",
        "true,  144, true,  '',                             3,  NT_PRSTATUS of 144 bytes",
        "true,  392, false, '',                             183, NT_PRSTATUS of 392 bytes",
        "true,  376, false, '',                             243, NT_PRSTATUS of 376 bytes",
        "true,  0,   false, 'SYMBOL(init_top_pgt)=1',       62, VMCOREINFO",
        "true,  0,   false, 'NUMBER(kimage_voffset)=0x1',   183, VMCOREINFO",
        "true,  0,   false, 'OSRELEASE=6.1',                62, word size and byte order only"
    })
    void whereTheHeaderIsSilentTheRestTells(
            boolean wide, int status, boolean qemu, String vmcoreInfo, int machine, String how) {
        try (Guest guest = core(wide, 0, ByteOrder.LITTLE_ENDIAN, status, qemu, vmcoreInfo)) {
            assertEquals(machine, guest.facts(ElfFacts.class).orElseThrow().machine());
            assertEquals(machine == 62 || machine == 3, guest.architecture() == Architectures.X86);
            assertTrue(messages(guest, Severity.NOTE).getFirst().contains(how), guest.findings()::toString);
            assertEquals(List.of(), messages(guest, Severity.DAMAGE));
            if (machine == 62 && (qemu || status > 0)) {
                assertEquals(7, guest.vcpus().getFirst().registers().get(X86.RAX));
            }
        }
    }

    @Test
    void sizesThatSeveralMachinesShareAreToldApartByByteOrderOrNotAtAll() {
        try (Guest big = core(true, 0, ByteOrder.BIG_ENDIAN, 336, false, "");
                Guest open = core(true, 0, ByteOrder.LITTLE_ENDIAN, 480, false, "")) {
            assertEquals(Architectures.S390X, big.architecture());
            assertEquals(Architecture.UNKNOWN, open.architecture());
            assertEquals(0, open.facts(ElfFacts.class).orElseThrow().machine());
            assertTrue(messages(open, Severity.NOTE).getFirst().contains("only if the machine is named"));
        }
    }

    /** Two against one: the header alone says Arm. */
    @Test
    void whoContradictsIsAFinding() {
        try (Guest damaged = core(true, 183, ByteOrder.LITTLE_ENDIAN, 336, true, "");
                Guest doubtful = core(true, 183, ByteOrder.LITTLE_ENDIAN, 336, false, "");
                Guest other = core(true, 62, ByteOrder.LITTLE_ENDIAN, 392, true, "")) {
            assertEquals(62, damaged.facts(ElfFacts.class).orElseThrow().machine());
            assertEquals(7, damaged.vcpus().getFirst().registers().get(X86.RAX));
            assertTrue(messages(damaged, Severity.DAMAGE).getFirst().contains("it is shown as x86-64"));
            assertEquals(183, doubtful.facts(ElfFacts.class).orElseThrow().machine());
            assertTrue(messages(doubtful, Severity.DAMAGE).getFirst().contains("NT_PRSTATUS of 336 bytes"));
            assertEquals(62, other.facts(ElfFacts.class).orElseThrow().machine());
            assertTrue(messages(other, Severity.DAMAGE).getFirst().contains("NT_PRSTATUS of 392 bytes: aarch64"));
        }
    }

    /** Registers of 64 bits are not those of a 386, whatever the header says. */
    @Test
    void wideRegistersBesideA386AreAFinding() {
        try (Guest doubtful = core(true, 3, ByteOrder.LITTLE_ENDIAN, 336, false, "");
                Guest wide = core(true, 3, ByteOrder.LITTLE_ENDIAN, 336, true, "")) {
            assertTrue(messages(doubtful, Severity.DAMAGE).getFirst().contains("NT_PRSTATUS of 336 bytes"));
            assertTrue(messages(wide, Severity.DAMAGE).getFirst().contains("NT_PRSTATUS of 336 bytes"));
        }
    }

    /** pr_fpvalid, the last field, is not written by everybody, and says nothing of a machine. */
    @ParameterizedTest
    @CsvSource({"true, 62, 328", "true, 62, 336", "false, 3, 140", "false, 3, 144", "true, 62, 140"})
    void readsAnNtPrstatusWithoutItsLastField(boolean wide, int machine, int size) {
        try (Guest guest = core(wide, machine, ByteOrder.LITTLE_ENDIAN, size, false, "")) {
            RegisterState registers = guest.vcpus().getFirst().registers();
            assertEquals(7, registers.get(X86.RAX));
            assertEquals(List.of(), guest.findings());
        }
    }

    @Test
    void anNtPrstatusThatIsTooShortIsAFinding() {
        try (Guest guest = core(true, 62, ByteOrder.LITTLE_ENDIAN, 100, false, "")) {
            assertEquals(RegisterState.unknown(), guest.vcpus().getFirst().registers());
            assertTrue(messages(guest, Severity.DAMAGE).getFirst().contains("NT_PRSTATUS of 100 bytes"));
        }
    }
}
