package dev.guestcore.fuzz;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/**
 * Migration streams of QEMU 7.2, of a pc and a q35 machine, without most of their pages and devices: bare, compressed, and
 * in libvirt's save images.
 */
final class MigrationSeeds {

    private static final int HEADER = 92;

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
        return seeds;
    }
}
