package dev.guestcore.arch.arm64;

import dev.guestcore.cpu.Paging;
import dev.guestcore.cpu.TableLevel;
import dev.guestcore.cpu.TableTree;
import dev.guestcore.error.GuestcoreException;
import java.nio.ByteOrder;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;

/**
 * The second stage of translation: what a hypervisor that runs in the guest puts behind the addresses of its own guest (Arm
 * Architecture Reference Manual, D8.2 and VTCR_EL2). Up to 16 tables of the first level stand side by side, as one.
 */
final class Arm64SecondStage {

    private Arm64SecondStage() {}

    /** The rules of VTCR_EL2 and VTTBR_EL2. */
    static Paging of(long control, long root, int physicalBits, int[] outputBits, int vcpu) {
        int page = switch ((int) (control >>> 14) & 3) {
            case 0 -> 12;
            case 1 -> 16;
            case 2 -> 14;
            default -> Long.SIZE;
        };
        int bits = Long.SIZE - (int) (control & 0x3f);
        int start = (int) (control >>> 6) & 3;
        boolean deep = (control >>> 33 & 1) != 0;
        // The start level counts the other way round where pages are of 4 KiB.
        int levels = deep ? 5 : page == 12 ? start == 3 ? 1 : 2 + start : 1 + start;
        int top = page + (page - 3) * (levels - 1);
        if (!Arm64PagingMode.exists(page, bits) || bits <= top || bits - top > page - 3 + 4) {
            throw new GuestcoreException("vCPU " + vcpu + ": vtcr_el2 0x" + Long.toHexString(control)
                    + " describes no page tables: " + bits + " bits from level " + (4 - levels));
        }
        int width = Math.min(outputBits[(int) (control >>> 16 & 7)], physicalBits);
        boolean wide = page == 16 ? width == 52 : (control >>> 32 & 1) != 0;
        Arm64PagingMode mode = new Arm64PagingMode(page, bits);
        Arm64Stage stage = new Arm64Stage(mode, root, wide, wide ? width : Math.min(width, 48), false, false);
        List<TableLevel> shape = mode.levels(levels);
        Arm64Paging.Rules rules = new Arm64Paging.Rules(
                Arm64Paging.Kind.SECOND_STAGE,
                false,
                OptionalLong.empty(),
                OptionalLong.empty(),
                ByteOrder.LITTLE_ENDIAN,
                0,
                Optional.empty(),
                false);
        TableTree tree = TableTree.of(
                TableTree.Half.LOWER, bits, stage.table(shape.getFirst().entries()), shape);
        return new Arm64Paging(mode, stage, null, rules, "vtcr_el2, VMID " + stage.number(), tree);
    }
}
