package dev.guestcore.cli;

import dev.guestcore.file.Locations;
import dev.guestcore.json.Json;
import dev.guestcore.linux.Interrupt;
import dev.guestcore.linux.Linux;
import dev.guestcore.linux.Walk;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.stream.Collectors;
import picocli.CommandLine.Command;

/** {@code guestcore irqs}. */
@Command(
        name = "irqs",
        description = {
            "Show the interrupts of a Linux guest: how often each CPU handled them, through which controller they come, and "
                    + "who handles them, as /proc/interrupts does.",
            "",
            "Only the guest's memory is needed. Interrupts of the processor itself are shown if they ever came."
        },
        footer = {"", "Examples:", "  guestcore irqs vm.core", "  guestcore irqs vm.core --json"})
final class IrqsVerb extends LinuxListVerb {

    IrqsVerb(Console console) {
        super(console);
    }

    @Override
    int show(Linux linux) {
        Walk<Interrupt> interrupts = linux.interrupts();
        if (json) {
            Map<String, Object> document = new LinkedHashMap<>();
            document.put("source", Locations.printable(source));
            document.put("interrupts", items(interrupts, IrqsVerb::json));
            document.put("problems", interrupts.problems());
            printJson(document);
        } else {
            print(interrupts.items());
        }
        return problems(interrupts.problems());
    }

    private void print(List<Interrupt> interrupts) {
        TreeSet<Integer> cpus = new TreeSet<>();
        interrupts.forEach(interrupt -> cpus.addAll(interrupt.counts().keySet()));
        List<String> headings = new ArrayList<>(List.of("IRQ>"));
        cpus.forEach(cpu -> headings.add("CPU" + cpu + ">"));
        headings.addAll(List.of("CHIP", "NUMBER>", "FLOW", "HANDLER"));
        Table table = new Table(headings.toArray(String[]::new));
        for (Interrupt interrupt : interrupts) {
            List<String> cells = new ArrayList<>(List.of(interrupt.name()));
            cpus.forEach(cpu -> cells.add(interrupt.counts().getOrDefault(cpu, 0L).toString()));
            cells.add(Printable.of(interrupt.chip().orElse("")));
            cells.add(interrupt.hardwareNumber().isPresent()
                    ? Long.toUnsignedString(interrupt.hardwareNumber().getAsLong())
                    : "");
            cells.add(Printable.of(interrupt.flow().orElse("")));
            cells.add(Printable.of(interrupt.about() + interrupt.handlers().stream()
                    .map(handler -> handler.name() + " (" + handler.symbol().orElse(Json.address(handler.function()))
                            + ")")
                    .collect(Collectors.joining(", "))));
            table.row(cells.toArray(String[]::new));
        }
        table.lines(console().style()).forEach(this::print);
    }

    private static Map<String, Object> json(Interrupt interrupt) {
        Map<String, Object> json = new LinkedHashMap<>();
        json.put("name", interrupt.name());
        json.put("counts", interrupt.counts().entrySet().stream()
                .map(count -> Map.of("cpu", count.getKey(), "count", count.getValue()))
                .toList());
        interrupt.chip().ifPresent(chip -> json.put("chip", chip));
        interrupt.hardwareNumber().ifPresent(number -> json.put("hardwareNumber", number));
        interrupt.flow().ifPresent(flow -> json.put("flow", flow));
        json.put("handlers", interrupt.handlers().stream().map(IrqsVerb::json).toList());
        if (!interrupt.about().isEmpty()) {
            json.put("about", interrupt.about());
        }
        return json;
    }

    private static Map<String, Object> json(Interrupt.Handler handler) {
        Map<String, Object> json = new LinkedHashMap<>();
        json.put("name", handler.name());
        json.put("function", Json.address(handler.function()));
        handler.symbol().ifPresent(symbol -> json.put("symbol", symbol));
        handler.thread().ifPresent(thread -> json.put("thread", thread));
        return json;
    }
}
