package dev.guestcore.cpu;

import dev.guestcore.error.GuestcoreException;
import java.io.Serial;

/** A virtual address cannot be translated because the source does not say what a register held. */
public final class UnknownRegisterException extends GuestcoreException {

    @Serial
    private static final long serialVersionUID = 1L;

    private final Missing missing;

    /** What the register would have told. */
    public enum Missing {
        /** Where the page tables begin. */
        ROOT,
        /** Where the page tables of the kernel begin, which has a root of its own. */
        KERNEL_ROOT,
        /** How many levels they have. */
        MODE
    }

    /**
     * An exception.
     *
     * @param vcpu number of the vCPU
     * @param register the register that is not known
     * @param missing what it would have told
     * @param remedy what to state instead
     */
    public UnknownRegisterException(int vcpu, Register register, Missing missing, String remedy) {
        super("vCPU " + vcpu + ": the source does not know register " + register.label()
                + ", without which virtual addresses cannot be translated; " + remedy);
        this.missing = missing;
    }

    /** Of a guest of which not even the processor is known. */
    public UnknownRegisterException(int vcpu) {
        super("vCPU " + vcpu + ": the source knows neither processor nor registers,"
                + " without which virtual addresses cannot be translated; state the paging mode");
        this.missing = Missing.MODE;
    }

    /** What is missing. */
    public Missing missing() {
        return missing;
    }
}
