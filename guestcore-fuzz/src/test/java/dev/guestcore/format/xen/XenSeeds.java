package dev.guestcore.format.xen;

import java.nio.ByteOrder;
import java.util.List;
import java.util.function.Consumer;
import java.util.stream.Stream;

/** Dump-cores of hypervisors that our writer does not imitate. */
public final class XenSeeds {

    private XenSeeds() {}

    /** Dumps. */
    public static List<byte[]> dumps() {
        Stream<Consumer<XenImage>> variants = Stream.of(
                image -> image.p2m = true,
                image -> image.tableFirst = true,
                image -> image.narrowNotes = true,
                image -> image.shifted = true,
                image -> image.mappedRegisters = true,
                image -> {
                    image.elf64 = false;
                    image.machine = 3;
                    image.p2m = true;
                    image.vcpus = new byte[][] {XenImage.context32(2800)};
                },
                image -> {
                    image.order = ByteOrder.BIG_ENDIAN;
                    image.machine = 21;
                });
        return variants.map(variant -> {
            XenImage image = new XenImage();
            image.pfns = new long[] {0, 5};
            image.mfns = new long[] {100, 7};
            variant.accept(image);
            return image.build();
        })
                .toList();
    }
}
