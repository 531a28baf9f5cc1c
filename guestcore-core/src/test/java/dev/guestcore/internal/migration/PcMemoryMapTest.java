package dev.guestcore.internal.migration;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.Finding;
import dev.guestcore.error.UnsupportedRequestException;
import dev.guestcore.report.Severity;
import dev.guestcore.testing.MigrationFiles;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.Test;

class PcMemoryMapTest {

    private static final long MIB = 1L << 20;
    private static final long GIB = 1L << 30;
    private static final String BRIDGE = "0000:00:00.0/I440FX";

    private static MachineState machine(
            String name, Optional<byte[]> cmos, Map<String, byte[]> pciConfig, Object... namesAndSizes) {
        List<RamBlock> blocks = new ArrayList<>();
        for (int i = 0; i < namesAndSizes.length; i += 2) {
            blocks.add(new RamBlock(i / 2, (String) namesAndSizes[i], ((Number) namesAndSizes[i + 1]).longValue()));
        }
        return new MachineState(name, blocks, List.of(), Set.of("vga"), cmos, pciConfig, Optional.empty(), List.of());
    }

    private static MachineState pc(long size, long low, Object... more) {
        Object[] blocks = new Object[more.length + 2];
        blocks[0] = "pc.ram";
        blocks[1] = size;
        System.arraycopy(more, 0, blocks, 2, more.length);
        return machine("pc-i440fx-7.2", Optional.of(MigrationFiles.cmos(low, size - low)),
                Map.of(BRIDGE, MigrationFiles.i440fx(3)), blocks);
    }

    private static List<String> lines(PcMemoryMap.Result layout) {
        return layout.placements().stream()
                .map(placement -> String.format("%x-%x %s %s @%x", placement.region().range().first(),
                        placement.region().range().last(), placement.region().kind(), placement.block().name(),
                        placement.offset()))
                .toList();
    }

    private static List<String> lines(MachineState state) {
        return lines(PcMemoryMap.of(state));
    }

    @Test
    void splitsMemoryByCmos() {
        assertEquals(List.of("0-9ffff RAM pc.ram @0", "c0000-7ffffff RAM pc.ram @c0000"),
                lines(pc(128 * MIB, 128 * MIB)));
        assertEquals(List.of("0-9ffff RAM pc.ram @0", "c0000-3fffffff RAM pc.ram @c0000",
                "100000000-13fffffff RAM pc.ram @40000000"),
                lines(pc(2 * GIB, GIB)));
        assertEquals("memory split by CMOS", PcMemoryMap.of(pc(2 * GIB, GIB)).derivation());
    }

    /** CMOS counts in 64 KiB above 16 MiB and in 1 KiB below. */
    @Test
    void takesTheWholeBlockWhereCmosIsRoundedDown() {
        assertEquals("c0000-7ffefff RAM pc.ram @c0000", lines(pc(128 * MIB - 4096, 128 * MIB - 4096)).get(1));
        assertEquals("c0000-7fffff RAM pc.ram @c0000", lines(pc(8 * MIB, 8 * MIB)).get(1));
    }

    @Test
    void fallsBackToTheRuleOfTheMachineWhereCmosLies() {
        MachineState odd = machine("pc-q35-7.2", Optional.of(MigrationFiles.cmos(GIB, 0)), Map.of(), "pc.ram", 5 * GIB);
        PcMemoryMap.Result layout = PcMemoryMap.of(odd);
        assertEquals("memory split by rule of the machine", layout.derivation());
        assertTrue(layout.findings().getFirst().message().contains("do not add up to the 0x140000000 bytes"));
        assertTrue(lines(layout).contains("100000-7fffffff RAM pc.ram @100000"), lines(layout)::toString);
        assertTrue(lines(layout).contains("100000000-1bfffffff RAM pc.ram @80000000"));
        MachineState none = machine("pc-i440fx-7.2", Optional.empty(), Map.of(), "pc.ram", 5 * GIB);
        assertTrue(lines(none).contains("100000000-17fffffff RAM pc.ram @c0000000"));
        MachineState small = machine("pc-i440fx-7.2", Optional.empty(), Map.of(), "pc.ram", 3583 * MIB);
        assertTrue(lines(small).contains("100000-dfefffff RAM pc.ram @100000"));
    }

    @Test
    void leavesTheLegacyAreaOutWhereNothingTellsWhatIsThere() {
        MachineState state = machine("pc-q35-7.2", Optional.empty(), Map.of(), "pc.ram", GIB, "pc.bios", 256 * 1024);
        PcMemoryMap.Result layout = PcMemoryMap.of(state);
        assertEquals(List.of("0-9ffff RAM pc.ram @0", "100000-3fffffff RAM pc.ram @100000",
                "fffc0000-ffffffff ROM pc.bios @0"), lines(layout));
        assertEquals(Severity.DAMAGE, layout.findings().getFirst().severity());
    }

    @Test
    void showsFirmwareWhereMemoryIsSwitchedOff() {
        byte[] config = MigrationFiles.i440fx(0);
        config[0x5a] = 0x13; // c0000: read and write, c4000: read
        MachineState state = machine("pc-i440fx-7.2", Optional.of(MigrationFiles.cmos(GIB, 0)), Map.of(BRIDGE, config),
                "pc.ram", GIB, "pc.bios", 256 * 1024, "pc.rom", 128 * 1024);
        assertEquals(List.of(
                "0-9ffff RAM pc.ram @0",
                "c0000-c3fff RAM pc.ram @c0000",
                "c4000-c7fff ROM pc.ram @c4000",
                "c8000-dffff ROM pc.rom @8000",
                "e0000-fffff ROM pc.bios @20000",
                "100000-3fffffff RAM pc.ram @100000",
                "fffc0000-ffffffff ROM pc.bios @0"), lines(state));
    }

    /** A board without host bridge: ROMs lie over memory. */
    @Test
    void placesRomsOfBoardsWithoutHostBridge() {
        MachineState state = machine("microvm", Optional.empty(), Map.of(), "microvm.ram", GIB, "pc.bios", 64 * 1024);
        assertEquals(List.of("0-9ffff RAM microvm.ram @0", "c0000-effff RAM microvm.ram @c0000",
                "f0000-fffff ROM pc.bios @0", "100000-3fffffff RAM microvm.ram @100000",
                "ffff0000-ffffffff ROM pc.bios @0"), lines(state));
    }

    @Test
    void readsThePamRegistersOfQ35() {
        byte[] config = new byte[256];
        config[0x90] = 0x10; // f0000: read
        config[0x96] = 0x30; // ec000: read and write
        MachineState state = machine("pc-q35-7.2", Optional.of(MigrationFiles.cmos(GIB, 0)),
                Map.of("0000:00:00.0/mch", config), "pc.ram", GIB);
        assertEquals(List.of("0-9ffff RAM pc.ram @0", "ec000-effff RAM pc.ram @ec000", "f0000-fffff ROM pc.ram @f0000",
                "100000-3fffffff RAM pc.ram @100000"), lines(state));
    }

    /** As QEMU does with -vga none. */
    @Test
    void showsMemoryBehindTheVideoWindowWhereNoCardIsThere() {
        MachineState card = pc(GIB, GIB);
        MachineState none = new MachineState(card.machine(), card.blocks(), List.of(), Set.of("cpu"), card.cmos(),
                card.pciConfig(), Optional.empty(), List.of());
        assertEquals(List.of("0-3fffffff RAM pc.ram @0"), lines(none));
        byte[] video = new byte[256];
        video[0x0b] = 3;
        Map<String, byte[]> devices = new HashMap<>(card.pciConfig());
        devices.put("0000:00:02.0/qxl", video);
        MachineState pci =
                new MachineState(card.machine(), card.blocks(), List.of(), Set.of("cpu"), card.cmos(), devices,
                        Optional.empty(), List.of());
        assertEquals("0-9ffff RAM pc.ram @0", lines(pci).getFirst());
        byte[] open = MigrationFiles.i440fx(3);
        open[0x72] = 0x4a;
        devices.put(BRIDGE, open);
        MachineState both =
                new MachineState(card.machine(), card.blocks(), List.of(), Set.of("cpu"), card.cmos(), devices,
                        Optional.empty(), List.of());
        assertEquals(List.of("0-3fffffff RAM pc.ram @0"), lines(both));
    }

    @Test
    void placesFlashChipsBelowFourGiB() {
        List<String> lines = lines(pc(GIB, GIB, "system.flash0", 4 * MIB, "system.flash1", 512 * 1024));
        assertTrue(lines.contains("ffc00000-ffffffff ROM system.flash0 @0"), lines::toString);
        assertTrue(lines.contains("ffb80000-ffbfffff ROM system.flash1 @0"), lines::toString);
    }

    @Test
    void placesTheFrameBufferByItsBaseAddressRegister() {
        byte[] config = new byte[256];
        config[0x04] = 3;
        config[0x10] = 8;
        config[0x13] = (byte) 0xfd;
        Map<String, byte[]> devices =
                new HashMap<>(Map.of(BRIDGE, MigrationFiles.i440fx(3), "0000:00:02.0/vga", config));
        Object[] blocks = {"pc.ram", GIB, "0000:00:02.0/vga.vram", 16 * MIB};
        Optional<byte[]> cmos = Optional.of(MigrationFiles.cmos(GIB, 0));
        assertTrue(lines(machine("pc-i440fx-7.2", cmos, devices, blocks))
                .contains("fd000000-fdffffff RAM 0000:00:02.0/vga.vram @0"));
        byte[] disabled = config.clone();
        disabled[0x04] = 1;
        devices.put("0000:00:02.0/vga", disabled);
        PcMemoryMap.Result layout = PcMemoryMap.of(machine("pc-i440fx-7.2", cmos, devices, blocks));
        assertEquals(2, layout.placements().size());
        assertTrue(layout.findings().getFirst().message().contains("left out: 0000:00:02.0/vga.vram (16777216)"));
        byte[] over = config.clone();
        over[0x13] = 0x10;
        devices.put("0000:00:02.0/vga", over);
        assertTrue(PcMemoryMap.of(machine("pc-i440fx-7.2", cmos, devices, blocks)).findings().getFirst().message()
                .contains("where other memory is"));
    }

    @Test
    void putsNumaNodesTogetherByTheirNumbers() {
        MachineState state = machine("pc-q35-7.2", Optional.of(MigrationFiles.cmos(2 * GIB, GIB)),
                Map.of(BRIDGE, MigrationFiles.i440fx(3)), "ram-node1", 2 * GIB, "ram-node0", GIB, "pc.bios",
                256 * 1024);
        assertEquals(List.of("0-9ffff RAM ram-node0 @0", "c0000-3fffffff RAM ram-node0 @c0000",
                "40000000-7fffffff RAM ram-node1 @0", "fffc0000-ffffffff ROM pc.bios @0",
                "100000000-13fffffff RAM ram-node1 @40000000"), lines(state));
    }

    @Test
    void takesTheOnlyBackendForMainMemory() {
        MachineState state = machine("pc-q35-7.2", Optional.of(MigrationFiles.cmos(GIB, 0)),
                Map.of(BRIDGE, MigrationFiles.i440fx(3)), "my-memory", GIB, "/rom@etc/acpi/tables", 131072);
        assertEquals("c0000-3fffffff RAM my-memory @c0000", lines(state).get(1));
    }

    @Test
    void saysWhichMemoryItCannotPlace() {
        PcMemoryMap.Result layout = PcMemoryMap.of(
                pc(GIB, GIB, "dimm0", GIB, "dimm1", GIB / 2, "/rom@etc/acpi/rsdp", 4096));
        assertEquals(Severity.DAMAGE, layout.findings().get(0).severity());
        assertTrue(layout.findings().get(0).message()
                .contains("memory dimm0 (1073741824), dimm1 (536870912) is in the stream"));
        assertEquals("dimm0 (1073741824), dimm1 (536870912)", layout.unplaced());
        assertEquals(Severity.NOTE, layout.findings().get(1).severity());
        assertTrue(layout.findings().get(1).message().endsWith("/rom@etc/acpi/rsdp (4096)"));
    }

    /** Where QEMU 7.2 has them (info memory-devices): the first on the GiB behind main memory, the next right behind it. */
    @Test
    void placesDimmsBehindMainMemory() {
        PcMemoryMap.Result one = PcMemoryMap.of(pc(64 * MIB, 64 * MIB, "/objects/m1", 128 * MIB));
        assertEquals("100000000-107ffffff RAM /objects/m1 @0", lines(one).getLast());
        assertEquals("", one.unplaced());
        assertEquals(List.of(Severity.NOTE), one.findings().stream().map(Finding::severity).toList());
        assertTrue(one.findings().getFirst().message().contains("memory /objects/m1 is taken for a DIMM and shown from"
                + " 0x100000000 on"));
        PcMemoryMap.Result two = PcMemoryMap.of(
                pc(4 * GIB + 5 * MIB, 3 * GIB, "a", 512 * MIB, "b", 512 * MIB));
        assertEquals(List.of("180000000-19fffffff RAM a @0", "1a0000000-1bfffffff RAM b @0"),
                lines(two).subList(lines(two).size() - 2, lines(two).size()));
    }

    @Test
    void believesTheAddressThatIsStatedForADimm() {
        PcMemoryMap.Result layout = PcMemoryMap.of(
                pc(GIB, GIB, "/objects/memdimm1", GIB, "memdimm0", 2 * GIB),
                List.of(new PcMemoryMap.Dimm("memdimm0", 8 * GIB), new PcMemoryMap.Dimm("memdimm1", 4 * GIB)));
        assertTrue(lines(layout).contains("100000000-13fffffff RAM /objects/memdimm1 @0"), lines(layout)::toString);
        assertTrue(lines(layout).contains("200000000-27fffffff RAM memdimm0 @0"), lines(layout)::toString);
        assertEquals(List.of(), layout.findings());
    }

    /** A backend may as well belong to a device that shows it elsewhere, or to a board whose DIMMs we know nothing of. */
    @Test
    void takesNoBackendOfAnotherDeviceForADimm() {
        MachineState pc = pc(GIB, GIB, "shared", GIB);
        MachineState other =
                new MachineState(pc.machine(), pc.blocks(), List.of(), Set.of("0000:00:04.0/ivshmem"), pc.cmos(),
                        pc.pciConfig(), Optional.empty(), List.of());
        assertEquals("shared (1073741824)", PcMemoryMap.of(other).unplaced());
        MachineState isa = machine("isapc", Optional.empty(), Map.of(), "pc.ram", GIB, "shared", GIB);
        assertEquals("shared (1073741824)", PcMemoryMap.of(isa).unplaced());
    }

    @Test
    void refusesWhatItWouldHaveToGuess() {
        assertThrows(UnsupportedRequestException.class,
                () -> PcMemoryMap.of(machine("virt-7.2", Optional.empty(), Map.of(), "mach-virt.ram", GIB)));
        assertThrows(UnsupportedRequestException.class,
                () -> PcMemoryMap.of(machine("pc-q35-7.2", Optional.empty(), Map.of(), "one", GIB, "two", GIB)));
    }

    @Test
    void doubtsTheAddressOfMemoryThatAmdProcessorsHaveElsewhere() {
        long size = 2L << 40;
        assertTrue(PcMemoryMap.of(pc(size, 3 * GIB)).findings().getFirst().message().contains("1 TiB"));
    }
}
