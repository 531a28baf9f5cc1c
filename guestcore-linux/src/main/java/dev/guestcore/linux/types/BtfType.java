package dev.guestcore.linux.types;

import java.util.List;
import java.util.Optional;

/** A type that BTF names or builds of others, except pointers and arrays. Equal by number within one section. */
final class BtfType implements KernelType {

    private final Btf btf;
    private final int id;
    private final BtfKind kind;

    BtfType(Btf btf, int id, BtfKind kind) {
        this.btf = btf;
        this.id = id;
        this.kind = kind;
    }

    int id() {
        return id;
    }

    boolean isOf(Btf section) {
        return btf == section;
    }

    @Override
    public Kind kind() {
        return switch (kind) {
            case INT -> Kind.INTEGER;
            case FLOAT -> Kind.FLOAT;
            case STRUCT -> Kind.STRUCT;
            case UNION -> Kind.UNION;
            case ENUM, ENUM64 -> Kind.ENUM;
            case FWD -> Kind.FORWARD;
            case TYPEDEF -> Kind.TYPEDEF;
            case FUNC_PROTO -> Kind.FUNCTION;
            default -> throw Btf.damaged(id, "not a type");
        };
    }

    @Override
    public String name() {
        return kind == BtfKind.FUNC_PROTO ? "" : btf.name(id);
    }

    @Override
    public long size() {
        return switch (kind) {
            case INT, FLOAT, STRUCT, UNION, ENUM, ENUM64 -> btf.sizeOf(id);
            case TYPEDEF -> btf.sizeBehind(id);
            default -> 0;
        };
    }

    @Override
    public KernelType resolved() {
        return kind == BtfKind.TYPEDEF ? btf.type(btf.withoutNames(id)) : this;
    }

    @Override
    public Optional<KernelType> target() {
        return kind == BtfKind.TYPEDEF || kind == BtfKind.FUNC_PROTO
                ? Optional.of(btf.type(btf.reference(id)))
                : Optional.empty();
    }

    @Override
    public long count() {
        return 0;
    }

    @Override
    public boolean isSigned() {
        return switch (kind) {
            case INT -> btf.isSignedInteger(id);
            case ENUM, ENUM64 -> btf.flag(id);
            case TYPEDEF -> resolved().isSigned();
            default -> false;
        };
    }

    /** Of a type of which only the name is known, whether it is a union. */
    boolean isUnion() {
        return btf.flag(id);
    }

    @Override
    public List<KernelMember> members() {
        if (kind == BtfKind.TYPEDEF) {
            return resolved().members();
        }
        return kind.isStructure() ? btf.members(id) : List.of();
    }

    @Override
    public List<KernelConstant> constants() {
        if (kind == BtfKind.TYPEDEF) {
            return resolved().constants();
        }
        return kind == BtfKind.ENUM || kind == BtfKind.ENUM64 ? btf.constants(id) : List.of();
    }

    @Override
    public Optional<KernelMember> member(String path) {
        if (kind == BtfKind.TYPEDEF) {
            return resolved().member(path);
        }
        if (!kind.isStructure()) {
            return Optional.empty();
        }
        return MemberPath.isName(path) ? btf.member(id, path) : MemberPath.find(this, path);
    }

    @Override
    public List<KernelParameter> parameters() {
        return kind == BtfKind.FUNC_PROTO ? btf.parameters(id) : List.of();
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof BtfType type && type.btf == btf && type.id == id;
    }

    @Override
    public int hashCode() {
        return System.identityHashCode(btf) * 31 + id;
    }

    @Override
    public String toString() {
        return Declarators.declare(this, "");
    }
}
