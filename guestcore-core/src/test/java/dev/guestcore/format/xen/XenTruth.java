package dev.guestcore.format.xen;

import dev.guestcore.testing.Samples;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.StringReader;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** What xenctx and the guest's console said about a sample. */
final class XenTruth {

    private static final Pattern PAIR =
            Pattern.compile("\\b([re]?[abcd]x|[re]?[sd]i|[re]?[sb]p|r[0-9]+|rip|flags|[cd]r[0-7]|[cdefgs]s): "
                    + "+([0-9a-f]+)\\b");
    private static final Pattern FAR = Pattern.compile("(cs|ss):(eip|esp): ([0-9a-f]+):([0-9a-f]+)");
    private static final Pattern FS = Pattern.compile(" fs: [0-9a-f]+ @ ([0-9a-f]+)");
    private static final Pattern GS = Pattern.compile(" gs: [0-9a-f]+ @ ([0-9a-f]+)/([0-9a-f]+)");

    private XenTruth() {}

    /** Registers of every vCPU that xenctx could read, by our labels; gs_kernel and gs_user as xenctx says them. */
    static List<Map<String, Long>> registers(String sample) {
        List<Map<String, Long>> all = new ArrayList<>();
        Map<String, Long> current = null;
        try (BufferedReader lines = new BufferedReader(new StringReader(Samples.text(sample, "truth.txt")))) {
            for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                if (line.startsWith("=== xenctx -a")) {
                    current = new LinkedHashMap<>();
                } else if (line.startsWith("Code (instr addr") || line.startsWith("xc_vcpu_getcontext")) {
                    if (current != null && !current.isEmpty()) {
                        all.add(current);
                    }
                    current = null;
                } else if (current != null) {
                    parse(line, current);
                }
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return all;
    }

    private static void parse(String line, Map<String, Long> registers) {
        Matcher pair = PAIR.matcher(line);
        while (pair.find()) {
            String name = pair.group(1).equals("flags") ? "rflags" : pair.group(1);
            boolean narrow = name.startsWith("e") && name.length() == 3;
            registers.put(narrow ? "r" + name.substring(1) : name, hex(pair.group(2)));
        }
        Matcher far = FAR.matcher(line);
        if (far.find()) {
            registers.put(far.group(1), hex(far.group(3)));
            registers.put("r" + far.group(2).substring(1), hex(far.group(4)));
        }
        Matcher fs = FS.matcher(line);
        if (fs.find()) {
            registers.put("fs.base", hex(fs.group(1)));
        }
        Matcher gs = GS.matcher(line);
        if (gs.find()) {
            registers.put("gs_kernel", hex(gs.group(1)));
            registers.put("gs_user", hex(gs.group(2)));
        }
    }

    /** The page frames to which the guest wrote its pattern, with what it said they are. */
    static List<Long> patternFrames(String sample) {
        List<Long> frames = new ArrayList<>();
        Matcher matcher = Pattern.compile("pattern page pfn 0x([0-9a-f]+)|PROBE .* pfn=0x([0-9a-f]+)")
                .matcher(Samples.text(sample, "truth.txt"));
        while (matcher.find()) {
            frames.add(hex(matcher.group(1) != null ? matcher.group(1) : matcher.group(2)));
        }
        return frames;
    }

    static long hex(String text) {
        return Long.parseUnsignedLong(text, 16);
    }
}
