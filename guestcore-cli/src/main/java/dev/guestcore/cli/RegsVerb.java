package dev.guestcore.cli;

import dev.guestcore.Guest;
import dev.guestcore.RawContext;
import dev.guestcore.Vcpu;
import dev.guestcore.cpu.Register;
import dev.guestcore.cpu.RegisterState;
import dev.guestcore.file.Locations;
import dev.guestcore.internal.text.Names;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code guestcore regs}. */
@Command(
        name = "regs",
        description = {
            "Show the registers of the vCPUs.",
            "",
            "Registers that the source does not know are not shown."
        },
        footer = {"", "Example:", "  guestcore regs vm.core --cpu 0"})
final class RegsVerb extends Verb {

    private static final int BITS_PER_DIGIT = 4;
    private static final String GAP = "   ";

    @Parameters(paramLabel = "<source>", description = "A core file, or a live source such as demo: or qemu:SOCKET.")
    String source = "";

    @Option(names = "--cpu", paramLabel = "<number>", description = "Only this vCPU, counted from 0.")
    @Nullable
    Integer cpu;

    @Mixin
    FreezeOption freeze = new FreezeOption();

    RegsVerb(Console console) {
        super(console);
    }

    @Override
    public Integer call() throws Exception {
        return unwinding(() -> {
            try (FreezeOption.Look look = freeze.look(this);
                    Guest guest = look.open(source, FreezeOption.Need.REGISTERS, ProgressMode.NONE)) {
                List<Vcpu> chosen = choose(guest.vcpus());
                if (json) {
                    Map<String, Object> document = new LinkedHashMap<>();
                    document.put("source", Locations.printable(source));
                    document.put("vcpus", chosen.stream().map(RegsVerb::json).toList());
                    printJson(document);
                } else {
                    chosen.forEach(vcpu -> describe(vcpu, vcpu == chosen.getFirst()));
                }
                return report(guest.findings());
            }
        });
    }

    private List<Vcpu> choose(List<Vcpu> vcpus) {
        if (cpu == null) {
            return vcpus;
        }
        return List.of(Vcpus.numbered(cpu, vcpus, source));
    }

    private static Map<String, Object> json(Vcpu vcpu) {
        Map<String, Object> registers = new LinkedHashMap<>();
        RegisterState state = vcpu.registers();
        state.known().forEach(register -> registers.put(register.label(), state.hex(register)));
        Map<String, Object> json = new LinkedHashMap<>();
        json.put("index", vcpu.index());
        json.put("registers", registers);
        return json;
    }

    private void describe(Vcpu vcpu, boolean isFirst) {
        Style style = console().style();
        print((isFirst ? "" : System.lineSeparator()) + style.heading("vCPU " + vcpu.index()));
        RegisterState state = vcpu.registers();
        Map<Register.Group, List<Register>> groups = new EnumMap<>(Register.Group.class);
        for (Register register : state.known()) {
            groups.computeIfAbsent(register.group(), group -> new ArrayList<>()).add(register);
        }
        if (groups.isEmpty()) {
            String raw = vcpu.rawContexts().isEmpty()
                    ? ""
                    : "; the source has them as raw bytes only: "
                            + String.join(", ", vcpu.rawContexts().stream().map(RawContext::toString).toList());
            print("  no register is known" + Printable.of(raw));
        }
        groups.forEach((group, registers) -> {
            print("  " + style.faint(Names.of(group).replace('-', ' ')));
            if (group == Register.Group.SEGMENT || group == Register.Group.DESCRIPTOR_TABLE) {
                describeWithParts(state, registers);
            } else {
                describeInColumns(state, registers);
            }
        });
    }

    /** A register and its hidden parts ("cs", "cs.base") on one line. */
    private void describeWithParts(RegisterState state, List<Register> registers) {
        Map<String, Map<String, String>> byName = new LinkedHashMap<>();
        List<String> parts = new ArrayList<>();
        for (Register register : registers) {
            String label = register.label();
            int dot = label.indexOf('.');
            String part = dot < 0 ? "selector" : label.substring(dot + 1);
            if (!parts.contains(part)) {
                parts.add(part);
            }
            byName.computeIfAbsent(dot < 0 ? label : label.substring(0, dot), name -> new LinkedHashMap<>())
                    .put(part, padded(state, register));
        }
        List<String> headings = new ArrayList<>(List.of("  "));
        parts.forEach(part -> headings.add(part + ">"));
        Table table = new Table(headings.toArray(String[]::new));
        byName.forEach((name, values) -> {
            List<String> row = new ArrayList<>(List.of("  " + name));
            parts.forEach(part -> row.add(values.getOrDefault(part, "")));
            table.row(row.toArray(String[]::new));
        });
        table.lines(console().style()).forEach(this::print);
    }

    /** Columns as wide as the widest value would leave most of them empty, so each width has its own. */
    private void describeInColumns(RegisterState state, List<Register> registers) {
        int from = 0;
        for (int i = 1; i <= registers.size(); i++) {
            if (i == registers.size() || width(state, registers.get(i)) != width(state, registers.get(from))) {
                describeAlike(state, registers.subList(from, i));
                from = i;
            }
        }
    }

    private static int width(RegisterState state, Register register) {
        return Math.max(digits(state, register) * BITS_PER_DIGIT, Long.SIZE);
    }

    private void describeAlike(RegisterState state, List<Register> registers) {
        int nameWidth = registers.stream().mapToInt(register -> register.label().length()).max().orElse(0);
        int valueWidth =
                "0x".length() + registers.stream().mapToInt(register -> digits(state, register)).max().orElse(0);
        int cell = nameWidth + 1 + valueWidth + GAP.length();
        int columns = Math.clamp((console().proseWidth() - 4) / cell, 1, 4);
        StringBuilder line = new StringBuilder();
        for (int i = 0; i < registers.size(); i++) {
            Register register = registers.get(i);
            String value = padded(state, register);
            line.append(i % columns == 0 ? "    " : GAP)
                    .append(register.label())
                    .append(" ".repeat(nameWidth - register.label().length() + 1))
                    .append(" ".repeat(valueWidth - value.length()))
                    .append(value);
            if (i % columns == columns - 1 || i == registers.size() - 1) {
                print(line.toString());
                line.setLength(0);
            }
        }
    }

    private static int digits(RegisterState state, Register register) {
        return state.bytes(register).length * Byte.SIZE / BITS_PER_DIGIT;
    }

    /** {@code 0x} and as many digits as the register has. */
    private static String padded(RegisterState state, Register register) {
        String digits = state.hex(register).substring(2);
        return "0x" + "0".repeat(digits(state, register) - digits.length()) + digits;
    }
}
