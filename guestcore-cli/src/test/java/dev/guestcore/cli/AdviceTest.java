package dev.guestcore.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.Guest;
import dev.guestcore.Guests;
import dev.guestcore.Progress;
import dev.guestcore.internal.output.OutputFile;
import dev.guestcore.testing.MadeUpKernel;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The commands of our own that {@code info} advises are run on the very kind of file that they are advised for. */
class AdviceTest {

    private static final Pattern CONVERSION = Pattern.compile("\\S+ (convert) (\\S+) -o (\\S+) --to (\\S+)");
    private static final Pattern SERVED = Pattern.compile(".*\\| \\S+ gdb (\\S+) --stdio'");

    @TempDir
    Path folder;

    private final MadeUpKernel kernel = MadeUpKernel.at(0x1a00_0000, 8 << 20).withNoteAt(0x10_0000);

    private String write(String format) throws IOException {
        Path core = folder.resolve("core." + format);
        if (format.equals("img")) {
            return "raw:" + Files.write(core, kernel.bytes());
        }
        try (Guest guest = kernel.guest().vcpu(kernel.registers()).build();
                OutputFile file = OutputFile.create(core, OutputFile.IfExists.FAIL)) {
            Guests.formats().stream()
                    .filter(one -> one.name().equals(format))
                    .findFirst()
                    .orElseThrow()
                    .writer(Map.of())
                    .plan(guest)
                    .write(file.sink(), Progress.none());
            file.commit();
        }
        return core.toString();
    }

    @Test
    void whatInfoAdvisesCanBeDone() throws IOException {
        int conversions = 0;
        int servings = 0;
        for (String format : List.of("elf", "kdump", "vbox", "xen", "lime", "avml", "img")) {
            String source = write(format);
            Map<?, ?> json = Run.of("info", "--json", "--scan", source).expect(0).json();
            List<?> next = (List<?>) json.get("next");
            assertTrue(next != null && next.size() >= 2, format + ": " + json.get("kernel"));
            for (Object one : next) {
                Map<?, ?> advice = (Map<?, ?>) one;
                String command = advice.get("command").toString();
                if (advice.containsKey("conversion")) {
                    Matcher typed = CONVERSION.matcher(advice.get("conversion").toString());
                    assertTrue(typed.matches(), format + ": " + advice);
                    Path target = folder.resolve(typed.group(3));
                    Files.deleteIfExists(target);
                    Run.of(typed.group(1), typed.group(2), "-o", target.toString(), "--to", typed.group(4)).expect(0);
                    try (Guest guest = Guests.open(target)) {
                        assertEquals(typed.group(4), guest.provenance().format());
                    }
                    // The debugger is given the file that the conversion makes.
                    assertTrue(command.endsWith(" " + typed.group(3)), command);
                    conversions++;
                }
                Matcher served = SERVED.matcher(command);
                if (served.matches()) {
                    assertEquals(source, served.group(1), command);
                    Run.of("read", "--virtual", source, "0x" + Long.toHexString(kernel.textAddress()), "16").expect(0);
                    servings++;
                }
            }
        }
        assertTrue(conversions >= 7, "conversions " + conversions);
        assertEquals(7, servings);
    }
}
