package dev.guestcore.it;

import dev.guestcore.arch.Architectures;
import dev.guestcore.cpu.Architecture;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/** A few instructions of our own for machines that are no PCs: they load registers, and then count in memory for ever. */
enum BareGuest {

    /** x20 = 0x56781234, TTBR0_EL1 = 0x43210000, TPIDR_EL1 = x20, v5 = x20 twice; counts at x4. */
    ARM64("aarch64", Architectures.ARM64, 0x4000_0000L, 0x4020_1020L) {
        @Override
        byte[] image() {
            return words(
                    ByteOrder.LITTLE_ENDIAN,
                    0xd2824694, // movz x20, #0x1234
                    0xf2aacf14, // movk x20, #0x5678, lsl #16
                    0xd2a86422, // movz x2, #0x4321, lsl #16
                    0xd5182002, // msr ttbr0_el1, x2
                    0xd518d094, // msr tpidr_el1, x20
                    0xd2a00601, // mov x1, #0x300000
                    0xd5181041, // msr cpacr_el1, x1
                    0xd5033fdf, // isb
                    0x4e080e85, // dup v5.2d, x20
                    0x10007fe4, // adr x4, . + 0xffc
                    0xf9400085, // ldr x5, [x4]
                    0x910004a5, // add x5, x5, #1
                    0xf9000085, // str x5, [x4]
                    0x17fffffd); // b . - 12
        }

        @Override
        List<String> arguments(Path image) {
            return List.of("-M", "virt", "-cpu", "cortex-a57", "-device",
                    "loader,addr=0x40200000,cpu-num=0,file=" + image);
        }

        @Override
        Map<String, Long> registers() {
            return Map.of("x20", 0x56781234L, "x2", 0x43210000L, "x4", counter());
        }

        @Override
        Map<String, Long> systemRegisters() {
            return Map.of("ttbr0_el1", 0x43210000L, "tpidr_el1", 0x56781234L, "cpacr_el1", 0x300000L);
        }
    },

    /** t0 = sscratch = 0x12345000; both harts count at t1. */
    RISCV64("riscv64", Architectures.RISCV64, 0x8000_0000L, 0x8000_1008L) {
        @Override
        byte[] image() {
            return words(
                    ByteOrder.LITTLE_ENDIAN,
                    0x123452b7, // lui t0, 0x12345
                    0x14029073, // csrw sscratch, t0
                    0x00001317, // auipc t1, 1
                    0x00033383, // ld t2, 0(t1)
                    0x00138393, // addi t2, t2, 1
                    0x00733023, // sd t2, 0(t1)
                    0xff5ff06f); // j . - 12
        }

        @Override
        List<String> arguments(Path image) {
            return List.of("-M", "virt", "-bios", "none", "-device", "loader,addr=0x80000000,file=" + image);
        }

        @Override
        Map<String, Long> registers() {
            return Map.of("t0", 0x12345000L, "t1", counter(), "sscratch", 0x12345000L, "satp", 0L);
        }

        @Override
        Map<String, Long> systemRegisters() {
            return Map.of("priv", 3L);
        }
    },

    /** r1 = 7, r2 = 66; counts at r3. */
    S390X("s390x", Architectures.S390X, 0, 0x3000) {
        @Override
        byte[] image() {
            byte[] code = words(
                    ByteOrder.BIG_ENDIAN,
                    0xa7190007, // lghi r1, 7
                    0xa7290042, // lghi r2, 66
                    0xa7393000, // lghi r3, 0x3000
                    0xe3403000, 0x0004a74b, 0x0001e340, 0x30000024, // lg r4, 0(r3); aghi r4, 1; stg r4, 0(r3)
                    0xa7f4fff8); // j . - 16
            ByteBuffer image = ByteBuffer.allocate(ENTRY + code.length);
            // The program-status word of the first instruction.
            image.putInt(0x00080000).putInt(0x80000000 | ENTRY);
            return image.position(ENTRY).put(code).array();
        }

        @Override
        List<String> arguments(Path image) {
            return List.of("-M", "s390-ccw-virtio", "-kernel", image.toString());
        }

        @Override
        Map<String, Long> registers() {
            return Map.of("r1", 7L, "r2", 66L, "r3", counter(), "cr0", 0xe0L);
        }

        @Override
        Map<String, Long> systemRegisters() {
            return Map.of("prefix", 0L);
        }
    };

    private static final int ENTRY = 0x10000;

    private final String target;
    private final Architecture architecture;
    private final long ram;
    private final long counter;

    BareGuest(String target, Architecture architecture, long ram, long counter) {
        this.target = target;
        this.architecture = architecture;
        this.ram = ram;
        this.counter = counter;
    }

    private static byte[] words(ByteOrder order, int... words) {
        ByteBuffer bytes = ByteBuffer.allocate(words.length * Integer.BYTES).order(order);
        for (int word : words) {
            bytes.putInt(word);
        }
        return bytes.array();
    }

    /** What QEMU calls the processor. */
    String target() {
        return target;
    }

    Architecture architecture() {
        return architecture;
    }

    /** Where RAM begins. */
    long ram() {
        return ram;
    }

    /** Where it counts, eight bytes. */
    long counter() {
        return counter;
    }

    /** The program. */
    abstract byte[] image();

    /** QEMU's arguments that start it. */
    abstract List<String> arguments(Path image);

    /** Values of the first vCPU's registers, which the monitor prints too. */
    abstract Map<String, Long> registers();

    /** Values of those that the monitor does not print. */
    abstract Map<String, Long> systemRegisters();
}
