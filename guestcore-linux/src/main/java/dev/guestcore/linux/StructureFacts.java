package dev.guestcore.linux;

import dev.guestcore.facts.VmcoreInfoFields;
import dev.guestcore.linux.symbols.KernelSymbols;
import dev.guestcore.linux.symbols.Symbol;
import dev.guestcore.linux.types.KernelMember;
import dev.guestcore.linux.types.KernelType;
import dev.guestcore.linux.types.KernelTypes;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.concurrent.ConcurrentHashMap;

/** Where variables lie and how structures are laid out: what the kernel's types and VMCOREINFO both tell. */
interface StructureFacts {

    /** The virtual address of a variable. */
    OptionalLong symbol(String name);

    /** Where a member lies in its structure ({@code prb_desc.state_var}), in bytes. */
    OptionalLong offset(String member);

    /** The size of a structure ({@code prb_desc}), in bytes. */
    OptionalLong size(String structure);

    /** The same facts, which once asked for need neither guest nor tables any more. */
    default StructureFacts remembered() {
        Map<String, OptionalLong> known = new ConcurrentHashMap<>();
        StructureFacts origin = this;
        return new StructureFacts() {
            @Override
            public OptionalLong symbol(String name) {
                return known.computeIfAbsent("&" + name, key -> origin.symbol(name));
            }

            @Override
            public OptionalLong offset(String member) {
                return known.computeIfAbsent(member, origin::offset);
            }

            @Override
            public OptionalLong size(String structure) {
                return known.computeIfAbsent("#" + structure, key -> origin.size(structure));
            }
        };
    }

    /** As the kernel wrote it down for dump analysers. */
    static StructureFacts of(VmcoreInfoFields fields) {
        return new StructureFacts() {
            @Override
            public OptionalLong symbol(String name) {
                return fields.symbol(name);
            }

            @Override
            public OptionalLong offset(String member) {
                return fields.offset(member);
            }

            @Override
            public OptionalLong size(String structure) {
                return fields.size(structure);
            }
        };
    }

    /** As the kernel's tables of symbols and types have it. */
    static StructureFacts of(KernelSymbols symbols, KernelTypes types) {
        return new StructureFacts() {
            @Override
            public OptionalLong symbol(String name) {
                return optional(symbols.find(name).map(Symbol::address));
            }

            @Override
            public OptionalLong offset(String member) {
                int dot = member.indexOf('.');
                return optional(types.find("struct " + member.substring(0, dot))
                        .flatMap(type -> type.member(member.substring(dot + 1)))
                        .map(KernelMember::offset));
            }

            @Override
            public OptionalLong size(String structure) {
                return optional(types.find("struct " + structure).map(KernelType::size));
            }

            private OptionalLong optional(Optional<Long> value) {
                return value.isPresent() ? OptionalLong.of(value.get()) : OptionalLong.empty();
            }
        };
    }
}
