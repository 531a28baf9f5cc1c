package dev.guestcore.bench;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Runs a program from start to end under the {@code time} of bash, which counts its processor time to a millisecond. */
final class Shell {

    private static final String SCRIPT = "TIMEFORMAT='%R %U %S'; time \"$@\" 2>/dev/null";

    private Shell() {}

    /** What a program took and said. */
    record Outcome(Pass pass, String output) {}

    /**
     * Runs a program.
     *
     * @param target where its output goes; null to keep it
     * @throws IOException if it fails
     */
    static Outcome run(List<String> program, @Nullable Path target) throws IOException, InterruptedException {
        List<String> command = new ArrayList<>(List.of("bash", "-c", SCRIPT, "bash"));
        command.addAll(program);
        ProcessBuilder builder = new ProcessBuilder(command);
        builder.environment().put("LC_ALL", "C");
        if (target != null) {
            builder.redirectOutput(target.toFile());
        }
        Process process = builder.start();
        String output = target == null ? read(process.getInputStream().readAllBytes()) : "";
        String[] times = read(process.getErrorStream().readAllBytes()).strip().split(" ");
        if (process.waitFor() != 0 || times.length != 3) {
            throw new IOException(String.join(" ", program) + " failed");
        }
        long cpu = nanoseconds(times[1]) + nanoseconds(times[2]);
        return new Outcome(new Pass(nanoseconds(times[0]), cpu, 0), output);
    }

    private static String read(byte[] bytes) {
        return new String(bytes, StandardCharsets.UTF_8);
    }

    private static long nanoseconds(String seconds) {
        return Math.round(Double.parseDouble(seconds) * 1e9);
    }
}
