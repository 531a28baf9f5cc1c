package dev.guestcore.linux.types;

import java.util.Optional;
import java.util.stream.Stream;

/** The C types of a kernel. Immutable and safe for use by several threads at once. */
public interface KernelTypes {

    /**
     * The type of a C name: {@code struct task_struct}, {@code union fpregs_state}, {@code enum pid_type}, {@code u64},
     * {@code unsigned long}, {@code struct list_head *}, {@code char[16]}. A structure's name without {@code struct} is
     * found too where no other type has it. Of several types of one name the largest is meant.
     *
     * @throws TypesException if the description is damaged where it is read
     */
    Optional<KernelType> find(String name);

    /**
     * The same for whoever cannot go on without the type.
     *
     * @throws TypesException if there is none
     */
    default KernelType get(String name) {
        return find(name).orElseThrow(() -> new TypesException("the kernel has no type '" + name + "'"));
    }

    /** Bytes of a pointer: 4 or 8; 8 unless told. */
    default int pointerSize() {
        return Long.BYTES;
    }

    /** The type of a pointer to a type. */
    default KernelType pointerTo(KernelType target) {
        return DerivedType.pointer(target, pointerSize());
    }

    /** All named types, in the order of the description. */
    Stream<KernelType> stream();

    /** The type of a function, if the description names it. */
    default Optional<KernelType> function(String name) {
        return functions().filter(each -> each.name().equals(name)).findFirst().map(KernelDeclaration::type);
    }

    /** The type of a variable, if the description names it. BTF does so for per-CPU variables only. */
    default Optional<KernelType> variable(String name) {
        return variables().filter(each -> each.name().equals(name)).findFirst().map(KernelDeclaration::type);
    }

    /** All functions that the description names, in its order. */
    default Stream<KernelDeclaration> functions() {
        return Stream.empty();
    }

    /** All variables that the description names, in its order. */
    default Stream<KernelDeclaration> variables() {
        return Stream.empty();
    }
}
