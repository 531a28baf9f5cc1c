package dev.guestcore.internal.kernel;

import dev.guestcore.AddressRange;
import dev.guestcore.facts.VmcoreInfoFacts;
import dev.guestcore.facts.VmcoreInfoFields;
import java.util.Optional;
import java.util.OptionalLong;

/**
 * Where the image of a Linux kernel lies, as its VMCOREINFO says it. A core that gives it a segment with its virtual
 * address is read like a live kernel's: drgn starts its page walk at {@code swapper_pg_dir}, for which it has the virtual
 * address only, and gdb finds the kernel's variables in the file alone.
 *
 * @param range guest-physical, whole pages: of 2 MiB on x86-64, of 64 KiB on arm64
 * @param virtualFirst virtual address of its first byte
 */
public record KernelImage(AddressRange range, long virtualFirst) {

    /** {@code __START_KERNEL_map}: virtual 0xffffffff80000000 lies at guest-physical phys_base (Linux, x86-64). */
    private static final long MAPPED_FROM = 0xffffffff80000000L;

    /** {@code KERNEL_IMAGE_SIZE} with KASLR: modules begin behind it. */
    private static final long MOST = 1L << 30;

    private static final long LARGE_PAGE = 2L << 20;

    /** The largest page of arm64. */
    private static final long ARM64_ALIGNMENT = 64L << 10;

    /** From the kernel's start to the last symbol that VMCOREINFO names; empty if it does not say where that is. */
    public static Optional<KernelImage> of(byte[] vmcoreInfo) {
        VmcoreInfoFields fields = new VmcoreInfoFacts(vmcoreInfo).fields();
        OptionalLong distance = fields.number("kimage_voffset");
        if (distance.isPresent()) {
            return ofArm64(fields, distance.getAsLong());
        }
        OptionalLong base = fields.physicalBase();
        OptionalLong start = fields.symbol("_stext");
        if (base.isEmpty() || start.isEmpty() || !isInImage(start.getAsLong())) {
            return Optional.empty();
        }
        long first = start.getAsLong() & -LARGE_PAGE;
        long last = fields.symbols()
                .filter(symbol -> isInImage(symbol) && Long.compareUnsigned(symbol, first) > 0)
                .boxed()
                .max(Long::compareUnsigned)
                .orElse(start.getAsLong());
        long virtualLast = last | LARGE_PAGE - 1;
        long physical = first - MAPPED_FROM + base.getAsLong();
        if (Long.compareUnsigned(physical, Long.MAX_VALUE - MOST) > 0 || (physical & LARGE_PAGE - 1) != 0) {
            return Optional.empty();
        }
        return Optional.of(new KernelImage(AddressRange.ofSize(physical, virtualLast - first + 1), first));
    }

    /**
     * An arm64 kernel tells how far virtual addresses of its image are from physical ones (Linux,
     * {@code arch/arm64/kernel/vmcore_info.c}).
     */
    private static Optional<KernelImage> ofArm64(VmcoreInfoFields fields, long distance) {
        OptionalLong start = fields.symbol("_stext");
        if (start.isEmpty() || start.getAsLong() >= 0) {
            return Optional.empty();
        }
        long first = start.getAsLong() & -ARM64_ALIGNMENT;
        long last = fields.symbols()
                .filter(symbol -> Long.compareUnsigned(symbol - first, MOST) < 0)
                .boxed()
                .max(Long::compareUnsigned)
                .orElse(first);
        long physical = first - distance;
        if (Long.compareUnsigned(physical, Long.MAX_VALUE - 2 * MOST) > 0) {
            return Optional.empty();
        }
        return Optional.of(
                new KernelImage(AddressRange.ofSize(physical, (last | ARM64_ALIGNMENT - 1) - first + 1), first));
    }

    private static boolean isInImage(long address) {
        return Long.compareUnsigned(address - MAPPED_FROM, MOST) < 0;
    }
}
