package dev.guestcore.fuzz;

import dev.guestcore.AddressRange;
import dev.guestcore.Guest;
import dev.guestcore.GuestMemory;
import dev.guestcore.PageRun;
import dev.guestcore.PageState;
import dev.guestcore.Vcpu;
import dev.guestcore.address.AddressSpace;
import dev.guestcore.address.Mapping;
import dev.guestcore.address.MappingSummary;
import dev.guestcore.address.Translation;
import dev.guestcore.address.VirtualMemory;
import dev.guestcore.arch.Architectures;
import dev.guestcore.arch.x86.X86Paging;
import dev.guestcore.arch.x86.X86PagingMode;
import dev.guestcore.cpu.Architecture;
import dev.guestcore.cpu.Paging;
import dev.guestcore.cpu.RegisterState;
import dev.guestcore.cpu.TranslationOptions;
import dev.guestcore.error.GuestcoreException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;

/**
 * Page tables that may hold anything. Memory is eight pages; an input sets single entries in them, so that a byte of it
 * goes a long way.
 */
final class PageWalkTarget implements Target {

    /** Families whose rules are made of registers. */
    private static final List<Architecture> OTHERS =
            List.of(Architectures.ARM64, Architectures.RISCV64, Architectures.S390X);

    /** Seeds of what says the mode: TCR_EL1 of 4 KiB and 48 bits, the mode of satp, control register 0 and prefix. */
    private static final long[] CONTROLS = {0x5_8010_0010L, 9, 0x2000_0090_0000L};

    private static final int PAGES = 8;
    private static final int PAGE = 4096;
    private static final int HEAD = 28;
    private static final int ENTRY = 6;
    private static final long MOST_TABLES = 8;
    private static final int MOST_MAPPINGS = 8;

    private final byte[] bytes = new byte[PAGES * PAGE];
    private final ByteBuffer words = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
    private final GuestMemory memory =
            Guest.builder().ram(0, MemorySegment.ofArray(bytes)).build().memory();

    @Override
    public String name() {
        return "page-walk";
    }

    @Override
    public String title() {
        return "page tables";
    }

    /**
     * Mode, flags, address bits, encryption bit (a byte each), root, two addresses (eight bytes each), then entries: two
     * bytes that say where, two for the page frame, two for flags at both ends. Behind the modes of x86 come other families,
     * whose registers are made of the first address, which says the mode, and the root.
     */
    @Override
    public void run(byte[] input) {
        if (input.length < HEAD) {
            return;
        }
        Arrays.fill(bytes, (byte) 0);
        ByteBuffer in = ByteBuffer.wrap(input).order(ByteOrder.LITTLE_ENDIAN);
        int kind = (in.get() & 0xff) % (X86PagingMode.values().length + OTHERS.size());
        int flags = in.get();
        int physicalBits = 32 + (in.get() & 0xff) % 21;
        int encryption = in.get() & 0x3f;
        long mask = (flags & 8) == 0 ? 0 : 1L << encryption;
        long root = in.getLong();
        long first = in.getLong();
        long second = in.getLong();
        try {
            Paging paging = kind < X86PagingMode.values().length
                    ? x86(X86PagingMode.values()[kind], root, flags, mask, physicalBits)
                    : other(OTHERS.get(kind - X86PagingMode.values().length), root, first, flags, physicalBits);
            words.order(paging.tableOrder());
            int frameShift = paging.mode().architecture() == Architectures.RISCV64 ? 10 : 12;
            while (in.remaining() >= ENTRY) {
                entry(in.getShort() & 0xffff, in.getShort(), in.getShort() & 0xffff, paging.entryBytes(), frameShift);
            }
            check(AddressSpace.of(memory, paging), first, second);
        } catch (GuestcoreException e) {
            GuestWalk.requireOneLine(e);
        }
    }

    private static Paging x86(X86PagingMode mode, long root, int flags, long mask, int physicalBits) {
        return new X86Paging(
                mode, root, (flags & 1) != 0, (flags & 2) != 0, (flags & 4) != 0, mask, physicalBits, "fuzzed");
    }

    /** The rules that registers set, some of which are as in a machine and some are not. */
    private static Paging other(Architecture family, long root, long control, int flags, int physicalBits) {
        RegisterState.Builder registers = RegisterState.builder();
        Map<String, Long> values = family == Architectures.ARM64
                ? Map.of(
                        "tcr_el1", control,
                        "ttbr0_el1", root,
                        "ttbr1_el1", root ^ 0x1000,
                        "pstate", (long) flags & 0xc,
                        "hcr_el2", (long) flags >>> 4 & 1 | (flags & 0x20L) << 29,
                        "vtcr_el2", control >>> 16,
                        "vttbr_el2", root >>> 4,
                        "tcr_el2", control,
                        "ttbr0_el2", root)
                : family == Architectures.RISCV64
                        ? Map.of("satp", root >>> 12 & 0xff | control << 60)
                        : Map.of(
                                "pswm", 0x0400_0000_0000_0000L | (long) flags << 46,
                                "cr0", control,
                                "cr1", root,
                                "cr7", root,
                                "cr13", root,
                                "prefix", control >>> 32 & 0xe000);
        values.forEach((label, value) -> registers.set(family.register(label).orElseThrow(), value));
        Vcpu vcpu = new Vcpu(0, registers.build());
        return family.paging(vcpu, List.of(vcpu), TranslationOptions.defaults().withPhysicalBits(physicalBits))
                .orElseThrow();
    }

    /** Frames beyond the memory occur, but most lead to another table. */
    private void entry(int place, short frame, int flags, int width, int frameShift) {
        long page = frame < 0 ? frame & 0xffffL : frame % PAGES;
        long value = page << frameShift | flags & 0xfff | (long) (flags & 0xf000) << 48;
        if (width == Integer.BYTES) {
            words.putInt(place % (bytes.length / 4) * 4, (int) value);
        } else {
            words.putLong(place % (bytes.length / 8) * 8, value);
        }
    }

    private static void check(AddressSpace space, long first, long second) {
        translate(space, first);
        translate(space, second);
        List<Mapping> mappings = new ArrayList<>();
        MappingSummary summary = space.mappings(new AddressRange(0, -1L), MOST_TABLES, mapping -> {
            if (mappings.size() < MOST_MAPPINGS) {
                mappings.add(mapping);
            }
        });
        for (Mapping mapping : mappings) {
            Translation translation = space.translate(mapping.range().first());
            GuestWalk.require(translation.isMapped(), "listed as mapped, but " + translation, mapping);
            GuestWalk.require(
                    translation.physical().orElseThrow().equals(mapping.physical()),
                    "two places: " + translation,
                    mapping);
            GuestWalk.require(
                    translation.rights().orElseThrow().equals(mapping.rights()),
                    "two kinds of rights: " + translation,
                    mapping);
            GuestWalk.require(translation.span() == mapping.pageSize(), "two page sizes: " + translation, mapping);
            GuestWalk.require(
                    space.translate(mapping.range().last()).isMapped(), "the last address is not mapped", mapping);
        }
        boolean below = Long.compareUnsigned(first, second) <= 0;
        AddressRange range = new AddressRange(below ? first : second, below ? second : first);
        space.pieces(range, MOST_TABLES, (virtual, physical, size, pageSize, repeated) -> {
            GuestWalk.require(
                    range.contains(virtual) && range.contains(virtual + size - 1),
                    "a piece outside of what was asked for, " + size + " bytes at " + Long.toHexString(virtual),
                    range);
            Translation translation = space.translate(virtual);
            GuestWalk.require(
                    translation.isMapped() && translation.physical().orElseThrow().value() == physical,
                    "a piece that leads to " + Long.toHexString(physical),
                    translation);
        });
        GuestWalk.require(summary.tables() <= MOST_TABLES, "more tables than allowed", summary);
        read(space, first, summary.stoppedAt().isEmpty());
    }

    private static void translate(AddressSpace space, long address) {
        Translation translation = space.translate(address);
        GuestWalk.require(
                translation.isMapped() == translation.physical().isPresent()
                        && translation.isMapped() == translation.rights().isPresent()
                        && translation.steps().size() <= 6,
                "a translation that contradicts itself",
                translation);
        translation.steps().forEach(Object::toString);
    }

    private static void read(AddressSpace space, long address, boolean bounded) {
        VirtualMemory memory = space.memory();
        byte[] content = new byte[64];
        long room = address < 0 && address >= -content.length ? -address : content.length;
        long count = memory.readAvailable(address, MemorySegment.ofArray(content).asSlice(0, room));
        GuestWalk.require(count >= 0 && count <= room, "a count out of bounds", count);
        PageRun run = memory.runAt(address);
        GuestWalk.require(run.range().first() == address, "a run that starts elsewhere", run);
        GuestWalk.require(count == 0 || run.state() == PageState.PRESENT, "bytes that are not there", run);
        if (count > 0) {
            byte[] behind = new byte[1];
            long physical = space.translate(address).physical().orElseThrow().value();
            space.physicalMemory().read(physical, MemorySegment.ofArray(behind));
            GuestWalk.require(behind[0] == content[0], "another byte than at", Long.toHexString(physical));
        }
        if (bounded) {
            memory.regionAt(address).ifPresent(
                    region -> GuestWalk.require(region.range().contains(address), "a region elsewhere", region));
        }
    }

    @Override
    public List<byte[]> seeds() {
        List<byte[]> seeds = new ArrayList<>();
        for (int mode = 0; mode < X86PagingMode.values().length + OTHERS.size(); mode++) {
            for (int flags : new int[] {0, 3, 7, 11}) {
                ByteBuffer seed = ByteBuffer.allocate(HEAD + 6 * ENTRY).order(ByteOrder.LITTLE_ENDIAN);
                seed.put((byte) mode).put((byte) flags).put((byte) 20).put((byte) 47);
                int other = mode - X86PagingMode.values().length;
                long root = other < 2 ? 0 : flags & 0xc | 3;
                seed.putLong(root).putLong(other < 0 ? 0x1234 : CONTROLS[other]).putLong(0x80_4000_0000L >>> mode);
                // The first entry of each of five pages leads to the next; one more is large.
                for (int page = 0; page < 5; page++) {
                    seed.putShort((short) (page * 512)).putShort((short) (page + 1)).putShort((short) 7);
                }
                seed.putShort((short) 513).putShort((short) 0).putShort((short) 0x87);
                seeds.add(seed.array());
            }
        }
        return seeds;
    }

    @Override
    public int longest() {
        return 512;
    }
}
