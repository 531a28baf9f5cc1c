package dev.guestcore.arch.arm64;

import dev.guestcore.cpu.PageRights;
import dev.guestcore.cpu.Paging;
import dev.guestcore.cpu.TableLevel;
import dev.guestcore.cpu.TableTree;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * The rules by which one arm64 vCPU translates, and what the bits of a descriptor mean (Arm Architecture Reference Manual,
 * chapter D8). {@link Arm64Registers} makes them from registers.
 *
 * <p>Bits of a descriptor: 0 valid, 1 table or page (clear: block), 2 to 4 index of the memory type, 6 and 7 access (AP), 8 and 9
 * shareability, 10 accessed, 11 not global, 50 guarded, 51 dirty modifier, 52 contiguous, 53 and 54 no execution by the kernel
 * and by user mode; of a table 59 to 63 what is taken away below.
 */
public final class Arm64Paging implements Paging {

    private static final long VALID = 1;
    private static final long TABLE = 1 << 1;
    private static final long USER = 1 << 6;
    private static final long READ_ONLY = 1 << 7;
    private static final long ACCESSED = 1 << 10;
    private static final long NOT_GLOBAL = 1 << 11;
    private static final long GUARDED = 1L << 50;
    private static final long DIRTY_MODIFIER = 1L << 51;
    private static final long CONTIGUOUS = 1L << 52;
    private static final long NO_KERNEL_EXECUTE = 1L << 53;
    private static final long NO_USER_EXECUTE = 1L << 54;
    private static final long TABLE_NO_KERNEL_EXECUTE = 1L << 59;
    private static final long TABLE_NO_USER_EXECUTE = 1L << 60;
    private static final long TABLE_NO_USER = 1L << 61;
    private static final long TABLE_READ_ONLY = 1L << 62;
    private static final long TABLE_NON_SECURE = 1L << 63;

    /** Bit that tells the two halves of all addresses apart. */
    private static final long HALF = 1L << 55;

    private static final long TAG = 0xffL << 56;
    private static final String[] SHAREABILITY = {"", "reserved shareability", "outer shareable", "inner shareable"};

    private final Arm64PagingMode mode;
    private final @Nullable Arm64Stage lower;
    private final @Nullable Arm64Stage upper;
    private final Rules rules;
    private final String how;
    private final @Nullable TableTree shape;

    /**
     * What is common to both halves.
     *
     * @param kind which regime
     * @param dirtyByHardware whether a page that is read-only but has the dirty modifier can be written
     * @param kernelPermissions PIR_ELx; empty unless permissions are indirect
     * @param userPermissions PIRE0_EL1
     * @param order byte order of descriptors
     * @param encryptionMask address bits that are no part of the address
     * @param second second stage
     * @param partial whether a half without tables is one whose root is not known
     */
    record Rules(
            Kind kind,
            boolean dirtyByHardware,
            OptionalLong kernelPermissions,
            OptionalLong userPermissions,
            ByteOrder order,
            long encryptionMask,
            Optional<Paging> second,
            boolean partial) {}

    /** Regimes by what their descriptors say of rights. */
    enum Kind {
        /** A kernel and user mode. */
        TWO_MODES,
        /** One mode: a hypervisor of its own. */
        ONE_MODE,
        /** The second stage. */
        SECOND_STAGE
    }

    Arm64Paging(
            Arm64PagingMode mode,
            @Nullable Arm64Stage lower,
            @Nullable Arm64Stage upper,
            Rules rules,
            String how) {
        this(mode, lower, upper, rules, how, null);
    }

    /** With a tree of its own for the lower half, as the second stage has it. */
    Arm64Paging(
            Arm64PagingMode mode,
            @Nullable Arm64Stage lower,
            @Nullable Arm64Stage upper,
            Rules rules,
            String how,
            @Nullable TableTree shape) {
        this.shape = shape;
        this.mode = mode;
        this.lower = lower;
        this.upper = upper;
        this.rules = rules;
        this.how = Objects.requireNonNull(how);
    }

    @Override
    public Arm64PagingMode mode() {
        return mode;
    }

    @Override
    public String how() {
        return how;
    }

    /** TTBR0 of the regime; 0 if it is not known. */
    @Override
    public long root() {
        return lower == null ? 0 : lower.root();
    }

    @Override
    public OptionalLong kernelRoot() {
        return upper == null ? OptionalLong.empty() : OptionalLong.of(upper.root());
    }

    @Override
    public Arm64Paging withRoot(long root) {
        Arm64Stage like = lower != null ? lower : upper;
        if (like == null) {
            return this;
        }
        Arm64Stage other =
                new Arm64Stage(like.mode(), root, like.wide(), like.outputBits(), true, like.hierarchical());
        return new Arm64Paging(mode, other, upper, rules, how);
    }

    @Override
    public Arm64Paging because(String reason) {
        return new Arm64Paging(mode, lower, upper, rules, reason, shape);
    }

    @Override
    public List<TableTree> trees() {
        if (!mode.hasTables()) {
            return List.of(TableTree.untranslated(mode.virtualBits()));
        }
        return Stream.of(
                Optional.ofNullable(lower).map(this::lowerTree),
                Optional.ofNullable(upper).map(stage -> stage.tree(TableTree.Half.UPPER)))
                .flatMap(Optional::stream)
                .toList();
    }

    private TableTree lowerTree(Arm64Stage stage) {
        return shape != null ? shape : stage.tree(TableTree.Half.LOWER);
    }

    @Override
    public boolean isRootMissing(long untagged) {
        boolean high = (untagged & HALF) != 0;
        return rules.partial()
                && (high ? upper : lower) == null
                && mode.tree(high ? TableTree.Half.UPPER : TableTree.Half.LOWER, 0).contains(untagged);
    }

    @Override
    public ByteOrder tableOrder() {
        return rules.order();
    }

    @Override
    public long encryptionMask() {
        return rules.encryptionMask();
    }

    @Override
    public Optional<Paging> secondStage() {
        return rules.second();
    }

    @Override
    public long untagged(long virtual) {
        boolean high = (virtual & HALF) != 0;
        Arm64Stage stage = high ? upper : lower;
        if (stage == null || !stage.tagged()) {
            return virtual;
        }
        return high ? virtual | TAG : virtual & ~TAG;
    }

    /** How what stands above or below bit 55 is read; both halves are alike in almost every system. */
    private Arm64Stage stage(long virtual) {
        Arm64Stage stage = (virtual & HALF) != 0 ? upper : lower;
        Arm64Stage other = upper != null ? upper : lower;
        return Objects.requireNonNull(stage != null ? stage : other);
    }

    /** The half that has pages of that size below the level. */
    private Arm64Stage stage(TableLevel level) {
        int page = Arm64Stage.pageShift(level);
        return Objects
                .requireNonNull(upper != null && (lower == null || upper.mode().pageShift() == page) ? upper : lower);
    }

    @Override
    public boolean isPresent(TableLevel level, long entry) {
        if ((entry & VALID) == 0) {
            return false;
        }
        return (entry & TABLE) != 0 || level.number() > 0 && stage(level).hasBlocks(level);
    }

    @Override
    public boolean isPage(TableLevel level, long entry) {
        return level.number() == 0 || (entry & TABLE) == 0;
    }

    /** Bits of an address wider than the vCPU gives out. */
    @Override
    public long reservedBits(TableLevel level, long entry) {
        Arm64Stage stage = stage(level);
        long above = stage.outputBits() >= 52 ? 0 : -1L << stage.outputBits();
        long beyond = stage.address(entry) & above & ~rules.encryptionMask();
        if (!stage.wide() || beyond == 0) {
            return beyond;
        }
        return stage.mode().pageShift() == 16
                ? beyond & 0xffff_ffff_0000L | beyond >>> 36 & 0xf000
                : beyond & (1L << 50) - 1 | beyond >>> 42 & 0x300;
    }

    @Override
    public long address(TableLevel level, long entry, long virtual) {
        long address = stage(level).address(entry) & ~rules.encryptionMask();
        return isPage(level, entry) ? address & -1L << level.shift() : address;
    }

    @Override
    public int rights(TableLevel level, long entry, long virtual) {
        if (!isPage(level, entry)) {
            return rules.kind() != Kind.SECOND_STAGE && stage(virtual).hierarchical()
                    && rules.kernelPermissions().isEmpty()
                            ? ofTable(entry)
                            : PageRights.ALL_BUT_GLOBAL;
        }
        return switch (rules.kind()) {
            case SECOND_STAGE -> ofSecondStage(entry);
            case ONE_MODE -> ofOneMode(entry);
            case TWO_MODES -> rules.kernelPermissions().isPresent() ? indirect(entry) : direct(entry);
        };
    }

    private static int ofTable(long entry) {
        int rights = PageRights.ALL_BUT_GLOBAL;
        rights &= (entry & TABLE_READ_ONLY) != 0 ? ~PageRights.WRITABLE : -1;
        rights &= (entry & TABLE_NO_USER) != 0 ? ~PageRights.USER : -1;
        rights &= (entry & TABLE_NO_USER_EXECUTE) != 0 ? ~PageRights.USER_EXECUTABLE : -1;
        rights &= (entry & TABLE_NO_KERNEL_EXECUTE) != 0 ? ~PageRights.EXECUTABLE : -1;
        return rights;
    }

    private boolean isWritable(long entry) {
        return (entry & READ_ONLY) == 0 || rules.dirtyByHardware() && (entry & DIRTY_MODIFIER) != 0;
    }

    private int direct(long entry) {
        return PageRights.READABLE
                | (isWritable(entry) ? PageRights.WRITABLE : 0)
                | ((entry & USER) != 0 ? PageRights.USER : 0)
                | ((entry & NO_USER_EXECUTE) == 0 ? PageRights.USER_EXECUTABLE : 0)
                | ((entry & NO_KERNEL_EXECUTE) == 0 ? PageRights.EXECUTABLE : 0)
                | ((entry & NOT_GLOBAL) == 0 ? PageRights.GLOBAL : 0);
    }

    private int ofOneMode(long entry) {
        return PageRights.READABLE
                | (isWritable(entry) ? PageRights.WRITABLE : 0)
                | ((entry & NO_USER_EXECUTE) == 0 ? PageRights.EXECUTABLE : 0);
    }

    private static int ofSecondStage(long entry) {
        return ((entry & USER) != 0 ? PageRights.READABLE : 0)
                | ((entry & READ_ONLY) != 0 ? PageRights.WRITABLE : 0)
                | ((entry & NO_USER_EXECUTE) == 0 ? PageRights.EXECUTABLE | PageRights.USER_EXECUTABLE : 0)
                | PageRights.USER;
    }

    /** FEAT_S1PIE: four bits of the descriptor choose a field of PIR_EL1, and of PIRE0_EL1 for user mode. */
    private int indirect(long entry) {
        int index = (int) ((entry >>> 51 & 0xe) | (entry >>> 6 & 1));
        int kernel = permission(rules.kernelPermissions().orElse(0), index);
        int user = permission(rules.userPermissions().orElse(0), index);
        boolean userExecutes = (user & PageRights.EXECUTABLE) != 0;
        return (kernel | user) & (PageRights.READABLE | PageRights.WRITABLE)
                | kernel & PageRights.EXECUTABLE
                | (userExecutes ? PageRights.USER_EXECUTABLE : 0)
                | (user != 0 ? PageRights.USER : 0)
                | ((entry & NOT_GLOBAL) == 0 ? PageRights.GLOBAL : 0);
    }

    /** Meaning of a field of a permission-indirection register. */
    private static int permission(long register, int index) {
        return switch ((int) (register >>> 4 * index) & 0xf) {
            case 1, 8, 9 -> PageRights.READABLE;
            case 2 -> PageRights.EXECUTABLE;
            case 3, 10 -> PageRights.READABLE | PageRights.EXECUTABLE;
            case 5, 6, 12 -> PageRights.READABLE | PageRights.WRITABLE;
            case 7, 14 -> PageRights.READABLE | PageRights.WRITABLE | PageRights.EXECUTABLE;
            default -> 0;
        };
    }

    @Override
    public String attributes(TableLevel level, long entry) {
        List<String> words = new ArrayList<>();
        if (!isPage(level, entry)) {
            addIf(words, entry, TABLE_NON_SECURE, "NSTable");
            addIf(words, entry, TABLE_READ_ONLY, "APTable read-only");
            addIf(words, entry, TABLE_NO_USER, "APTable no user");
            addIf(words, entry, TABLE_NO_USER_EXECUTE, "UXNTable");
            addIf(words, entry, TABLE_NO_KERNEL_EXECUTE, "PXNTable");
            return String.join(", ", words);
        }
        boolean second = rules.kind() == Kind.SECOND_STAGE;
        words.add(second ? "MemAttr " + (entry >>> 2 & 0xf) : "AttrIndx " + (entry >>> 2 & 7));
        boolean hasShareability = !(stage(level).wide() && stage(level).mode().pageShift() != 16);
        String share = hasShareability ? SHAREABILITY[(int) (entry >>> 8 & 3)] : "";
        if (!share.isEmpty()) {
            words.add(share);
        }
        addIf(words, ~entry, ACCESSED, "AF clear");
        addIf(words, entry, CONTIGUOUS, "contiguous");
        if (!second) {
            addIf(words, entry, NOT_GLOBAL, "nG");
            if (rules.kernelPermissions().isPresent()) {
                words.add("PIIndex " + ((entry >>> 51 & 0xe) | (entry >>> 6 & 1)));
            } else {
                addIf(words, entry, DIRTY_MODIFIER, "DBM");
                addIf(words, entry, NO_KERNEL_EXECUTE, "PXN");
                addIf(words, entry, NO_USER_EXECUTE, "UXN");
            }
            addIf(words, entry, GUARDED, "GP");
        }
        return String.join(", ", words);
    }

    private static void addIf(List<String> words, long entry, long bit, String word) {
        if ((entry & bit) != 0) {
            words.add(word);
        }
    }

    @Override
    public String toString() {
        return mode.title() + " paging from roots 0x" + Long.toHexString(root()) + " and 0x"
                + Long.toHexString(kernelRoot().orElse(0)) + " (" + how + ")";
    }
}
