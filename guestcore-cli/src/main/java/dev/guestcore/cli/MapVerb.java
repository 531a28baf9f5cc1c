package dev.guestcore.cli;

import dev.guestcore.AddressRange;
import dev.guestcore.Guest;
import dev.guestcore.inspect.MemoryMap;
import dev.guestcore.inspect.MemoryScan;
import dev.guestcore.inspect.SvgMap;
import dev.guestcore.inspect.TextMap;
import java.nio.charset.Charset;
import java.util.Locale;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code guestcore map}. */
@Command(
        name = "map",
        description = {
            "Draw guest-physical memory: what lies where, on the terminal or as an SVG picture.",
            "",
            "With --virtual, list the ranges that page tables map instead: address, size, size of a page, rights "
                    + "(readable, writable, executable, user, global), and where the first byte lies. With --json, each "
                    + "range is then a line of its own, and the last line a summary."
        },
        footer = {
            "",
            "Examples:",
            "  guestcore map vm.core",
            "  guestcore map --scan --svg vm.svg vm.core",
            "  guestcore map --virtual --cpu 0 --range 0xffffffff80000000-0xffffffffbfffffff vm.core"
        })
final class MapVerb extends Verb {

    @Parameters(paramLabel = "<source>", description = "A core file, or a live source such as demo: or qemu:SOCKET.")
    String source = "";

    @Option(names = "--scan", description = "Read all pages, to show how full each region is.")
    boolean scan;

    @Option(
            names = "--svg",
            paramLabel = "<file>",
            description = "Draw an SVG picture in this file; '-' is standard output.")
    @Nullable
    String svg;

    @Option(names = "--force", description = "Replace the file if it exists.")
    boolean force;

    @Option(names = "--virtual", description = "List what a vCPU's page tables map.")
    boolean virtual;

    @Mixin
    AddressSpaceOptions addressSpace = new AddressSpaceOptions();

    @Option(
            names = "--range",
            paramLabel = "<first-last>",
            converter = Quantity.Range.class,
            description = "With --virtual: only these addresses, both ends inclusive.")
    @Nullable
    AddressRange range;

    @Mixin
    ProgressOption progress = new ProgressOption();

    @Mixin
    FreezeOption freeze = new FreezeOption();

    MapVerb(Console console) {
        super(console);
    }

    @Override
    public Integer call() throws Exception {
        if (force && (svg == null || svg.equals(FileNames.STANDARD_OUTPUT))) {
            throw usage("--force needs --svg with a file");
        }
        addressSpace.check(this, virtual);
        if (!virtual && range != null) {
            throw usage("--range needs --virtual");
        }
        if (json && svg != null) {
            throw usage("choose one of --json and --svg");
        }
        if (virtual) {
            if (scan || svg != null) {
                throw usage("--virtual makes a list; --scan and --svg are for guest-physical memory");
            }
            return list();
        }
        return unwinding(() -> {
            FreezeOption.Need need = scan ? FreezeOption.Need.MUCH : FreezeOption.Need.LITTLE;
            try (FreezeOption.Look look = freeze.look(this)) {
                String picture;
                int code;
                try (Guest guest = look.open(source, need, progress.mode, this::show)) {
                    if (svg == null || svg.equals(FileNames.STANDARD_OUTPUT)) {
                        return show(guest);
                    }
                    picture = SvgMap.render(map(guest));
                    code = report(guest.findings());
                }
                // A live guest need not wait for the file.
                Pictures.write(svg, force, picture);
                return code;
            }
        });
    }

    private int show(Guest guest) {
        MemoryMap map = map(guest);
        if (json) {
            printJson(MapJson.of(map, source));
        } else {
            console().out().print(svg == null ? TextMap.render(map, style(console())) : SvgMap.render(map));
        }
        return report(guest.findings());
    }

    private MemoryMap map(Guest guest) {
        return scan ? MemoryMap.of(guest, scan(guest)) : MemoryMap.of(guest);
    }

    private int list() throws Exception {
        return streaming(() -> {
            try (FreezeOption.Look look = freeze.look(this);
                    Guest guest = look.open(source, FreezeOption.Need.MUCH, progress.mode)) {
                MappingList list = new MappingList(console(), json);
                int code = list.print(addressSpace.shown(guest, source, this), Optional.ofNullable(range));
                int damage = report(guest.findings());
                return damage == ExitCode.DONE ? code : damage;
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
        return new TextMap.Style(console.proseWidth(), console.style() == Style.COLOURED, unicode);
    }
}
