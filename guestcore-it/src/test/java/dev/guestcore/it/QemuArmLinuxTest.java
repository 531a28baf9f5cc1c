package dev.guestcore.it;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.FreezeMethod;
import dev.guestcore.Guest;
import dev.guestcore.Progress;
import dev.guestcore.Vcpu;
import dev.guestcore.arch.arm64.Arm64;
import dev.guestcore.cpu.RegisterState;
import dev.guestcore.open.Guests;
import dev.guestcore.source.FreezeRequest;
import dev.guestcore.source.GuestSource;
import dev.guestcore.testing.ForeignTools;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A stock arm64 kernel under QEMU: every way of freezing, against what the monitor says and QEMU saves. */
@Tag("slow")
@Tag("foreign")
class QemuArmLinuxTest {

    private static final long RAM = 0x4000_0000L;
    private static final long SIZE = 512L << 20;
    private static final int CHUNK = 4 << 20;
    private static final long IN_PROCESS = 0x1919_0000_0000_1919L;

    @TempDir
    private Path folder;

    private byte[] init() throws IOException {
        Path program = folder.resolve("init");
        ForeignTools.output(Tools.require("aarch64-linux-gnu-gcc").toString(), "-O1", "-static", "-nostdlib", "-s",
                "-o",
                program.toString(), Path.of("src", "test", "boot", "spinner-arm64.c").toString());
        return Files.readAllBytes(program);
    }

    @Test
    void everyWayOfFreezingHasTheKernelsRegistersAndMemory() throws IOException {
        Path kernel = Tools.requireArmKernel();
        byte[] module = Files.readAllBytes(Tools.requireModule(kernel, "kernel/drivers/firmware/qemu_fw_cfg.ko"));
        Map<String, byte[]> files = Map.of("init", init(), "qemu_fw_cfg.ko", module);
        try (QemuGuest qemu = QemuGuest.linuxArm64(kernel, files, "", "ARM64 READY", "cortex-a57")) {
            for (FreezeMethod method : List.of(FreezeMethod.SNAPSHOT, FreezeMethod.BUFFER, FreezeMethod.DIRECT)) {
                try (GuestSource source = Guests.source(qemu.location());
                        Guest guest = source.freeze(FreezeRequest.only(method))) {
                    checkProcess(guest, method);
                    for (String format : List.of("elf", "kdump")) {
                        Path core = folder.resolve(method.label() + "." + format);
                        Guests.format(format).writer(Map.of()).write(guest, core, Progress.none());
                    }
                }
                assertTrue(qemu.isRunning(), method::label);
                checkCores(method);
            }
            qemu.qmp("stop", Map.of());
            checkStopped(qemu);
        }
    }

    /** One vCPU nearly always spins in the process. */
    private static void checkProcess(Guest guest, FreezeMethod method) {
        for (Vcpu vcpu : guest.vcpus()) {
            RegisterState found = vcpu.registers();
            assertEquals(method == FreezeMethod.SNAPSHOT, found.knows(Arm64.system("ttbr1_el1")), method::label);
            if (found.get(Arm64.PSTATE) == 0 && found.get(Arm64.x(19)) == IN_PROCESS) {
                assertEquals(0x2828_0000_0000L, found.get(Arm64.x(28)));
                assertEquals("0x19190000000019191919000000001919", found.hex(Arm64.v(7)));
                if (method == FreezeMethod.SNAPSHOT) {
                    assertEquals(0x2828_0000_0000L, found.get(Arm64.system("tpidr_el0")));
                }
            }
        }
    }

    private void checkCores(FreezeMethod method) {
        for (String format : List.of("elf", "kdump")) {
            try (Guest core = Guests.open(folder.resolve(method.label() + "." + format))) {
                assertEquals("arm64", core.architecture().name());
                assertEquals(2, core.vcpus().size());
                assertTrue(core.vcpus().getFirst().registers().knows(Arm64.v(31)), format);
            }
        }
        Path core = folder.resolve(method.label() + ".elf");
        String printed = ForeignTools.output(Tools.require("gdb-multiarch").toString(), "-nx", "-batch", "-ex",
                "set architecture aarch64",
                "-ex", "set osabi GNU/Linux", "-ex", "core-file " + core, "-ex",
                "thread apply all info registers pc sp v7");
        try (Guest guest = Guests.open(core)) {
            for (Vcpu vcpu : guest.vcpus()) {
                String where = vcpu.registers().hex(Arm64.PC);
                assertTrue(printed.contains(where), () -> where + " in " + printed);
            }
        }
    }

    private static void checkStopped(QemuGuest qemu) throws IOException {
        String[] monitor = qemu.monitor("info registers -a").split("CPU#");
        try (Guest guest = Guests.open(qemu.location()); FileChannel saved = qemu.saved(RAM, SIZE)) {
            for (Vcpu vcpu : guest.vcpus()) {
                String text = monitor[vcpu.index() + 1];
                for (int i = 0; i <= 30; i++) {
                    String part = "X%02d=%016x".formatted(i, vcpu.registers().get(Arm64.x(i)));
                    assertTrue(text.contains(part), () -> part + " in " + text);
                }
            }
            byte[] theirs = new byte[CHUNK];
            byte[] ours = new byte[CHUNK];
            for (long done = 0; done < SIZE; done += CHUNK) {
                assertEquals(CHUNK, saved.read(ByteBuffer.wrap(theirs)));
                guest.memory().read(RAM + done, MemorySegment.ofArray(ours));
                assertEquals(ByteBuffer.wrap(theirs), ByteBuffer.wrap(ours), "at " + done);
            }
        }
    }
}
