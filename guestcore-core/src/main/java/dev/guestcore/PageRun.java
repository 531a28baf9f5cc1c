package dev.guestcore;

import java.util.Objects;

/**
 * A run of addresses in one state. Runs need not be maximal: two neighbouring runs may share a state.
 *
 * @param range guest-physical addresses, not necessarily page aligned
 * @param state the state of all of them
 */
public record PageRun(AddressRange range, PageState state) {

    /** Checks for null. */
    public PageRun {
        Objects.requireNonNull(range);
        Objects.requireNonNull(state);
    }
}
