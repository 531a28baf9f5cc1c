package dev.guestcore.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.testing.Samples;
import java.nio.file.Path;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A guest is headed by its files, its own hypervisor and the time of the capture, whatever format it was put into. */
class OriginTest {

    @TempDir
    Path folder;

    private String file(String name) {
        return folder.resolve(name).toString();
    }

    @ParameterizedTest
    @ValueSource(strings = {"vbox", "xen"})
    void aFormatOfAHypervisorMakesNoGuestOfIt(String format) {
        for (String[] keep : new String[][] {{}, {"--keep"}}) {
            String core = file("a" + keep.length + "." + format);
            String[] capture = {"capture", "demo:ram=4M", "-o", core, "--to", format};
            String[] command = Stream.of(capture, keep).flatMap(Stream::of)
                    .toArray(String[]::new);
            Run.of(command).expect(0);
            String name = format.equals("vbox") ? "VirtualBox " : "Xen ";
            String info = Run.of("info", core).expect(0).out();
            assertFalse(info.contains("hypervisor    " + name.strip()), info);
            String second = info.lines().skip(1).findFirst().orElseThrow();
            assertFalse(second.contains(", " + name), second);
            assertFalse(Run.of("info", "--json", core).expect(0).json().get("hypervisor") instanceof String hypervisor
                    && hypervisor.equals(name.strip()), info);
            String svg = Run.of("map", "--svg", "-", core).expect(0).out();
            assertFalse(svg.contains(name), "the picture is headed by the file");
            assertTrue(svg.contains(">a" + keep.length + "." + format + ": physical memory<"), svg);
            // And it stays so, through a further conversion and back.
            Run.of("convert", core, "-o", file("b" + keep.length + "." + format), "--to", format).expect(0);
            String again = Run.of("map", file("b" + keep.length + "." + format)).expect(0).out();
            assertFalse(again.contains(name), again);
        }
    }

    @Test
    void aRealOneIsStillNamed() {
        String core = Samples.core("vbox/7.0.10-A").toString();
        assertTrue(Run.of("info", core).expect(0).out().contains(", VirtualBox 7.0.10 r158379; "));
        String svg = Run.of("map", "--svg", "-", core).expect(0).out();
        assertTrue(svg.contains("VirtualBox 7.0.10 r158379; RAM "), svg);
    }

    @Test
    void aPictureNamesTheFilesAndTheTime() {
        String first = file("first.kdump");
        String second = file("second.kdump");
        Run.of("capture", "demo:ram=4M", "-o", first, "--to", "kdump").expect(0);
        Run.of("capture", "demo:ram=4M", "-o", second, "--to", "kdump").expect(0);
        String one = Run.of("map", "--svg", "-", first).expect(0).out();
        assertTrue(one.contains(">first.kdump: physical memory<"), one);
        assertTrue(one.matches("(?s).*captured 20\\d\\d-\\d\\d-\\d\\d \\d\\d:\\d\\d:\\d\\d UTC; RAM .*"), one);
        Run diff = Run.of("diff", "--svg", "-", first, second);
        assertTrue(diff.out().contains(">first.kdump and second.kdump: changed physical memory<"), diff.out());
        assertEquals("", diff.err());
    }
}
