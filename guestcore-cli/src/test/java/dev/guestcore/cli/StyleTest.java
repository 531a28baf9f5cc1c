package dev.guestcore.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.testing.Samples;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;

/** Colours: where they are wanted, and such as can be read. */
class StyleTest {

    /** What WCAG 2 asks of large text is 3; of any text 4.5, which no colour has on both white and black. */
    private static final double LEAST_CONTRAST = 4;

    private static final Console.Terminal TERMINAL = new Console.Terminal(true, true, true, 100);
    private static final Console.Terminal COLOURLESS = new Console.Terminal(true, true, false, 100);

    private static double linear(int value) {
        double share = value / 255.0;
        return share <= 0.03928 ? share / 12.92 : Math.pow((share + 0.055) / 1.055, 2.4);
    }

    /** Relative luminance of a colour of the palette: a cube of 6 x 6 x 6 from 16 on, 24 greys from 232 on. */
    private static double luminance(int index) {
        if (index >= 232) {
            return linear(8 + (index - 232) * 10);
        }
        int[] steps = {0, 95, 135, 175, 215, 255};
        int cube = index - 16;
        return 0.2126 * linear(steps[cube / 36]) + 0.7152 * linear(steps[cube / 6 % 6])
                + 0.0722 * linear(steps[cube % 6]);
    }

    private static Set<String> codes(String text) {
        return Pattern.compile("\u001b\\[([0-9;]*)m").matcher(text).results()
                .map((MatchResult result) -> result.group(1))
                .collect(Collectors.toCollection(TreeSet::new));
    }

    @Test
    void everyColourCanBeReadOnWhiteAndOnBlack() {
        Style style = Style.COLOURED;
        StringBuilder all = new StringBuilder();
        List.of(style.heading("x"), style.faint("x"), style.good("x"), style.odd("x"), style.bad("x"),
                style.command("x"))
                .forEach(all::append);
        all.append(Run.of("map", "--color", "always", "--scan", "demo:ram=4M").expect(0).out());
        all.append(Run.of("diff", "--color", "always", "demo:ram=4M", Samples.core("vbox/7.0.10-A").toString()).out());
        all.append(Run.of("capture", "--color", "always", "--help").expect(0).out());
        int colours = 0;
        for (String code : codes(all.toString())) {
            if (code.startsWith("38;5;")) {
                double light = luminance(Integer.parseInt(code.substring(5)));
                assertTrue((light + 0.05) / 0.05 >= LEAST_CONTRAST, code + " on black");
                assertTrue(1.05 / (light + 0.05) >= LEAST_CONTRAST, code + " on white");
                colours++;
            } else {
                // Weight and underline have the colour of the text; 39 and the others end them.
                assertTrue(Set.of("", "0", "1", "4", "21", "24", "39").contains(code), code);
            }
        }
        assertTrue(colours >= 5, all.toString());
    }

    @Test
    void theUserDecidesWhereColoursAre() {
        String[] info = {"info", "demo:ram=4M"};
        assertTrue(Run.of(TERMINAL, info).out().contains("\u001b["));
        assertFalse(Run.of(COLOURLESS, info).out().contains("\u001b["), "NO_COLOR");
        assertFalse(Run.of(info).out().contains("\u001b["), "a pipe");
        assertTrue(Run.of(COLOURLESS, "info", "--color", "always", "demo:ram=4M").out().contains("\u001b["));
        assertTrue(Run.of("info", "--color=always", "demo:ram=4M").out().contains("\u001b["));
        assertFalse(Run.of(TERMINAL, "info", "--color", "never", "demo:ram=4M").out().contains("\u001b["));
        assertTrue(Run.of(TERMINAL, "info", "--color", "auto", "demo:ram=4M").out().contains("\u001b["));
        assertFalse(Run.of(TERMINAL, "--color", "never", "--help").out().contains("\u001b["), "help");
        assertFalse(Run.of(TERMINAL, "info", "--color", "never", "/none").err().contains("\u001b["), "errors");
        assertEquals(
                Run.of(info).out().lines().count(),
                Run.of("info", "--color", "always", "demo:ram=4M").out().lines().count());
    }

    @Test
    void textUsesTheWidthThereIsUpToAReadableOne() {
        for (int width : new int[] {80, 100, 120, 300}) {
            Console.Terminal terminal = new Console.Terminal(true, true, false, width);
            for (String[] command : new String[][] {{"capture", "--help"}, {"map", "demo:"}, {"regs", "demo:"}}) {
                int longest = Run.of(terminal, command).out().lines().mapToInt(String::length).max().orElse(0);
                assertTrue(longest <= Math.min(width, 120), longest + " of " + width + " for " + command[0]);
            }
        }
    }

    @Test
    void whoMistypesIsAskedWhatWasMeant() {
        Run.of("captur", "demo:").refuses("capture");
        Run.of("info", "--scna", "demo:").refuses("--scan");
        Run.of("convert", "a", "-o", "b", "--to", "kdmp").refuses("did you mean 'kdump'?");
        Run.of("convert", "a", "-o", "b", "--to", "xem").refuses("did you mean 'xen'?");
        Run.of("info", "demo:", "--progress", "jsn").refuses("did you mean 'json'?");
        Run.of("info", "demo:", "--color", "alway").refuses("did you mean 'always'?");
        Run.of("completion", "--shell", "bsh").refuses("did you mean 'bash'?");
        Run.of("translate", "demo:", "0", "--paging", "4level").refuses("did you mean '4-level'?");
        Run.of("capture", "demo:", "-o", "b", "--to", "vbox", "--freeze", "snapshto")
                .refuses("did you mean 'snapshot'?");
        Run.of("capture", "demo:", "-o", "b", "--to", "vbox", "--layout", "7.1x").refuses("7.0");
        Run.of("info", "qmeu:/run/vm.qmp").failsWith(ExitCode.FAILED, "did you mean 'qemu:'?");
        Run.of("info", "dmeo:").failsWith(ExitCode.FAILED, "did you mean 'demo:'?");
        String far = Run.of("convert", "a", "-o", "b", "--to", "whatever").refuses("choose one of").err();
        assertFalse(far.contains("did you mean"), far);
    }
}
