package dev.guestcore.linux.types;

import java.util.List;
import java.util.Optional;

/** {@code void}. */
final class VoidType implements KernelType {

    static final VoidType VOID = new VoidType();

    private VoidType() {}

    @Override
    public Kind kind() {
        return Kind.VOID;
    }

    @Override
    public String name() {
        return "void";
    }

    @Override
    public long size() {
        return 0;
    }

    @Override
    public KernelType resolved() {
        return this;
    }

    @Override
    public Optional<KernelType> target() {
        return Optional.empty();
    }

    @Override
    public long count() {
        return 0;
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
        return "void";
    }
}
