package dev.guestcore.it.faults;

import dev.guestcore.Guest;
import dev.guestcore.Progress;
import dev.guestcore.arch.x86.X86;
import dev.guestcore.cpu.RegisterState;
import dev.guestcore.format.CoreWriter;
import dev.guestcore.format.WritePlan;
import dev.guestcore.internal.output.CompanionFiles;
import dev.guestcore.internal.output.OutputFile;
import dev.guestcore.open.Guests;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Random;

/** Another JVM that writes cores until it is killed. */
final class WriterProcess {

    private static final int MEMORY = 1 << 20;

    private WriterProcess() {}

    /** One of two guests. */
    static Guest guest(int number) {
        byte[] bytes = new byte[MEMORY];
        new Random(number).nextBytes(bytes);
        return Guest.builder()
                .ram(0, MemorySegment.ofArray(bytes))
                .vcpu(RegisterState.builder().set(X86.RIP, number).build())
                .build();
    }

    /** A writer of that format. */
    static CoreWriter writer(String format) {
        return Guests.format(format).writer(Map.of());
    }

    /** Writes one guest after the other in place of the last, or each under a name of its own. */
    public static void main(String[] arguments) {
        Path folder = Path.of(arguments[0]);
        CoreWriter writer = writer(arguments[1]);
        boolean replaces = arguments[2].equals("replace");
        Guest[] guests = {guest(0), guest(1)};
        System.out.write('F');
        System.out.flush();
        for (int i = 0;; i++) {
            Guest guest = guests[i % 2];
            if (replaces) {
                replace(writer.plan(guest), folder.resolve("core"));
            } else {
                writer.write(guest, folder.resolve("core-" + i), Progress.none());
            }
        }
    }

    private static void replace(WritePlan plan, Path file) {
        try (OutputFile output = OutputFile.create(file, OutputFile.IfExists.REPLACE);
                CompanionFiles companions = new CompanionFiles(file, OutputFile.IfExists.REPLACE)) {
            companions.begin(plan.companions());
            plan.write(output.sink(), Progress.none());
            companions.write();
            companions.commit(output, List.of());
        }
    }
}
