package dev.guestcore.cli;

import dev.guestcore.Guest;
import dev.guestcore.file.Locations;
import dev.guestcore.internal.text.Amounts;
import dev.guestcore.internal.text.Names;
import dev.guestcore.json.Json;
import dev.guestcore.linux.LoadedModule;
import dev.guestcore.linux.Modules;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import picocli.CommandLine.Command;

/** {@code guestcore lsmod}. */
@Command(
        name = "lsmod",
        description = {
            "Show the modules of a Linux kernel, as lsmod does.",
            "",
            "Only the guest's memory is needed. A module that is in memory, but not in the kernel's list of "
                    + "modules, is marked."
        },
        footer = {"", "Example:", "  guestcore lsmod vm.core"})
final class LsmodVerb extends LinuxVerb {

    LsmodVerb(Console console) {
        super(console);
    }

    @Override
    int show(Guest guest) {
        Modules modules = linux(guest).modules();
        if (json) {
            Map<String, Object> document = new LinkedHashMap<>();
            document.put("source", Locations.printable(source));
            document.put("modules", modules.stream().map(LsmodVerb::json).toList());
            document.put("problems", modules.problems());
            printJson(document);
        } else {
            Table table = new Table("MODULE", "ADDRESS", "SIZE>", "USED>", "BY", "");
            modules.stream().forEach(module -> table.row(
                    Printable.of(module.name()),
                    Json.address(module.address()),
                    Amounts.human(module.size()),
                    Long.toString(module.references()),
                    Printable.of(String.join(", ", module.usedBy())),
                    remarks(module)));
            table.lines(console().style()).forEach(this::print);
        }
        modules.problems().forEach(problem -> remark("guestcore: " + Printable.of(problem)));
        return modules.problems().isEmpty() ? ExitCode.DONE : ExitCode.DAMAGED;
    }

    private String remarks(LoadedModule module) {
        String state = module.state().equals("live") ? "" : Printable.of(module.state());
        String taints = module.taints().isEmpty() ? "" : "taints " + module.taints();
        String hidden = module.isHidden()
                ? console().style().bad("hidden: not in the kernel's list of modules")
                : "";
        return String.join("; ", List.of(state, taints, hidden).stream().filter(text -> !text.isEmpty()).toList());
    }

    private static Map<String, Object> json(LoadedModule module) {
        Map<String, Object> json = new LinkedHashMap<>();
        json.put("name", module.name());
        json.put("state", module.state());
        json.put("address", Json.address(module.address()));
        json.put("size", module.size());
        json.put("references", module.references());
        json.put("usedBy", module.usedBy());
        json.put("taints", module.taints());
        json.put("struct", Json.address(module.object().address()));
        json.put("hidden", module.isHidden());
        json.put("seenIn", module.seenIn().stream().sorted().map(Names::of).toList());
        return json;
    }
}
