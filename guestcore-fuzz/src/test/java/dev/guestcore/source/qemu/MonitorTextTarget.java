package dev.guestcore.source.qemu;

import dev.guestcore.MemoryRegion;
import dev.guestcore.cpu.RegisterState;
import dev.guestcore.error.SourceException;
import dev.guestcore.fuzz.Target;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** What a hypervisor's monitor prints: registers and the layout of memory. */
public final class MonitorTextTarget implements Target {

    @Override
    public String name() {
        return "monitor-text";
    }

    @Override
    public String title() {
        return "texts of QEMU's monitor";
    }

    /** The first byte chooses the parser; the rest is the text. */
    @Override
    public void run(byte[] input) {
        if (input.length == 0) {
            return;
        }
        String text = new String(input, 1, input.length - 1, StandardCharsets.UTF_8);
        try {
            if ((input[0] & 1) == 0) {
                Map<Integer, RegisterState> registers = RegisterDump.parse(text);
                registers.values().forEach(Object::toString);
            } else {
                List<MemoryRegion> regions = FlatView.parse(text);
                for (int i = 1; i < regions.size(); i++) {
                    if (regions.get(i).range().compareTo(regions.get(i - 1).range()) <= 0
                            || regions.get(i).range().overlaps(regions.get(i - 1).range())) {
                        throw new AssertionError("regions are not in order: " + regions);
                    }
                }
            }
        } catch (SourceException e) {
            if (e.getMessage().indexOf('\n') >= 0) {
                throw new AssertionError("an error of several lines", e);
            }
        }
    }

    @Override
    public List<byte[]> seeds() throws IOException {
        List<byte[]> seeds = new ArrayList<>();
        for (String file : List.of("registers-real-mode.txt", "registers-long-mode.txt")) {
            seeds.add(seed(0, resource(file)));
        }
        seeds.add(seed(1, resource("flat-view.txt")));
        return seeds;
    }

    static String resource(String name) throws IOException {
        try (InputStream stream = MonitorTextTarget.class.getResourceAsStream("/seeds/monitor/" + name)) {
            return new String(stream.readAllBytes(), StandardCharsets.UTF_8);
        }
    }

    private static byte[] seed(int choice, String text) {
        return ((char) choice + text).getBytes(StandardCharsets.UTF_8);
    }

    @Override
    public List<byte[]> dictionary() {
        List<byte[]> words = new ArrayList<>();
        for (String word : List.of(
                "CPU#", "RAX=", "RIP=", "RFL=", "EIP=", "EFL=", "CS =", "GDT=", "IDT=", "LDT=", "TR =", "CR0=", "EFER=",
                "FCW=", "[ST=7]", "FTW=", "MXCSR=", "FPR0=", "XMM00=", "YMM00=", "ZMM00=", "Opmask00=", "CPL=", "A20=",
                "FlatView #", " AS \"memory\", root: system", "cpu-memory-0", "(prio 0, ram): ", "(prio 0, rom): ",
                "(prio 0, i/o): ", " KVM", " @0000000000100000", "ffffffffffffffff", "\r\n")) {
            words.add(word.getBytes(StandardCharsets.US_ASCII));
        }
        return words;
    }

    @Override
    public int longest() {
        return 4096;
    }

    @Override
    public int runsInCi() {
        return 4_000;
    }
}
