package dev.guestcore.internal.migration;

import dev.guestcore.AddressRange;
import dev.guestcore.Finding;
import dev.guestcore.MemoryRegion;
import dev.guestcore.arch.Architectures;
import dev.guestcore.cpu.Architecture;
import dev.guestcore.error.UnsupportedRequestException;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Where the memory blocks of a machine lie in the guest-physical address space; source: docs/formats/vmstate.md. A migration
 * stream itself does not say. Of a PC it is derived from the state of its devices; other boards are in {@link Board}.
 *
 * <pre>
 * 0                  main memory, up to the split
 * a0000              the graphics card's window if there is one, unless bit 6 of register 72 (i440FX), 9d (Q35) is set
 * c0000              main memory or firmware, as the PAM registers say
 * below 4 GiB        firmware, the first flash chip or pc.bios ends there, a second chip lies right below
 * 4 GiB              the rest of main memory
 * behind that        DIMMs, from the next GiB on, each behind the one before at a multiple of 2 MiB
 *
 * CMOS  34 35        memory above 16 MiB and below the split, in 64 KiB
 *       30 31        memory above 1 MiB, in 1 KiB, where 34 and 35 are 0
 *       5b 5c 5d     memory above 4 GiB, in 64 KiB, modulo 1 TiB
 * PAM   59-5f (i440FX), 90-96 (Q35) in the host bridge's configuration: 4 bits for each 16 KiB from c0000, of the first
 *       register the upper 4 for all of f0000-fffff; bit 0: read from memory, bit 1: written to memory
 * </pre>
 */
public final class PcMemoryMap {

    private static final long FOUR_GIB = 1L << 32;
    private static final long MIB = 1L << 20;
    private static final long VIDEO = 0xa0000;
    private static final long OPTION_ROMS = 0xc0000;
    private static final long SYSTEM_ROM = 0xe0000;
    private static final long BIOS_SEGMENT = 0xf0000;
    private static final long PAM_STEP = 0x4000;
    private static final long LEGACY_END = MIB;

    /** In the host bridge's SMRAM register: main memory behind the video window is open to all. */
    private static final int SMRAM_OPEN = 1 << 6;

    /** From here on QEMU moves memory to 1 TiB for AMD processors, which the stream does not tell. */
    private static final long AMD_HOLE = 0xfd_0000_0000L;

    private static final long GIB = 1L << 30;

    /** What QEMU aligns memory of its own to on x86; a backend of huge pages may have more. */
    private static final long DIMM_ALIGNMENT = 2 * MIB;

    /** Devices that show a memory backend somewhere else than a DIMM would be; names of sections contain these. */
    private static final List<String> OTHER_USERS_OF_BACKENDS = List.of("ivshmem", "virtio-mem", "virtio-pmem");

    private static final Pattern NUMA_BLOCK = Pattern.compile("(?:/objects/)?ram-node(\\d{1,4})");

    private final MachineState state;
    private final List<Dimm> stated;
    private final List<Placement> placements = new ArrayList<>();
    private final List<Finding> findings = new ArrayList<>();
    private final Set<RamBlock> used = new HashSet<>();
    private Architecture architecture = Architectures.X86;
    private String derivation = "";
    private String unplaced = "";

    /**
     * A DIMM of which somebody else than the stream says where it lies.
     *
     * @param backend name of its memory backend, without a path
     * @param base guest-physical address of its first byte
     */
    public record Dimm(String backend, long base) {}

    /**
     * A piece of a memory block and where the guest sees it.
     *
     * @param region guest-physical addresses and kind; named after the block
     * @param block where the bytes are
     * @param offset where they begin in the block
     */
    public record Placement(MemoryRegion region, RamBlock block, long offset) {}

    /**
     * The layout.
     *
     * @param architecture whose machine it is, by its vCPUs or by its board
     * @param placements by ascending address; no two overlap
     * @param derivation in a few words, how the split of main memory was found
     * @param unplaced blocks of memory that have no address, in words; empty if all have one
     * @param findings blocks that could not be placed, and what is uncertain
     */
    public record Result(
            Architecture architecture,
            List<Placement> placements,
            String derivation,
            String unplaced,
            List<Finding> findings) {}

    private record MainMemory(List<RamBlock> blocks, long size) {}

    private PcMemoryMap(MachineState state, List<Dimm> stated) {
        this.state = state;
        this.stated = stated;
    }

    /** Places the blocks of a stream that stands alone; see {@link #of(MachineState, List)}. */
    public static Result of(MachineState state) {
        return of(state, List.of());
    }

    /**
     * Places the blocks of a stream.
     *
     * @param state what the stream says
     * @param stated DIMMs whose addresses stand beside the stream; of others they are derived where that can be done
     * @throws UnsupportedRequestException if the machine is no PC, or its main memory cannot be told
     */
    public static Result of(MachineState state, List<Dimm> stated) {
        PcMemoryMap map = new PcMemoryMap(state, stated);
        map.place();
        map.placements.sort(Comparator.comparing(placement -> placement.region().range()));
        return new Result(map.architecture, List.copyOf(map.placements), map.derivation, map.unplaced,
                List.copyOf(map.findings));
    }

    private void place() {
        Optional<Board> board = Board.of(state);
        if (board.isPresent()) {
            placeOn(board.get());
            return;
        }
        MainMemory main = mainMemory(Optional.empty());
        long low = split(main.size());
        long high = main.size() - low;
        used.addAll(main.blocks());
        placeMain(main, 0, Math.min(low, VIDEO), 0, MemoryRegion.Kind.RAM);
        placeLegacy(main, low);
        if (low > LEGACY_END) {
            placeMain(main, LEGACY_END, low - LEGACY_END, LEGACY_END, MemoryRegion.Kind.RAM);
        }
        if (high > 0) {
            if (high > AMD_HOLE - FOUR_GIB) {
                findings.add(
                        Finding.note("memory above 4 GiB is placed from there on; of guests this large QEMU puts it at"
                                + " 1 TiB if the processor is AMD's, which a saved guest does not tell"));
            }
            placeMain(main, FOUR_GIB, high, low, MemoryRegion.Kind.RAM);
        }
        placeFirmware();
        placeVideo();
        placeDimms(FOUR_GIB + high);
        reportRest();
    }

    /** Boards whose memory has one beginning and no gap. */
    private void placeOn(Board board) {
        MainMemory main = mainMemory(Optional.of(board));
        if (board.ramBase() > Long.MAX_VALUE - main.size()) {
            throw new UnsupportedRequestException(
                    "machine '" + state.machine() + "' has 0x" + Long.toHexString(main.size())
                            + " bytes of main memory, more than there are addresses; " + OtherWays.LOAD);
        }
        architecture = board.architecture();
        derivation = "memory by rule of the board";
        used.addAll(main.blocks());
        placeMain(main, board.ramBase(), main.size(), 0, MemoryRegion.Kind.RAM);
        board.firmware().forEach((name, address) -> block(name)
                .filter(block -> address <= board.ramBase() - block.size())
                .ifPresent(block -> add(block, address, 0, block.size(), MemoryRegion.Kind.ROM)));
        placeDimms(board.ramBase() + main.size());
        reportRest();
    }

    private boolean isMachine(String kind) {
        return state.machine().startsWith(kind);
    }

    private Optional<RamBlock> block(String name) {
        return state.blocks().stream().filter(block -> block.name().equals(name)).findFirst();
    }

    /** The board's memory: pc.ram and the like, or what the user named it, or one block a NUMA node. */
    private MainMemory mainMemory(Optional<Board> board) {
        List<String> names = board.map(Board::ramNames).orElse(List.of("pc.ram", "/objects/pc.ram", "microvm.ram"));
        Optional<RamBlock> usual = names.stream().flatMap(name -> block(name).stream()).findFirst();
        if (usual.isPresent()) {
            return new MainMemory(List.of(usual.get()), usual.get().size());
        }
        List<RamBlock> backends = state.blocks().stream().filter(PcMemoryMap::isBackend).toList();
        if (backends.size() == 1) {
            return new MainMemory(backends, backends.getFirst().size());
        }
        List<RamBlock> nodes = backends.stream()
                .filter(block -> NUMA_BLOCK.matcher(block.name()).matches())
                .sorted(Comparator.comparingInt(PcMemoryMap::node))
                .toList();
        for (int i = 0; i < nodes.size(); i++) {
            if (node(nodes.get(i)) != i) {
                nodes = List.of();
            }
        }
        if (!nodes.isEmpty()) {
            findings.add(Finding.note("main memory is put together from blocks "
                    + String.join(", ", nodes.stream().map(RamBlock::name).toList())
                    + " by the numbers in their names"));
            return new MainMemory(nodes, nodes.stream().mapToLong(RamBlock::size).sum());
        }
        throw new UnsupportedRequestException(
                "of the saved machine '" + state.machine() + "' the main memory cannot be told"
                        + " from other memory; its blocks are " + names(state.blocks())
                        + "; " + OtherWays.LOAD);
    }

    private static int node(RamBlock block) {
        Matcher matcher = NUMA_BLOCK.matcher(block.name());
        return matcher.matches() ? Integer.parseInt(matcher.group(1)) : -1;
    }

    /** Memory of devices is named by the device's place, and files for the firmware by their path. */
    private static boolean isBackend(RamBlock block) {
        String name = block.name();
        return !name.contains(":") && !name.startsWith("/rom@") && !name.endsWith("vram") && !isFirmware(name);
    }

    private static boolean isFirmware(String name) {
        return name.equals("pc.bios") || name.equals("pc.rom") || name.equals("isa-bios") || name.endsWith(".rom")
                || name.startsWith("system.flash")
                || name.contains(".flash")
                || name.endsWith(".mrom");
    }

    private static String names(List<RamBlock> blocks) {
        List<String> names = blocks.stream().limit(16).map(block -> block.name() + " (" + block.size() + ")").toList();
        return String.join(", ", names) + (blocks.size() > names.size() ? ", …" : "");
    }

    /** How much of main memory lies below 4 GiB. */
    private long split(long size) {
        Optional<byte[]> cmos = state.cmos();
        if (cmos.isPresent()) {
            byte[] bytes = cmos.get();
            long extended = (bytes[0x34] & 0xff | (bytes[0x35] & 0xff) << 8) * 65536L;
            long low = extended > 0
                    ? 16 * MIB + extended
                    : MIB + (bytes[0x30] & 0xff | (bytes[0x31] & 0xff) << 8) * 1024L;
            long high = (bytes[0x5b] & 0xff | (bytes[0x5c] & 0xff) << 8 | (bytes[0x5d] & 0xff) << 16) * 65536L;
            // The numbers are rounded down and are the guest's to overwrite; the upper one counts to 1 TiB and from 0 again.
            long missing = size - low & (1L << 40) - 1;
            if (size >= low && low <= FOUR_GIB && missing - high >= 0 && missing - high < 65536) {
                derivation = "memory split by CMOS";
                return size - low < 65536 ? size : low;
            }
            findings.add(Finding.note("the memory sizes in CMOS, 0x" + Long.toHexString(low) + " and 0x"
                    + Long.toHexString(high) + ", do not add up to the 0x" + Long.toHexString(size)
                    + " bytes of main memory; memory is split by the rule of machine " + state.machine()));
        }
        derivation = "memory split by rule of the machine";
        if (isMachine("pc-q35")) {
            return size >= 0xb000_0000L ? 0x8000_0000L : size;
        }
        if (isMachine("pc-i440fx")) {
            return size >= 0xe000_0000L ? 0xc000_0000L : size;
        }
        if (isMachine("microvm") || isMachine("isapc")) {
            return Math.min(size, 0xc000_0000L);
        }
        throw new UnsupportedRequestException("it is not known where machine '" + state.machine()
                + "' has its memory; PCs (pc, q35, isapc, microvm), " + Board.titles() + " can be read, others cannot; "
                + OtherWays.LOAD);
    }

    /** Places a part of main memory; {@code offset} counts through all its blocks. */
    private void placeMain(MainMemory main, long address, long size, long offset, MemoryRegion.Kind kind) {
        long before = 0;
        for (RamBlock block : main.blocks()) {
            long from = Math.max(offset, before);
            long to = Math.min(offset + size, before + block.size());
            if (from < to) {
                add(block, address + (from - offset), from - before, to - from, kind);
            }
            before += block.size();
        }
    }

    private void placeLegacy(MainMemory main, long low) {
        Optional<byte[]> bridge = bridge("/I440FX");
        int registers = 0x59;
        int smram = 0x72;
        if (bridge.isEmpty()) {
            bridge = bridge("/mch");
            registers = 0x90;
            smram = 0x9d;
        }
        if (bridge.isEmpty() && !isMachine("isapc") && !isMachine("microvm")) {
            findings.add(
                    Finding.damage("the host bridge of machine '" + state.machine() + "' is not among the devices, so"
                            + " that 0xa0000-0xfffff can be main memory, video memory or firmware; it is left out"));
            return;
        }
        boolean open = bridge.isPresent() && (bridge.get()[smram] & SMRAM_OPEN) != 0;
        if (low > VIDEO && (open || !hasLegacyVideo())) {
            placeMain(main, VIDEO, Math.min(low, OPTION_ROMS) - VIDEO, VIDEO, MemoryRegion.Kind.RAM);
        }
        for (long address = OPTION_ROMS; address < LEGACY_END; address += PAM_STEP) {
            int attributes = bridge.isPresent() ? attributes(bridge.get(), registers, address) : 0;
            boolean rom = (attributes & 1) == 0 && placeHiddenRom(address);
            // Boards without a host bridge have memory wherever no ROM lies over it.
            boolean memory = (attributes & 1) != 0 || bridge.isEmpty() && !rom;
            if (memory && address < low) {
                boolean readOnly = bridge.isPresent() && (attributes & 2) == 0;
                placeMain(main, address, Math.min(PAM_STEP, low - address), address,
                        readOnly ? MemoryRegion.Kind.ROM : MemoryRegion.Kind.RAM);
            }
        }
    }

    /** Whether a graphics card answers at a0000-bffff: one of PCI class 0300, or one on the ISA bus. */
    private boolean hasLegacyVideo() {
        return state.devices().contains("vga") || state.devices().contains("cirrus_vga")
                || state.pciConfig().values().stream().anyMatch(config -> config[0x0b] == 3 && config[0x0a] == 0);
    }

    private Optional<byte[]> bridge(String name) {
        return Optional.ofNullable(state.pciConfig().get("0000:00:00.0" + name));
    }

    private static int attributes(byte[] config, int registers, long address) {
        if (address >= BIOS_SEGMENT) {
            return config[registers] >> 4 & 3;
        }
        int index = (int) ((address - OPTION_ROMS) / PAM_STEP);
        return config[registers + 1 + index / 2] >> (index % 2 * 4) & 3;
    }

    /** What answers where main memory is switched off: option ROMs, and the end of the firmware. */
    private boolean placeHiddenRom(long address) {
        Optional<RamBlock> rom;
        long offset;
        if (address < SYSTEM_ROM) {
            offset = address - OPTION_ROMS;
            rom = block("pc.rom").filter(block -> address - OPTION_ROMS <= block.size() - PAM_STEP);
        } else {
            rom = block("isa-bios").or(() -> block("pc.bios")).filter(block -> LEGACY_END - address <= block.size());
            offset = rom.map(RamBlock::size).orElse(0L) - (LEGACY_END - address);
        }
        rom.ifPresent(block -> add(block, address, offset, PAM_STEP, MemoryRegion.Kind.ROM));
        return rom.isPresent();
    }

    private void placeFirmware() {
        long end = FOUR_GIB;
        for (String name : List.of("pc.bios", "system.flash0", "system.flash1")) {
            Optional<RamBlock> firmware = block(name);
            if (firmware.isPresent() && firmware.get().size() <= end - FOUR_GIB / 2) {
                end -= firmware.get().size();
                add(firmware.get(), end, 0, firmware.get().size(), MemoryRegion.Kind.ROM);
            }
        }
    }

    /** The frame buffer of the standard graphics card on the first bus: its first base address register. */
    private void placeVideo() {
        for (RamBlock block : state.blocks()) {
            String name = block.name();
            byte[] config = name.startsWith("0000:00:") && name.endsWith("/vga.vram")
                    ? state.pciConfig().get(name.substring(0, name.length() - "vga.vram".length()) + "vga")
                    : null;
            if (config == null || (config[0x04] & 2) == 0 || (config[0x10] & 7) != 0) {
                continue;
            }
            long address = (config[0x10] & 0xf0L) | (config[0x11] & 0xffL) << 8 | (config[0x12] & 0xffL) << 16
                    | (config[0x13] & 0xffL) << 24;
            if (address >= MIB && address <= FOUR_GIB - block.size()) {
                add(block, address, 0, block.size(), MemoryRegion.Kind.RAM);
            }
        }
    }

    private void add(RamBlock block, long address, long offset, long size, MemoryRegion.Kind kind) {
        AddressRange range = AddressRange.ofSize(address, size);
        if (!placements.isEmpty()) {
            Placement last = placements.getLast();
            AddressRange before = last.region().range();
            if (before.isFollowedBy(range) && last.block().equals(block) && last.region().kind() == kind
                    && last.offset() + before.size() == offset) {
                placements.removeLast();
                range = new AddressRange(before.first(), range.last());
                placements.add(new Placement(new MemoryRegion(range, kind, block.name()), block, last.offset()));
                return;
            }
        }
        AddressRange wanted = range;
        if (placements.stream().anyMatch(placement -> placement.region().range().overlaps(wanted))) {
            findings.add(Finding.omitted("memory block " + block.name() + " seems to lie at " + range
                    + ", where other memory is; it is left out"));
            return;
        }
        used.add(block);
        placements.add(new Placement(new MemoryRegion(range, kind, block.name()), block, offset));
    }

    private void placeDimms(long endOfMain) {
        for (RamBlock block : state.blocks()) {
            stated.stream()
                    .filter(dimm -> !used.contains(block) && isBackend(block) && baseName(block).equals(dimm.backend()))
                    .filter(dimm -> dimm.base() >= 0 && dimm.base() <= Long.MAX_VALUE - block.size())
                    .findFirst()
                    .ifPresent(dimm -> add(block, dimm.base(), 0, block.size(), MemoryRegion.Kind.RAM));
        }
        List<RamBlock> dimms = state.blocks().stream()
                .filter(block -> !used.contains(block) && isBackend(block))
                .toList();
        boolean otherUsers = state.devices().stream()
                .anyMatch(device -> OTHER_USERS_OF_BACKENDS.stream().anyMatch(device::contains));
        // A stream has its blocks by size, and only those of one size in the order in which they came to be.
        boolean ordered = dimms.stream().mapToLong(RamBlock::size).distinct().count() == 1;
        if (!stated.isEmpty() || otherUsers || !ordered || !isMachine("pc-i440fx") && !isMachine("pc-q35")) {
            return;
        }
        long address = endOfMain + GIB - 1 & -GIB;
        for (RamBlock block : dimms) {
            if (address > Long.MAX_VALUE - GIB - block.size()) {
                return;
            }
            add(block, address, 0, block.size(), MemoryRegion.Kind.RAM);
            findings.add(Finding.note("memory " + block.name() + " is taken for a DIMM and shown from 0x"
                    + Long.toHexString(address) + " on, where QEMU puts "
                    + (dimms.size() == 1 ? "it" : "DIMMs in this order")
                    + " unless told otherwise; the stream itself has no address for it"));
            address = address + block.size() + DIMM_ALIGNMENT - 1 & -DIMM_ALIGNMENT;
        }
    }

    /** Newer machines name a backend's block by its path, /objects/NAME. */
    private static String baseName(RamBlock block) {
        return block.name().substring(block.name().lastIndexOf('/') + 1);
    }

    private void reportRest() {
        List<RamBlock> rest = state.blocks().stream().filter(block -> !used.contains(block)).toList();
        List<RamBlock> lost = rest.stream().filter(PcMemoryMap::isBackend).toList();
        List<RamBlock> beside = rest.stream().filter(block -> !isBackend(block)).toList();
        if (!lost.isEmpty()) {
            unplaced = names(lost);
            findings.add(
                    Finding.damage("memory " + unplaced + " is in the stream, but its guest-physical address is not"
                            + " (memory added while the guest ran?); it is left out"));
        }
        if (!beside.isEmpty()) {
            findings.add(
                    Finding.note("memory of devices and firmware that the guest does not see at a known address is left"
                            + " out: " + names(beside)));
        }
    }
}
