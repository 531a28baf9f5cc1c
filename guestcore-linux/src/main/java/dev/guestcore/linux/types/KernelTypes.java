package dev.guestcore.linux.types;

import java.util.Optional;
import java.util.stream.Stream;

/** The C types of a kernel. Immutable and safe for use by several threads at once. */
public interface KernelTypes {

    /**
     * The type of a C name: {@code struct task_struct}, {@code union fpregs_state}, {@code enum pid_type}, {@code u64},
     * {@code unsigned long}, {@code struct list_head *}, {@code char[16]}. A structure's name without {@code struct} is
     * found too where no other type has it.
     */
    Optional<KernelType> find(String name);

    /** All named types, in the order of the description. */
    Stream<KernelType> stream();
}
