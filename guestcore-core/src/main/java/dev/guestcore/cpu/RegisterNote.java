package dev.guestcore.cpu;

import java.nio.ByteOrder;
import java.util.List;
import java.util.Optional;

/** A note of ELF cores and kdumps that holds registers of the vCPU whose NT_PRSTATUS stands before it. Immutable. */
public interface RegisterNote {

    /** Owner of the notes that Linux invented for one processor or another. */
    String LINUX = "LINUX";

    /** Owner of NT_PRSTATUS and NT_PRFPREG. */
    String CORE = "CORE";

    /** Name of the note's owner. */
    String owner();

    /** n_type. */
    long type();

    /**
     * The registers that a note tells.
     *
     * @param descriptor any length; what is too short tells nothing
     * @param order byte order of the dump
     * @param known what the notes before it told of the same vCPU
     */
    RegisterState read(byte[] descriptor, ByteOrder order, RegisterState known);

    /** The note for a vCPU; empty if one of the registers that it must hold is not known, or nobody writes such notes. */
    Optional<byte[]> write(RegisterState registers, ByteOrder order);

    /** The registers that {@link #write} puts into the note. */
    List<Register> places();
}
