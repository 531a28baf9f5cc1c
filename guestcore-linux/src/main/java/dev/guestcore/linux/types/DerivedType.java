package dev.guestcore.linux.types;

import java.util.List;
import java.util.Optional;

/**
 * A pointer to a type or an array of it. How deep they nest is bounded where they are made.
 *
 * @param kind {@code POINTER} or {@code ARRAY}
 * @param of what it points to, or the type of the elements
 * @param measure bytes of a pointer, or the number of elements
 */
record DerivedType(Kind kind, KernelType of, long measure) implements KernelType {

    static DerivedType pointer(KernelType target, int size) {
        return new DerivedType(Kind.POINTER, target, size);
    }

    static DerivedType array(KernelType element, long count) {
        return new DerivedType(Kind.ARRAY, element, count);
    }

    @Override
    public String name() {
        return "";
    }

    @Override
    public long size() {
        if (kind == Kind.POINTER) {
            return measure;
        }
        try {
            return Math.multiplyExact(measure, of.size());
        } catch (ArithmeticException _) {
            throw new TypesException("the size of " + this + " is beyond 64 bits; the description of types is damaged");
        }
    }

    @Override
    public KernelType resolved() {
        return this;
    }

    @Override
    public Optional<KernelType> target() {
        return Optional.of(of);
    }

    @Override
    public long count() {
        return kind == Kind.ARRAY ? measure : 0;
    }

    @Override
    public boolean isSigned() {
        return false;
    }

    @Override
    public List<KernelMember> members() {
        return List.of();
    }

    @Override
    public List<KernelConstant> constants() {
        return List.of();
    }

    @Override
    public Optional<KernelMember> member(String path) {
        return Optional.empty();
    }

    @Override
    public List<KernelParameter> parameters() {
        return List.of();
    }

    @Override
    public String toString() {
        return Declarators.declare(this, "");
    }
}
