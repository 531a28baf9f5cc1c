package example;

import dev.guestcore.Guest;
import dev.guestcore.Progress;
import dev.guestcore.arch.x86.X86;
import dev.guestcore.cpu.RegisterState;
import dev.guestcore.format.WriteReport;
import dev.guestcore.open.Guests;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.Map;

/** An emulator, for short: a machine with some memory and one vCPU, which writes core files of itself. */
public final class Emulator implements AutoCloseable {

    private final Arena arena = Arena.ofShared();
    private final MemorySegment ram = arena.allocate(1 << 20);
    private final MemorySegment firmware = MemorySegment.ofArray(new byte[1 << 16]).fill((byte) 0x90);
    private long rip = 0x7c00;
    private long rsp = 0x7000;

    /** Where the emulation would be: the guest stores a text, and is about to halt. */
    void run() {
        ram.setString(0x1000, "Frozen and kept");
        ram.set(ValueLayout.JAVA_BYTE, rip, (byte) 0xf4);
    }

    /** The machine as it stands, without a copy; it must not run on before the guest is closed. */
    Guest freeze() {
        return Guest.builder()
                .ram(0x0, ram.asReadOnly())
                .rom(0xffff_0000L, firmware.asReadOnly())
                .device(0xfee0_0000L, 0x1000, "lapic")
                .vcpu(RegisterState.builder().set(X86.RIP, rip).set(X86.RSP, rsp).set(X86.CR0, 0x10).build())
                .build();
    }

    @Override
    public void close() {
        arena.close();
    }

    /** Runs the machine and writes the core file {@code arguments[0]} in the format {@code arguments[1]}. */
    public static void main(String[] arguments) {
        try (Emulator machine = new Emulator()) {
            machine.run();
            try (Guest guest = machine.freeze()) {
                WriteReport report = Guests.format(arguments[1])
                        .writer(Map.of())
                        .write(guest, Path.of(arguments[0]), Progress.none());
                System.out.println(report.bytes() + " bytes, " + report.memoryBytes() + " of them memory");
                report.losses().forEach(loss -> System.out.println("lost: " + loss.what() + ", " + loss.why()));
            }
        }
    }
}
