package dev.guestcore.internal.migration;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.arch.Architectures;
import dev.guestcore.arch.arm64.Arm64;
import dev.guestcore.arch.riscv64.Riscv64;
import dev.guestcore.arch.s390x.S390x;
import dev.guestcore.cpu.Architecture;
import dev.guestcore.cpu.RegisterState;
import dev.guestcore.testing.MigrationFiles;
import java.io.ByteArrayInputStream;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.Channels;
import java.util.List;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;

/** Streams of arm64, riscv64 and s390x machines. */
class OtherProcessorsTest {

    private static final long SEED = 0x1234_0000_0000_0000L;
    private static final long EL1H = 0x3c5;
    private static final int MIB = 1 << 20;

    /** Nobody looks at the memory. */
    private static final class Nowhere implements RamSink {

        @Override
        public void block(RamBlock block) {}

        @Override
        public void page(RamBlock block, long offset, MemorySegment page, long position) {}

        @Override
        public void fill(RamBlock block, long offset, byte value) {}
    }

    private static MachineState read(MigrationFiles file) {
        return new MigrationStream(Channels.newChannel(new ByteArrayInputStream(file.finish())), "stream",
                new Nowhere())
                .read();
    }

    private static MigrationFiles machine(String name, Object... blocks) {
        return new MigrationFiles(name).blocks(blocks).endOfRam();
    }

    private static RegisterState only(Architecture architecture, Consumer<MigrationFiles.Fields> cpu) {
        MachineState state = read(machine("virt", "mach-virt.ram", MIB).device("cpu", 0, 22, cpu));
        assertEquals(List.of(), state.findings());
        assertEquals(architecture, state.architecture());
        return state.vcpus().getFirst();
    }

    private static long[] scalable(long... more) {
        long[] system = new long[more.length + 2];
        system[0] = MigrationFiles.systemRegister(3, 0, 1, 2, 0);
        system[1] = 1;
        System.arraycopy(more, 0, system, 2, more.length);
        return system;
    }

    @Test
    void decodesAnArm64Vcpu() {
        RegisterState cpu = only(Architectures.ARM64, fields -> MigrationFiles.arm64(
                fields, SEED, EL1H, scalable(
                        MigrationFiles.systemRegister(3, 0, 2, 0, 1), 0x41a9_2000,
                        MigrationFiles.systemRegister(3, 3, 14, 3, 2), 0x77,
                        // A view of AArch32, and a register without a name and value.
                        0x4020_0000_200e_0801L, 5,
                        MigrationFiles.systemRegister(3, 5, 9, 9, 7), 0)));
        for (int i = 0; i <= 30; i++) {
            assertEquals(SEED + 0x100 + i, cpu.get(Arm64.x(i)));
        }
        assertEquals(SEED + 0x11f, cpu.get(Arm64.SP));
        assertEquals(SEED + 0x200, cpu.get(Arm64.PC));
        assertEquals(EL1H, cpu.get(Arm64.PSTATE));
        assertEquals(SEED + 0x500, cpu.get(Arm64.system("sp_el0")));
        assertEquals(SEED + 0x11f, cpu.get(Arm64.system("sp_el1")), "that in use is old among the others");
        assertEquals(SEED + 0x401, cpu.get(Arm64.system("elr_el1")));
        assertEquals(SEED + 0x301, cpu.get(Arm64.system("spsr_el1")));
        assertEquals(SEED + 0x306, cpu.get(Arm64.system("spsr_el2")));
        assertEquals(0x41a9_2000, cpu.get(Arm64.system("ttbr1_el1")));
        assertEquals(0x77, cpu.get(Arm64.system("cntv_cval_el0")));
        assertEquals(0x0800_0011L, cpu.get(Arm64.FPSR));
        assertEquals(0x0040_0000L, cpu.get(Arm64.FPCR));
        assertEquals(4, cpu.get(Arm64.VG));
        ByteBuffer third = ByteBuffer.wrap(cpu.bytes(Arm64.z(3))).order(ByteOrder.LITTLE_ENDIAN);
        assertEquals(32, third.capacity());
        assertEquals(SEED + 0x603, third.getLong(0));
        assertEquals(SEED + 0x703, third.getLong(8));
        assertEquals(SEED + 0x830, third.getLong(16));
        assertEquals(SEED + 0x831, third.getLong(24));
        assertArrayEquals(new byte[] {0x20, 0x0a, 0, 0}, cpu.bytes(Arm64.p(2)));
        assertFalse(cpu.knows(Arm64.system("ttbr0_el1")), "what is not in the list stays unknown");
        assertFalse(cpu.knows(Arm64.ZA));
    }

    /** KVM's numbers of the virtual counter and of its comparator are each other's. */
    @Test
    void knowsKvmsMistake() {
        RegisterState cpu = only(Architectures.ARM64, fields -> MigrationFiles.arm64(
                fields, SEED, EL1H, scalable(
                        0x6030_0000_0014_0000L, 0x1_0001,
                        MigrationFiles.systemRegister(3, 3, 14, 3, 2), 0x77,
                        MigrationFiles.systemRegister(3, 3, 14, 0, 2), 0x88)));
        assertEquals(0x77, cpu.get(Arm64.system("cntvct_el0")));
        assertEquals(0x88, cpu.get(Arm64.system("cntv_cval_el0")));
    }

    @Test
    void saysWhatOfAnArm64VcpuIsLost() {
        MachineState state = read(machine("virt-7.2", "mach-virt.ram", MIB)
                .device("cpu", 0, 22, fields -> MigrationFiles.arm64(fields, SEED, 0x1d3, scalable(
                        MigrationFiles.systemRegister(3, 5, 9, 9, 7), 0x55))));
        RegisterState cpu = state.vcpus().getFirst();
        assertEquals(0x1007, cpu.get(Arm64.x(7)));
        assertEquals(0x100f, cpu.get(Arm64.PC));
        assertFalse(cpu.knows(Arm64.x(8)));
        assertFalse(cpu.knows(Arm64.SP));
        String lost = state.findings().getFirst().message();
        assertTrue(lost.contains("s3_5_c9_c9_7 = 0x55"), lost);
        assertTrue(lost.contains("AArch32 code"), lost);
    }

    @Test
    void leavesVectorsOutThatTheStreamHoldsAPartOf() {
        MachineState state = read(machine("virt-7.2", "mach-virt.ram", MIB)
                .device("cpu", 0, 22, fields -> MigrationFiles.arm64(
                        fields, SEED, EL1H, MigrationFiles.systemRegister(3, 0, 1, 2, 0), 15)));
        assertFalse(state.vcpus().getFirst().knows(Arm64.z(0)));
        assertTrue(state.vcpus().getFirst().knows(Arm64.v(0)));
        assertTrue(
                state.findings().getFirst().message().contains("of its SVE vectors of 256 bytes the stream holds 128"));
    }

    @Test
    void decodesARiscv64Vcpu() {
        RegisterState cpu = only(Architectures.RISCV64, fields -> MigrationFiles.riscv64(fields, SEED, 0));
        assertEquals(SEED + 0x101, cpu.get(Riscv64.named("ra")));
        assertEquals(SEED + 0x11f, cpu.get(Riscv64.named("t6")));
        assertEquals(SEED + 0x21f, cpu.get(Riscv64.named("ft11")));
        assertEquals(SEED + 0x300, cpu.get(Riscv64.PC));
        assertEquals(SEED + 0x401, cpu.get(Riscv64.SATP));
        assertEquals(SEED + 0x501, cpu.get(Riscv64.named("vsatp")));
        assertEquals(1, cpu.get(Riscv64.PRIV));
        assertEquals(0x8000_000a_0000_6900L, cpu.get(Riscv64.named("mstatus")), "SD follows from FS");
        assertEquals(0x2_0000_0000L, cpu.get(Riscv64.named("hstatus")));
        assertFalse(cpu.knows(Riscv64.named("fcsr")), "a stream does not have the flags");
    }

    /** While a guest of the guest runs, QEMU has that guest's registers where the supervisor's are, and old ones at their place. */
    @Test
    void knowsWhoseRegistersTheyAreInVirtualMode() {
        RegisterState cpu = only(Architectures.RISCV64, fields -> MigrationFiles.riscv64(fields, SEED, 1));
        assertEquals(SEED + 0x401, cpu.get(Riscv64.named("vsatp")));
        assertEquals(SEED + 0x402, cpu.get(Riscv64.named("vstvec")));
        assertFalse(cpu.knows(Riscv64.named("vsstatus")));
    }

    @Test
    void decodesAnS390xVcpu() {
        RegisterState cpu = only(Architectures.S390X, fields -> MigrationFiles.s390x(fields, SEED));
        assertEquals(SEED + 0x10f, cpu.get(S390x.r(15)));
        assertEquals(SEED + 0x40d, cpu.get(S390x.control(13)));
        assertEquals(0x30f, cpu.get(S390x.access(15)));
        assertEquals(0x0404_c001_8000_0000L, cpu.get(S390x.PSWM));
        assertEquals(SEED + 0x200, cpu.get(S390x.PSWA));
        assertEquals(0xe000, cpu.get(S390x.PREFIX));
        assertEquals(SEED + 0x503, cpu.get(S390x.f(3)));
        assertEquals("0x1234000000000503" + "1234000000000603", cpu.hex(S390x.v(3)));
        assertEquals(SEED + 0x201, cpu.get(S390x.named("ckc")));
    }

    @Test
    void placesTheMemoryOfBoards() {
        assertPlaces("0x40000000 mach-virt.ram, 0x0 virt.flash0, 0x4000000 virt.flash1",
                machine("virt-9.2", "mach-virt.ram", 4 * MIB, "virt.flash0", MIB, "virt.flash1", MIB)
                        .device("cpu", 0, 22, fields -> MigrationFiles.arm64(fields, 0, EL1H, scalable())));
        assertPlaces("0x80000000 riscv_virt_board.ram, 0x1000 riscv_virt_board.mrom, 0x20000000 virt.flash0",
                machine("virt", "riscv_virt_board.ram", 4 * MIB, "riscv_virt_board.mrom", 0xf000, "virt.flash0", MIB)
                        .device("cpu", 0, 5, fields -> MigrationFiles.riscv64(fields, 0, 0)));
        assertPlaces("0x0 s390.ram", machine("s390-ccw-virtio-7.2", "s390.ram", 4 * MIB)
                .device("cpu", 0, 4, fields -> MigrationFiles.s390x(fields, 0)));
        // Memory that the user named, and a stream that breaks off before its vCPUs.
        assertPlaces("0x40000000 mine", machine("virt-9.2", "mine", 4 * MIB)
                .device("cpu", 0, 22, fields -> MigrationFiles.arm64(fields, 0, EL1H, scalable())));
        assertPlaces("0x80000000 riscv_virt_board.ram", machine("virt", "riscv_virt_board.ram", 4 * MIB));
    }

    private static void assertPlaces(String expected, MigrationFiles file) {
        List<String> found = PcMemoryMap.of(read(file)).placements().stream()
                .map(place -> "0x" + Long.toHexString(place.region().range().first()) + " " + place.block().name())
                .sorted()
                .toList();
        assertEquals(List.of(expected.split(", ")).stream().sorted().toList(), found);
    }

    /** Sections of s390x whose descriptions are shorter than their data, and pages' attributes that come while it runs. */
    @Test
    void getsOverWhatS390xMachinesHaveBesides() {
        MigrationFiles file = new MigrationFiles("s390-ccw-virtio-7.2").blocks("s390.ram", MIB);
        file.endOfRam();
        file.u8(1).i32(77).text("s390-storage_attributes").i32(0).i32(0).i64(1).u8(0x7e).i32(77);
        file.u8(2).i32(77).i64(0x5002).i64(3).raw((byte) 1, (byte) 2, (byte) 3).i64(1).u8(0x7e).i32(77);
        file.u8(3).i32(77).i64(8).i64(1).u8(0x7e).i32(77);
        MachineState state = read(file.device("cpu", 0, 4, fields -> MigrationFiles.s390x(fields, SEED)));
        assertEquals(List.of(), state.findings());
        assertEquals(SEED + 0x200, state.vcpus().getFirst().get(S390x.PSWA));
    }
}
