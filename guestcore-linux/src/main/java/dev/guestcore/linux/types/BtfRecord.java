package dev.guestcore.linux.types;

import java.util.Objects;

/**
 * A record of BTF as it is stored, for whoever writes all of them in another form. Immutable.
 *
 * <p>It belongs to the section that it was taken from; see {@link Btf#record}.
 */
public final class BtfRecord {

    private static final int EXTRA = 3;

    private final Btf owner;
    private final int id;

    BtfRecord(Btf owner, int id) {
        this.owner = Objects.requireNonNull(owner);
        this.id = id;
    }

    /** Its number. */
    public int id() {
        return id;
    }

    /** What it is. */
    public BtfKind kind() {
        return owner.kind(id);
    }

    /** Where its name begins in {@link Btf#strings}; 0 if it has none. */
    public int nameOffset() {
        return owner.nameOffset(id);
    }

    /** Its name, empty if it has none. */
    public String name() {
        return owner.name(id);
    }

    /** How many members, constants or parameters it has. */
    public int elements() {
        return owner.elements(id);
    }

    /** The flag of its kind: of structures, that offsets hold the size of bit fields; of enumerations, that they are signed. */
    public boolean flag() {
        return owner.flag(id);
    }

    /** Bytes of a number, a structure, a union or an enumeration. */
    public long size() {
        return owner.sizeOf(id);
    }

    /** The number of the record that it refers to; 0 is {@code void}. */
    public int reference() {
        return owner.reference(id);
    }

    /** A word behind the part that all records have, from 0 on. */
    public int word(int index) {
        return owner.wordOf(id, EXTRA + index);
    }
}
