package dev.guestcore.cli;

import dev.guestcore.file.Locations;
import dev.guestcore.json.Json;
import dev.guestcore.linux.AddressMaps;
import dev.guestcore.linux.Linux;
import dev.guestcore.linux.MemoryArea;
import dev.guestcore.linux.Walk;
import java.util.LinkedHashMap;
import java.util.Map;
import picocli.CommandLine.Command;
import picocli.CommandLine.Parameters;

/** {@code guestcore maps}. */
@Command(
        name = "maps",
        description = {
            "Show what the addresses of a process of a Linux guest mean, as /proc/PID/maps does.",
            "",
            "Only the guest's memory is needed."
        },
        footer = {"", "Examples:", "  guestcore maps vm.core 1234", "  guestcore maps vm.core 1234 --json"})
final class MapsVerb extends LinuxListVerb {

    @Parameters(index = "1", paramLabel = "<pid>", description = "The process.")
    int pid;

    MapsVerb(Console console) {
        super(console);
    }

    @Override
    int show(Linux linux) {
        Walk<MemoryArea> areas = AddressMaps.of(process(linux, pid).object());
        if (json) {
            Map<String, Object> document = new LinkedHashMap<>();
            document.put("source", Locations.printable(source));
            document.put("pid", pid);
            document.put("areas", items(areas, MapsVerb::json));
            document.put("problems", areas.problems());
            printJson(document);
        } else {
            areas.forEach(area -> print(line(area)));
        }
        if (areas.items().isEmpty() && areas.problems().isEmpty()) {
            remark("guestcore: " + ProcessOption.withoutMemory(pid));
            return ExitCode.FAILED;
        }
        return problems(areas.problems());
    }

    /** As the kernel writes it. */
    private static String line(MemoryArea area) {
        String line = "%08x-%08x %s %08x %02x:%02x %s".formatted(area.start(), area.end(), area.rights(), area.offset(),
                area.major(), area.minor(), Long.toUnsignedString(area.inode()));
        return area.name().isEmpty() ? line : "%-72s %s".formatted(line, Printable.of(area.name()));
    }

    private static Map<String, Object> json(MemoryArea area) {
        Map<String, Object> json = new LinkedHashMap<>();
        json.put("start", Json.address(area.start()));
        json.put("end", Json.address(area.end()));
        json.put("rights", area.rights());
        json.put("offset", area.offset());
        json.put("device", area.major() + ":" + area.minor());
        json.put("inode", area.inode());
        json.put("name", area.name());
        json.put("areaStruct", Json.address(area.object().address()));
        return json;
    }
}
