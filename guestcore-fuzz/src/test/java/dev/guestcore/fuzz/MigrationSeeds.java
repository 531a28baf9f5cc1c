package dev.guestcore.fuzz;

import dev.guestcore.testing.MigrationFiles;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;

/**
 * Migration streams of QEMU 7.2, of a pc and a q35 machine, without most of their pages and devices: bare, compressed, and
 * in libvirt's save images; and small ones of other processors.
 */
final class MigrationSeeds {

    private static final int HEADER = 92;
    private static final int PAGE = 4096;

    private MigrationSeeds() {}

    static List<byte[]> streams() throws IOException {
        List<byte[]> seeds = new ArrayList<>();
        for (String name : List.of("pc", "q35", "pc.gz", "pc.lzo", "pc.xz", "pc.zst")) {
            seeds.add(Seeds.resource("vmstate/" + name));
        }
        byte[] domain = "<domain type='qemu'><name>fuzzed</name></domain>\0".getBytes(StandardCharsets.US_ASCII);
        int[] methods = {0, 1, 4, 3, 5};
        for (int i = 0; i < methods.length; i++) {
            byte[] stream = seeds.get(i == 0 ? 0 : i + 1);
            seeds.add(ByteBuffer.allocate(HEADER + domain.length + stream.length)
                    .order(ByteOrder.LITTLE_ENDIAN)
                    .put("LibvirtQemudSave".getBytes(StandardCharsets.US_ASCII))
                    .putInt(2)
                    .putInt(domain.length)
                    .putInt(1)
                    .putInt(methods[i])
                    .position(HEADER)
                    .put(domain)
                    .put(stream)
                    .array());
        }
        seeds.addAll(otherProcessors());
        return seeds;
    }

    /** Small machines that are no PCs, with a vCPU each. */
    private static List<byte[]> otherProcessors() {
        return List.of(
                machine("virt-7.2", "mach-virt.ram", fields -> MigrationFiles.arm64(
                        fields, 0, 0x3c5, MigrationFiles.systemRegister(3, 0, 1, 2, 0), 1)),
                machine("virt", "riscv_virt_board.ram", fields -> MigrationFiles.riscv64(fields, 0, 1)),
                machine("s390-ccw-virtio-7.2", "s390.ram", fields -> MigrationFiles.s390x(fields, 0)));
    }

    private static byte[] machine(String name, String ram, Consumer<MigrationFiles.Fields> cpu) {
        return new MigrationFiles(name)
                .blocks(ram, 4 * PAGE)
                .fill(ram, 0, 0)
                .endOfRam()
                .device("cpu", 0, 4, cpu)
                .finish();
    }
}
