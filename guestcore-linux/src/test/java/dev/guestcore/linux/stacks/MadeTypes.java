package dev.guestcore.linux.stacks;

import dev.guestcore.linux.types.KernelConstant;
import dev.guestcore.linux.types.KernelMember;
import dev.guestcore.linux.types.KernelParameter;
import dev.guestcore.linux.types.KernelType;
import dev.guestcore.linux.types.KernelTypes;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;

/** Structures that a test describes by the places of their members. */
public final class MadeTypes implements KernelTypes {

    private final Map<String, Structure> structures = new LinkedHashMap<>();

    /** Without any. */
    public MadeTypes() {}

    /** A structure whose members, given by their paths, lie at these bytes. */
    public MadeTypes structure(String name, long size, Map<String, Long> members) {
        structures.put("struct " + name, new Structure(name, size, members));
        return this;
    }

    @Override
    public Optional<KernelType> find(String name) {
        return Optional.ofNullable(structures.get(name));
    }

    @Override
    public Stream<KernelType> stream() {
        return structures.values().stream().map(KernelType.class::cast);
    }

    private record Word() implements KernelType {

        @Override
        public Kind kind() {
            return Kind.INTEGER;
        }

        @Override
        public String name() {
            return "unsigned long";
        }

        @Override
        public long size() {
            return Long.BYTES;
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
        public List<KernelParameter> parameters() {
            return List.of();
        }

        @Override
        public Optional<KernelMember> member(String path) {
            return Optional.empty();
        }
    }

    private record Structure(String name, long size, Map<String, Long> places) implements KernelType {

        @Override
        public Kind kind() {
            return Kind.STRUCT;
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
            return places.keySet().stream().map(name -> member(name).orElseThrow()).toList();
        }

        @Override
        public List<KernelConstant> constants() {
            return List.of();
        }

        @Override
        public List<KernelParameter> parameters() {
            return List.of();
        }

        @Override
        public Optional<KernelMember> member(String path) {
            return Optional.ofNullable(places.get(path))
                    .map(place -> new KernelMember(path, new Word(), place * Byte.SIZE, 0));
        }
    }
}
