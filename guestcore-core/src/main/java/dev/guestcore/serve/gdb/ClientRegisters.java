package dev.guestcore.serve.gdb;

import dev.guestcore.Vcpu;
import dev.guestcore.cpu.RegisterState;
import dev.guestcore.cpu.TargetDescription;
import dev.guestcore.facts.XenFacts;
import java.nio.ByteOrder;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * The registers of a client by their numbers, as hexadecimal digits. A guest of an unknown processor has none: a client then
 * has the registers of whatever it is told, and each is unavailable. Immutable.
 */
final class ClientRegisters {

    /** A register of a processor that is not known. */
    private static final String UNAVAILABLE = "xxxxxxxx";

    /**
     * All registers of a processor that is not known. gdb takes it for the one that it is set to, and breaks off without an
     * instruction pointer: that is 0 where i386, x86-64, AArch64 and RISC-V have it. Of the first two this ends where a
     * register ends.
     */
    private static final String ALL_UNAVAILABLE = unavailable();

    private static String unavailable() {
        StringBuilder digits = new StringBuilder("x".repeat(2 * 272));
        digits.replace(2 * 32, 2 * 36, "0".repeat(8));
        digits.replace(2 * 128, 2 * 136, "0".repeat(16));
        digits.replace(2 * 256, 2 * 264, "0".repeat(16));
        return digits.toString();
    }

    private final Optional<TargetDescription> description;
    private final ByteOrder order;

    ClientRegisters(GuestView view) {
        this.order = view.guest().memory().byteOrder();
        OptionalInt paravirtualized = view.guest().facts(XenFacts.class)
                .filter(XenFacts::paravirtualized)
                .map(xen -> OptionalInt.of(xen.guestWidth() * Byte.SIZE))
                .orElse(OptionalInt.empty());
        List<RegisterState> vcpus = view.vcpus().stream().map(Vcpu::registers).toList();
        this.description = view.architecture().targetDescription(vcpus, order, paravirtualized);
    }

    /** The description as XML, ASCII; empty if the processor is not known. */
    Optional<String> xml() {
        return description.map(TargetDescription::xml);
    }

    /** What lldb asks of the machine. */
    String host() {
        return description
                .map(known -> "triple:" + Hex.ofText(known.triple()) + ";endian:" + name(known.order()) + ";ptrsize:"
                        + known.addressBits() / Byte.SIZE + ";")
                .orElse("endian:" + name(order) + ";ptrsize:8;");
    }

    private static String name(ByteOrder order) {
        return order == ByteOrder.BIG_ENDIAN ? "big" : "little";
    }

    /** All registers in hexadecimal digits, {@code x} for those that the source does not know. */
    String all(RegisterState registers) {
        if (description.isEmpty()) {
            return ALL_UNAVAILABLE;
        }
        StringBuilder text = new StringBuilder();
        for (int number = 0; number < description.get().slots().size(); number++) {
            text.append(hex(description.get(), number, registers));
        }
        return text.toString();
    }

    /**
     * One register in hexadecimal digits.
     *
     * @throws RequestException if there is none of that number
     */
    String one(long number, RegisterState registers) {
        if (description.isEmpty()) {
            return UNAVAILABLE;
        }
        if (number < 0 || number >= description.get().slots().size()) {
            throw RequestException.invalid("register number 0x" + Long.toHexString(number));
        }
        return hex(description.get(), (int) number, registers);
    }

    private static String hex(TargetDescription description, int number, RegisterState registers) {
        return description
                .value(number, registers)
                .map(bytes -> Hex.of(bytes, bytes.length))
                .orElseGet(() -> "x".repeat(2 * description.slots().get(number).bytes()));
    }
}
