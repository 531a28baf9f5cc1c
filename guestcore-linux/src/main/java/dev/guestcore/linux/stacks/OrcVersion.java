package dev.guestcore.linux.stacks;

import dev.guestcore.linux.stacks.OrcEntry.Base;
import dev.guestcore.linux.stacks.OrcEntry.Kind;
import dev.guestcore.linux.types.KernelType;
import dev.guestcore.linux.types.KernelTypes;
import java.util.List;
import java.util.Optional;

/**
 * The layouts of {@code struct orc_entry}, all of six bytes: two signed 16-bit offsets (stack, frame) and 16 bits with
 * the bases (stack bits 0–3, frame bits 4–7), the kind and flags (Linux, {@code arch/x86/include/asm/orc_types.h}).
 *
 * <p>Distributions take changes of later kernels over, so the release says nothing. The kernel's own types tell where
 * kind and flags lie, and the number that stands for rsp, by far the most frequent base, tells how the registers are
 * numbered.
 */
public enum OrcVersion {
    /** Linux 4.14: kind bits 8–9, end of the stack bit 10. */
    V1(false),
    /** Linux 6.3: kind bits 8–9, signal bit 10, end of the stack bit 11. */
    V2(false),
    /** Linux 6.4: kind bits 8–10, which say the end of the stack too, signal bit 11. */
    V3(true),
    /** Linux 7.1: as version 3, with registers numbered anew. */
    V4(true);

    /** Size of an entry in bytes. */
    public static final int ENTRY_BYTES = 6;

    private static final List<Base> OLD_NUMBERS = List.of(
            Base.UNDEFINED,
            Base.PREVIOUS_STACK,
            Base.DX,
            Base.DI,
            Base.BP,
            Base.SP,
            Base.R10,
            Base.R13,
            Base.BP_INDIRECT,
            Base.SP_INDIRECT);
    private static final List<Base> NEW_NUMBERS = List.of(
            Base.UNDEFINED,
            Base.AX,
            Base.DX,
            Base.SP,
            Base.BP,
            Base.DI,
            Base.R10,
            Base.R13,
            Base.PREVIOUS_STACK,
            Base.SP_INDIRECT,
            Base.BP_INDIRECT);
    private static final List<Kind> NARROW_KINDS = List.of(Kind.CALL, Kind.REGISTERS, Kind.INTERRUPT_FRAME);
    private static final List<Kind> WIDE_KINDS =
            List.of(Kind.UNDEFINED, Kind.END, Kind.CALL, Kind.REGISTERS, Kind.INTERRUPT_FRAME);

    private static final int REGISTER_MASK = 0xf;
    private static final int FRAME_SHIFT = 4;
    private static final int KIND_SHIFT = 8;
    private static final int NARROW_MASK = 3;
    private static final int WIDE_MASK = 7;
    private static final int BIT_10 = 1 << 10;
    private static final int BIT_11 = 1 << 11;

    private final boolean wideKind;

    OrcVersion(boolean wideKind) {
        this.wideKind = wideKind;
    }

    /** What an entry says. Numbers that mean nothing give {@link Kind#UNDEFINED}. */
    public OrcEntry decode(short stackOffset, short frameOffset, int flags) {
        List<Base> numbers = this == V4 ? NEW_NUMBERS : OLD_NUMBERS;
        Base stack = at(numbers, flags & REGISTER_MASK, Base.UNDEFINED);
        Base frame = at(numbers, flags >> FRAME_SHIFT & REGISTER_MASK, Base.UNDEFINED);
        Kind kind = kind(flags, stack);
        return new OrcEntry(stack, stackOffset, frame, frameOffset, kind, signal(flags, kind));
    }

    private Kind kind(int flags, Base stack) {
        if (wideKind) {
            return at(WIDE_KINDS, flags >> KIND_SHIFT & WIDE_MASK, Kind.UNDEFINED);
        }
        if (stack == Base.UNDEFINED) {
            return (flags & (this == V1 ? BIT_10 : BIT_11)) != 0 ? Kind.END : Kind.UNDEFINED;
        }
        return at(NARROW_KINDS, flags >> KIND_SHIFT & NARROW_MASK, Kind.UNDEFINED);
    }

    private boolean signal(int flags, Kind kind) {
        return switch (this) {
            case V1 -> kind == Kind.REGISTERS || kind == Kind.INTERRUPT_FRAME;
            case V2 -> (flags & BIT_10) != 0;
            case V3, V4 -> (flags & BIT_11) != 0;
        };
    }

    private static <T> T at(List<T> values, int index, T otherwise) {
        return index < values.size() ? values.get(index) : otherwise;
    }

    /**
     * Which version a table has.
     *
     * @param types the kernel's types, if it has any
     * @param sample the flags of many entries from all over the table
     * @return empty if the entries look like no version
     */
    static Optional<OrcVersion> of(Optional<KernelTypes> types, int[] sample) {
        int[] registers = new int[REGISTER_MASK + 1];
        int[] kinds = new int[WIDE_MASK + 1];
        boolean bit11 = false;
        for (int flags : sample) {
            registers[flags & REGISTER_MASK]++;
            kinds[flags >> KIND_SHIFT & WIDE_MASK]++;
            bit11 |= (flags & BIT_11) != 0;
        }
        int stackNumber = mostFrequent(registers);
        boolean newNumbers = stackNumber == NEW_NUMBERS.indexOf(Base.SP);
        if (!newNumbers && stackNumber != OLD_NUMBERS.indexOf(Base.SP)) {
            return Optional.empty();
        }
        int mostKind = mostFrequent(kinds);
        if (mostKind == WIDE_KINDS.indexOf(Kind.CALL)) {
            return Optional.of(newNumbers ? V4 : V3);
        }
        if (newNumbers || mostKind != NARROW_KINDS.indexOf(Kind.CALL)) {
            return Optional.empty();
        }
        boolean signals = types.flatMap(known -> known.find("struct orc_entry"))
                .map(OrcVersion::hasSignal)
                .orElse(bit11);
        return Optional.of(signals ? V2 : V1);
    }

    private static boolean hasSignal(KernelType entry) {
        return entry.member("signal").isPresent();
    }

    private static int mostFrequent(int[] counts) {
        int best = 0;
        for (int i = 1; i < counts.length; i++) {
            if (counts[i] > counts[best]) {
                best = i;
            }
        }
        return best;
    }
}
