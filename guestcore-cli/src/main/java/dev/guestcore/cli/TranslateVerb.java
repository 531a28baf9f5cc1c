package dev.guestcore.cli;

import dev.guestcore.AddressRange;
import dev.guestcore.Guest;
import dev.guestcore.MemoryRegion;
import dev.guestcore.address.AddressSpace;
import dev.guestcore.address.PhysicalAddress;
import dev.guestcore.address.Translation;
import dev.guestcore.address.WalkStep;
import dev.guestcore.cpu.PageRights;
import dev.guestcore.cpu.Paging;
import dev.guestcore.internal.text.Amounts;
import dev.guestcore.internal.text.Names;
import dev.guestcore.json.Json;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Parameters;

/** {@code guestcore translate}. */
@Command(
        name = "translate",
        description = {
            "Walk the page tables for one virtual address, entry by entry.",
            "",
            "Shows where the address leads, what may be done there, and the size of the page; or which entry ends the "
                    + "walk and why. Exit code 1 if the address leads nowhere."
        },
        footer = {
            "",
            "Examples:",
            "  guestcore translate vm.core 0xffffffff81000000",
            "  guestcore translate vm.core 0x7ffe1000 --root 0x1f2c000"
        })
final class TranslateVerb extends Verb {

    @Parameters(
            index = "0",
            paramLabel = "<source>",
            description = "A core file, or a live source such as demo: or qemu:SOCKET.")
    String source = "";

    @Parameters(
            index = "1",
            paramLabel = "<address>",
            converter = Quantity.Address.class,
            description = "Virtual address: decimal, 0x hexadecimal, or with a unit as in 4KiB or 2G.")
    long address;

    @Mixin
    AddressSpaceOptions addressSpace = new AddressSpaceOptions();

    @Mixin
    FreezeOption freeze = new FreezeOption();

    TranslateVerb(Console console) {
        super(console);
    }

    @Override
    public Integer call() throws Exception {
        addressSpace.check(this, true);
        return unwinding(() -> {
            try (FreezeOption.Look look = freeze.look(this);
                    Guest guest = look.open(source, FreezeOption.Need.LITTLE, ProgressMode.NONE, this::show)) {
                return show(guest);
            }
        });
    }

    private int show(Guest guest) {
        AddressSpace space = addressSpace.shown(guest, source, this);
        Translation translation = space.translate(address);
        if (json) {
            printJson(json(space, translation));
        } else {
            describe(guest, space, translation);
        }
        int code = report(guest.findings());
        return code != ExitCode.DONE || translation.isMapped() ? code : ExitCode.FAILED;
    }

    private void describe(Guest guest, AddressSpace space, Translation translation) {
        Style style = console().style();
        Paging paging = space.paging();
        print(style.heading(Json.address(translation.virtual())));
        Table table = new Table("", "");
        table.row("paging", paging.mode().title() + " (" + paging.how() + ")");
        space.rootOf(translation.virtual()).ifPresent(root -> table.row("root", root.toString()));
        table.lines(style).forEach(this::print);
        describe(translation.steps(), space.physicalSpace());
        print("");
        if (translation.isMapped()) {
            describeTarget(guest, translation);
        } else {
            print("  " + style.bad(translation.outcome().title()) + scope(translation));
        }
    }

    private void describe(List<WalkStep> steps, PhysicalAddress.Space space) {
        if (steps.isEmpty()) {
            return;
        }
        Style style = console().style();
        print("");
        boolean more = steps.stream().anyMatch(step -> !step.attributes().isEmpty());
        Table table = more
                ? new Table("entry", "index>", "at " + space.title() + ">", "value>", "says", "and")
                : new Table("entry", "index>", "at " + space.title() + ">", "value>", "says");
        for (WalkStep step : steps) {
            boolean known = step.meaning() != WalkStep.Meaning.UNREADABLE;
            List<String> cells = new ArrayList<>(List.of(
                    step.level().entryName(),
                    Integer.toString(step.index()),
                    Json.address(step.entryAddress().value()),
                    known ? Json.address(step.entry()) : "?",
                    switch (step.meaning()) {
                        case TABLE -> "table at " + Json.address(step.next().value());
                        case PAGE -> "page at " + Json.address(step.next().value());
                        case NOT_PRESENT -> style.bad("not present");
                        case RESERVED_BITS -> style.bad("reserved " + Json.address(step.reservedBits()));
                        case UNREADABLE -> style.bad("not in the source");
                    }));
            if (more) {
                cells.add(step.attributes());
            }
            table.row(cells.toArray(String[]::new));
        }
        table.lines(style).forEach(this::print);
    }

    private void describeTarget(Guest guest, Translation translation) {
        PhysicalAddress physical = translation.physical().orElseThrow();
        Table table = new Table("", "");
        if (physical.space() != PhysicalAddress.Space.GUEST) {
            table.row(physical.space().title(), Json.address(physical.value()));
        }
        table.row(
                PhysicalAddress.Space.GUEST.title(),
                translation.guestPhysical()
                        .map(found -> Json.address(found.value()) + region(guest, found.value()))
                        .orElse("not known: no frame of the guest's own"));
        table.row("page", Amounts.human(translation.span()));
        translation.rights().ifPresent(rights -> table.row("rights", rights + "  " + words(rights)));
        table.lines(console().style()).forEach(this::print);
    }

    private static String region(Guest guest, long address) {
        MemoryRegion region = guest.memory().regionAt(address).orElse(null);
        if (region == null) {
            return " (a hole)";
        }
        String name = region.name().isEmpty() ? "" : " " + Printable.of(region.name());
        return " (" + Text.kind(region.kind()) + name + ")";
    }

    private static String words(PageRights rights) {
        List<String> words = new ArrayList<>();
        if (rights.readable()) {
            words.add("read");
        }
        if (rights.writable()) {
            words.add("write");
        }
        if (rights.executable()) {
            words.add("execute");
        }
        words.add(rights.user() ? "from user mode too" : "in kernel mode only");
        String text = String.join(", ", words);
        return rights.global() ? text + "; global" : text;
    }

    /** How far the entry that ended the walk speaks. */
    private static String scope(Translation translation) {
        if (translation.steps().isEmpty()) {
            return "";
        }
        long first = translation.virtual() & -translation.span();
        AddressRange range = new AddressRange(first, first + (translation.span() - 1));
        return System.lineSeparator() + "  the same holds for all " + Amounts.human(range) + " of " + range;
    }

    private static Map<String, Object> json(AddressSpace space, Translation translation) {
        Map<String, Object> document = new LinkedHashMap<>();
        document.put("virtual", Json.address(translation.virtual()));
        document.put("outcome", Names.of(translation.outcome()));
        Paging paging = space.paging();
        document.put("paging", paging.mode().title());
        document.put("how", paging.how());
        document.put("physicalSpace", space.physicalSpace().title());
        document.put("root", Json.address(
                space.rootOf(translation.virtual()).orElse(space.root()).value()));
        document.put("steps", translation.steps().stream().map(TranslateVerb::json).toList());
        translation.physical().ifPresent(physical -> document.put("physical", Json.address(physical.value())));
        translation.guestPhysical().ifPresent(guest -> document.put("guestPhysical", Json.address(guest.value())));
        document.put(translation.isMapped() ? "pageSize" : "span", translation.span());
        translation.rights().ifPresent(rights -> document.put("rights", json(rights)));
        return document;
    }

    private static Map<String, Object> json(WalkStep step) {
        Map<String, Object> json = new LinkedHashMap<>();
        json.put("entry", step.level().entryName());
        json.put("index", step.index());
        json.put("address", Json.address(step.entryAddress().value()));
        if (step.meaning() != WalkStep.Meaning.UNREADABLE) {
            json.put("value", Json.address(step.entry()));
        }
        json.put("meaning", Names.of(step.meaning()));
        if (step.meaning() == WalkStep.Meaning.TABLE || step.meaning() == WalkStep.Meaning.PAGE) {
            json.put("next", Json.address(step.next().value()));
        }
        if (step.meaning() == WalkStep.Meaning.RESERVED_BITS) {
            json.put("reservedBits", Json.address(step.reservedBits()));
        }
        if (!step.attributes().isEmpty()) {
            json.put("attributes", step.attributes());
        }
        return json;
    }

    /** Rights for programs. */
    static Map<String, Object> json(PageRights rights) {
        Map<String, Object> json = new LinkedHashMap<>();
        if (!rights.readable()) {
            json.put("readable", false);
        }
        json.put("writable", rights.writable());
        json.put("executable", rights.executable());
        json.put("user", rights.user());
        json.put("global", rights.global());
        return json;
    }
}
