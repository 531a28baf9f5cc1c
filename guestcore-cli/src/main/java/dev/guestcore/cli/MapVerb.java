package dev.guestcore.cli;

import dev.guestcore.Guest;
import dev.guestcore.Guests;
import dev.guestcore.inspect.MemoryMap;
import dev.guestcore.inspect.MemoryScan;
import dev.guestcore.inspect.SvgMap;
import dev.guestcore.inspect.TextMap;
import dev.guestcore.internal.output.OutputFile;
import java.lang.foreign.MemorySegment;
import java.nio.charset.Charset;
import java.nio.charset.StandardCharsets;
import java.util.Locale;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code guestcore map}. */
@Command(
        name = "map",
        description = "Draw guest-physical memory: what lies where, on the terminal or as an SVG picture.",
        footer = {"", "Examples:", "  guestcore map vm.core", "  guestcore map --scan --svg vm.svg vm.core"})
final class MapVerb extends Verb {

    @Parameters(paramLabel = "<source>", description = "A core file, or a live source such as demo: or qemu:SOCKET.")
    String source = "";

    @Option(names = "--scan", description = "Read all pages, to show how full each region is.")
    boolean scan;

    @Option(
            names = "--svg",
            paramLabel = "<file>",
            description = "Draw an SVG picture into this file; '-' is standard output.")
    @Nullable
    String svg;

    @Option(names = "--force", description = "Replace the file if it exists.")
    boolean force;

    @Mixin
    ProgressOption progress = new ProgressOption();

    MapVerb(Console console) {
        super(console);
    }

    @Override
    public Integer call() throws Exception {
        if (force && (svg == null || svg.equals(Delivery.STANDARD_OUTPUT))) {
            throw usage("--force needs --svg with a file");
        }
        return unwinding(() -> {
            try (Guest guest = Guests.open(source)) {
                MemoryMap map = scan ? MemoryMap.of(guest, scan(guest)) : MemoryMap.of(guest);
                if (svg == null) {
                    console().out().print(TextMap.render(map, style(console())));
                } else if (svg.equals(Delivery.STANDARD_OUTPUT)) {
                    console().out().print(SvgMap.render(map));
                } else {
                    write(svg, SvgMap.render(map));
                }
                return report(guest.findings());
            }
        });
    }

    private MemoryScan scan(Guest guest) {
        try (ShownProgress shown = progress(progress.mode)) {
            return MemoryScan.run(guest.memory(), shown);
        }
    }

    /** How to draw on a console. */
    static TextMap.Style style(Console console) {
        String charset = System.getProperty("stdout.encoding", Charset.defaultCharset().name());
        boolean unicode = !console.terminal().out() || charset.toUpperCase(Locale.ROOT).startsWith("UTF");
        return new TextMap.Style(console.terminal().width(), console.style() == Style.COLOURED, unicode);
    }

    private void write(String name, String picture) {
        OutputFile.IfExists ifExists = force ? OutputFile.IfExists.REPLACE : OutputFile.IfExists.FAIL;
        byte[] bytes = picture.getBytes(StandardCharsets.UTF_8);
        try (OutputFile file = OutputFile.create(Delivery.path(name), ifExists)) {
            file.requireSpace(bytes.length);
            file.sink().write(MemorySegment.ofArray(bytes));
            file.commit();
        }
    }
}
