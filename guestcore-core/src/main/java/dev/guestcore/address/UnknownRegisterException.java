package dev.guestcore.address;

import dev.guestcore.cpu.Register;
import dev.guestcore.error.GuestcoreException;
import java.io.Serial;

/** A virtual address cannot be translated because the source does not say what a control register held. */
public final class UnknownRegisterException extends GuestcoreException {

    @Serial
    private static final long serialVersionUID = 1L;

    private final transient Register register;

    UnknownRegisterException(int vcpu, Register register, String remedy) {
        super("vCPU " + vcpu + ": the source does not know register " + register.label()
                + ", without which virtual addresses cannot be translated; " + remedy);
        this.register = register;
    }

    /** The register that is missing. */
    public Register register() {
        return register;
    }
}
