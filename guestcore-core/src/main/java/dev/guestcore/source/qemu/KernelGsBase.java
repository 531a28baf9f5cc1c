package dev.guestcore.source.qemu;

import dev.guestcore.arch.x86.X86Architecture;
import dev.guestcore.error.GuestcoreException;
import dev.guestcore.file.FileBytes;
import dev.guestcore.internal.elf.Elf;
import dev.guestcore.internal.elf.ElfHeader;
import dev.guestcore.internal.elf.ElfNote;
import dev.guestcore.internal.elf.ProgramHeader;
import dev.guestcore.internal.elf.QemuCpuState;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * The one register that the monitor does not print and QEMU's own dump has: KERNEL_GS_BASE, without which no debugger finds
 * a kernel's per-CPU data when the vCPU was caught in user mode. QEMU dumps one page of memory for it.
 */
final class KernelGsBase {

    private static final String DESCRIPTOR_NAME = "guestcore-registers";
    private static final int PAGE = X86Architecture.PAGE_SIZE;
    private static final int QEMU_CPU_STATE = 0;

    /** Bytes; a longer descriptor is none of a vCPU. */
    private static final int LONGEST = 4096;

    private KernelGsBase() {}

    /**
     * Asks QEMU; the guest must stand still.
     *
     * @param address of any RAM
     * @return that of every vCPU in QEMU's order; empty if it cannot be had
     */
    static List<Long> ask(QmpClient qmp, long address) throws IOException {
        if (!Descriptors.areSupported()) {
            return List.of();
        }
        int file = Descriptors.memoryFile();
        try {
            qmp.executeWithDescriptor("getfd", Map.of("fdname", DESCRIPTOR_NAME), file, QemuSource.COMMAND);
            try {
                qmp.execute(
                        "dump-guest-memory",
                        Map.of("paging", false, "protocol", "fd:" + DESCRIPTOR_NAME, "begin", address, "length", PAGE),
                        QemuSource.COMMAND);
            } catch (GuestcoreException e) {
                qmp.execute("closefd", Map.of("fdname", DESCRIPTOR_NAME), QemuSource.COMMAND);
                return List.of();
            }
            try (FileBytes dump = FileBytes.open(Descriptors.path(file))) {
                return read(dump);
            }
        } catch (GuestcoreException e) {
            // The register stays unknown, which is what it would be without this.
            return List.of();
        } finally {
            Descriptors.close(file);
        }
    }

    /** Goes the way as far as the guest need not stand still for it. */
    static void rehearse(QmpClient qmp) throws IOException {
        if (!Descriptors.areSupported()) {
            return;
        }
        int file = Descriptors.memoryFile();
        try (FileBytes empty = FileBytes.open(Descriptors.path(file))) {
            qmp.executeWithDescriptor("getfd", Map.of("fdname", DESCRIPTOR_NAME), file, QemuSource.COMMAND);
            qmp.execute("closefd", Map.of("fdname", DESCRIPTOR_NAME), QemuSource.COMMAND);
            read(empty);
        } catch (GuestcoreException e) {
            // It will be refused again, and cost nothing then.
            return;
        } finally {
            Descriptors.close(file);
        }
    }

    private static List<Long> read(FileBytes dump) {
        List<Long> found = new ArrayList<>();
        if (!ElfHeader.isElf(dump)) {
            return found;
        }
        ElfHeader elf = ElfHeader.read(dump);
        for (int i = 0; i < elf.programHeaderCount(); i++) {
            ProgramHeader header = ProgramHeader.read(
                    dump, elf, elf.programHeaderOffset() + (long) i * elf.programHeaderSize());
            if (header.type() == Elf.PT_NOTE) {
                dump.require(header.offset(), header.fileSize(), "notes");
                long end = header.offset() + header.fileSize();
                long at = header.offset();
                while (at < end && found.size() < QemuSource.MOST_VCPUS) {
                    ElfNote note = ElfNote.read(dump, elf.order(), at, end);
                    if (note.name().equals("QEMU") && note.type() == QEMU_CPU_STATE
                            && note.descriptorSize() <= LONGEST) {
                        QemuCpuState.kernelGsBase(ByteBuffer.wrap(
                                dump.bytes(note.descriptorOffset(), (int) note.descriptorSize(), "vCPU")))
                                .ifPresent(found::add);
                    }
                    at = note.end();
                }
            }
        }
        return found;
    }
}
