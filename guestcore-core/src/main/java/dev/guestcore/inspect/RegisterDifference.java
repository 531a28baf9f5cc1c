package dev.guestcore.inspect;

import dev.guestcore.cpu.Register;
import java.util.Objects;
import java.util.Optional;

/**
 * A register that is not the same in two guests: different values, or known in one of them only.
 *
 * @param register which
 * @param inA its value in the first guest, hexadecimal with "0x"; empty where that source does not know it
 * @param inB its value in the second guest, likewise
 */
public record RegisterDifference(Register register, Optional<String> inA, Optional<String> inB) {

    /** Checks for null. */
    public RegisterDifference {
        Objects.requireNonNull(register);
        Objects.requireNonNull(inA);
        Objects.requireNonNull(inB);
    }

    /** Whether both sources know the register, so that its values differ; else only one knows it. */
    public boolean isKnownInBoth() {
        return inA.isPresent() && inB.isPresent();
    }
}
