package dev.guestcore.linux.symbols;

/** How kallsyms notes the addresses of its symbols. */
public enum AddressForm {
    /** 64-bit addresses (all kernels before 4.6, some before 6.11). */
    ABSOLUTE("absolute"),
    /** Unsigned 32-bit distances from a base (4.6 to 6.19). */
    BASE_RELATIVE("relative to a base"),
    /** Signed 32-bit numbers: values as they are, or if negative distances from a base (4.6 to 6.14, x86-64). */
    ABSOLUTE_PERCPU("relative to a base, per-CPU variables absolute"),
    /** Signed 32-bit distances from the place where they stand (7.0 and later). */
    PLACE_RELATIVE("relative to their place");

    private final String title;

    AddressForm(String title) {
        this.title = title;
    }

    /** For people. */
    public String title() {
        return title;
    }
}
