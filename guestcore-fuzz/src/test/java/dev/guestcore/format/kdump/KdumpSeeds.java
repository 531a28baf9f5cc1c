package dev.guestcore.format.kdump;

import dev.guestcore.testing.Patterns;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;

/** Kdumps of machines and versions that our writer does not write. */
public final class KdumpSeeds {

    private static final int PAGE = 4096;

    private KdumpSeeds() {}

    private static KdumpImage image(KdumpImage.Machine machine, int version) {
        return new KdumpImage(machine, version, PAGE)
                .page(0, Patterns.bytes(PAGE, 1), 0)
                .page(2, new byte[] {0x78, (byte) 0x9c, 0x63, 0, 0, 0, 1, 0, 1}, 1)
                .exists(3);
    }

    /** Single dumps. */
    public static List<byte[]> dumps() {
        List<byte[]> seeds = new ArrayList<>();
        for (KdumpImage.Machine machine : KdumpImage.Machine.values()) {
            for (int version : new int[] {1, 3, 6}) {
                KdumpImage image = image(machine, version);
                if (version > 3) {
                    image.vmcoreInfo("OSRELEASE=5.9\nNUMBER(phys_base)=4096\n").eraseInfo("erased key\n");
                }
                seeds.add(image.bytes());
            }
        }
        return seeds;
    }

    /** Sets of two dumps, the size of the first in four bytes before them. */
    public static List<byte[]> sets() {
        List<byte[]> seeds = new ArrayList<>();
        for (int version : new int[] {3, 6}) {
            byte[] low = image(KdumpImage.Machine.X86_64, version).split(0, 2).bytes();
            byte[] high = image(KdumpImage.Machine.X86_64, version).split(2, 6).bytes();
            seeds.add(set(low, high));
            seeds.add(set(high, low));
        }
        return seeds;
    }

    private static byte[] set(byte[] first, byte[] second) {
        return ByteBuffer.allocate(Integer.BYTES + first.length + second.length)
                .putInt(first.length)
                .put(first)
                .put(second)
                .array();
    }
}
