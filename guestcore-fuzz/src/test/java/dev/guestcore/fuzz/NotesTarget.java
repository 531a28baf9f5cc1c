package dev.guestcore.fuzz;

import dev.guestcore.Vcpu;
import dev.guestcore.cpu.Register;
import dev.guestcore.error.GuestcoreException;
import dev.guestcore.file.FileBytes;
import dev.guestcore.internal.check.CappedFindings;
import dev.guestcore.internal.elf.CoreNotes;
import dev.guestcore.internal.elf.ElfClass;
import dev.guestcore.internal.elf.StatedMachine;
import dev.guestcore.testing.ElfFiles;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;

/** The notes about vCPUs and kernel that ELF cores and kdumps share. */
final class NotesTarget implements Target {

    private static final int[] MACHINES = {62, 3, 183, 21, 0, 22, 243};

    private final Scratch scratch;

    NotesTarget() throws IOException {
        scratch = new Scratch("notes");
    }

    @Override
    public String name() {
        return "notes";
    }

    @Override
    public String title() {
        return "notes about vCPUs and kernel";
    }

    /** The first byte chooses machine and byte order; the rest are notes. */
    @Override
    public void run(byte[] input) throws IOException {
        if (input.length == 0) {
            return;
        }
        int machine = MACHINES[(input[0] & 0x7f) % MACHINES.length];
        ByteOrder order = input[0] < 0 ? ByteOrder.BIG_ENDIAN : ByteOrder.LITTLE_ENDIAN;
        try (FileBytes file = FileBytes.open(scratch.with(input))) {
            CoreNotes.Reader reader = new CoreNotes.Reader(
                    file, order, StatedMachine.of(machine, ElfClass.ELF64), new CappedFindings());
            reader.read(1, input.length - 1);
            CoreNotes notes = reader.finish();
            GuestWalk.require(
                    notes.vcpus().size() == Math.max(notes.statusCount(), notes.stateCount()), "vCPUs", notes);
            for (Vcpu vcpu : notes.vcpus()) {
                for (Register register : vcpu.registers().known()) {
                    int width = vcpu.registers().bytes(register).length;
                    boolean fits = register.isScalable() ? width <= register.bits() / 8 : width == register.bits() / 8;
                    GuestWalk.require(fits, "width of", register);
                }
            }
        } catch (GuestcoreException e) {
            GuestWalk.requireOneLine(e);
        }
    }

    @Override
    public List<byte[]> seeds() {
        ElfFiles little = new ElfFiles(true, ByteOrder.LITTLE_ENDIAN, 62, 1 << 12);
        ElfFiles big = new ElfFiles(false, ByteOrder.BIG_ENDIAN, 21, 1 << 12);
        byte[] state = new byte[432];
        state[0] = 1;
        state[4] = (byte) 0xb0;
        state[5] = 1;
        byte[] sve = new byte[16 + 32 * 16 + 17 * 2 + 14 + 8];
        sve[8] = 16;
        sve[12] = 1;
        byte[] vectors = new byte[40 + 32 * 16];
        vectors[32] = 16;
        byte[] text = Seeds.VMCOREINFO.getBytes(StandardCharsets.US_ASCII);
        return List.of(
                input(0, little.note("CORE", 1, new byte[336]), little.note("QEMU", 0, state)),
                input(1, little.note("CORE", 1, new byte[144]), little.note("VMCOREINFO", 0, text)),
                input(0x83, big.note("CORE", 1, new byte[336]), big.note("ERASEINFO", 0, new byte[20])),
                input(
                        2,
                        little.note("CORE", 1, new byte[392]),
                        little.note("CORE", 2, new byte[528]),
                        little.note("LINUX", 0x405, sve),
                        little.note("LINUX", 0x40c, Arrays.copyOf(sve, 16 + 256)),
                        little.note("LINUX", 0x406, new byte[16])),
                input(
                        0x80 | 5,
                        big.note("CORE", 1, new byte[336]),
                        big.note("CORE", 2, new byte[136]),
                        big.note("LINUX", 0x304, new byte[128]),
                        big.note("LINUX", 0x309, new byte[128]),
                        big.note("LINUX", 0x30a, new byte[256])),
                input(
                        6,
                        little.note("CORE", 1, new byte[376]),
                        little.note("CORE", 2, new byte[264]),
                        little.note("LINUX", 0x901, vectors)),
                input(0, little.note("GUESTCORE", 1, new byte[64]), little.note("", 0, new byte[0])));
    }

    private static byte[] input(int choice, byte[]... notes) {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        bytes.write(choice);
        Arrays.stream(notes).forEach(bytes::writeBytes);
        return bytes.toByteArray();
    }

    @Override
    public List<byte[]> dictionary() {
        return Seeds.words("CORE~", "QEMU~", "VMCOREINFO~", "ERASEINFO~", "GUESTCORE~", "LINUX~", "\u0005~~~",
                "\u0001~~~");
    }

    @Override
    public int longest() {
        return 4096;
    }

    @Override
    public int runsInCi() {
        return 20_000;
    }
}
