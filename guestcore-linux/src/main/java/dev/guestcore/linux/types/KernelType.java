package dev.guestcore.linux.types;

import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;

/** A C type of the kernel. Immutable and safe for use by several threads at once; equal if it is the same type. */
public interface KernelType {

    /** The kinds of C types. {@code const}, {@code volatile}, {@code restrict} and type tags are left out everywhere. */
    enum Kind {
        /** {@code void}. */
        VOID,
        /** An integer, also {@code bool} and {@code char}. */
        INTEGER,
        /** A floating-point number. */
        FLOAT,
        /** A pointer. */
        POINTER,
        /** An array. */
        ARRAY,
        /** A structure. */
        STRUCT,
        /** A union. */
        UNION,
        /** An enumeration. */
        ENUM,
        /** A structure, union or enumeration of which only the name is known. */
        FORWARD,
        /** Another name for a type. */
        TYPEDEF,
        /** The type of a function. */
        FUNCTION
    }

    /** Its kind. */
    Kind kind();

    /** Its name without {@code struct}, {@code union} or {@code enum}; empty for a type without one. */
    String name();

    /** Its size in bytes; 0 for {@code void}, functions, and types of which only the name is known. */
    long size();

    /**
     * The same type without names given by {@code typedef}.
     *
     * @throws TypesException if the description is damaged there, as everything below may say too
     */
    KernelType resolved();

    /**
     * Of a pointer the type that it points to, of an array that of its elements, of a typedef the type named, of a function
     * that of its result.
     */
    Optional<KernelType> target();

    /** Of an array, the number of its elements; 0 where the declaration does not say it. */
    long count();

    /** Of an integer or enumeration, whether it may be negative. */
    boolean isSigned();

    /** Of a structure or union (also through a typedef), its own members in order, those without a name too. */
    List<KernelMember> members();

    /** Of an enumeration (also through a typedef), its constants in order. */
    List<KernelConstant> constants();

    /** Of an enumeration (also through a typedef), the value of the constant of this name; empty if it has none. */
    default OptionalLong constant(String name) {
        return constants().stream().filter(each -> each.name().equals(name)).mapToLong(KernelConstant::value)
                .findFirst();
    }

    /**
     * A member of a structure or union (also through a typedef) by its path: {@code mm}, {@code thread.sp},
     * {@code numbers[0].nr}. Members of members without a name are found as C finds them. Its offset counts from the start of
     * this type.
     *
     * @throws TypesException if the path is not one
     */
    Optional<KernelMember> member(String path);

    /** Of a function (not of a pointer to it), its parameters in order. */
    List<KernelParameter> parameters();

    /** As C writes it: {@code struct task_struct *}. */
    @Override
    String toString();
}
