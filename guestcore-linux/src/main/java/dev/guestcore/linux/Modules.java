package dev.guestcore.linux;

import dev.guestcore.error.GuestcoreException;
import dev.guestcore.linux.LoadedModule.Place;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.EnumSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Stream;

/**
 * The modules of a kernel. They are looked for in the list of all modules, in /sys/module, and in the list of the types of
 * modules, so that one that is missing in one place is found in another, and told. Immutable.
 *
 * <p>Facts, and the structures of Linux that have them: include/linux/module.h (struct module; its memory is {@code mem} since
 * 6.4, {@code core_layout} and {@code init_layout} since 4.5, {@code module_core} before; {@code refcnt} counts from 1);
 * kernel/module/procfs.c (what /proc/modules shows); kernel/panic.c (letters of taints); kernel/bpf/btf.c (struct btf_module).
 */
public final class Modules {

    private static final String MODULE = "struct module";
    private static final String STATE_PREFIX = "MODULE_STATE_";

    /** A letter for each bit, in their order. */
    private static final String TAINTS = "PFSRMBUDAWCIOELKXTNJ";

    private static final int MOST_PARTS = 16;

    private final List<LoadedModule> modules;
    private final List<String> problems;

    private Modules(List<LoadedModule> modules, List<String> problems) {
        this.modules = List.copyOf(modules);
        this.problems = List.copyOf(problems);
    }

    /**
     * The modules of a kernel.
     *
     * @throws LinuxException if it has no description of its types
     */
    static Modules of(Linux linux) {
        return new Search(linux).search();
    }

    /** All of them: those of the list in its order, the one that was loaded last first; then others by name. */
    public Stream<LoadedModule> stream() {
        return modules.stream();
    }

    /** What could not be read, for the user: one line each. */
    public List<String> problems() {
        return problems;
    }

    private static final class Search {

        private final Linux linux;
        private final Map<Long, Set<Place>> places = new LinkedHashMap<>();
        private final List<String> problems = new ArrayList<>();

        Search(Linux linux) {
            this.linux = linux;
            linux.type(MODULE);
        }

        Modules search() {
            if (linux.hasVariable("modules")) {
                attempt("the list of modules", this::walkList);
            }
            int listed = places.size();
            attempt("/sys/module", this::walkSysfs);
            attempt("the list of types", this::walkTypes);
            List<LoadedModule> modules = new ArrayList<>();
            places.forEach((address, seenIn) -> attempt(
                    "the module at 0x" + Long.toHexString(address),
                    () -> modules.add(read(linux.object(MODULE, address), seenIn))));
            int ordered = Math.min(listed, modules.size());
            modules.subList(ordered, modules.size()).sort(Comparator.comparing(LoadedModule::name));
            return new Modules(modules, problems);
        }

        private void attempt(String what, Runnable work) {
            try {
                work.run();
            } catch (GuestcoreException e) {
                tell(what, List.of(String.valueOf(e.getMessage())));
            }
        }

        private void tell(String what, List<String> told) {
            for (String problem : told) {
                if (problems.size() < Walk.MOST_PROBLEMS) {
                    problems.add(what + ": " + problem);
                }
            }
        }

        private void add(long module, Place place) {
            places.computeIfAbsent(module, address -> EnumSet.noneOf(Place.class)).add(place);
        }

        private void walkList() {
            Walk<KernelObject> list = linux.variable("modules").list(MODULE, "list");
            tell("the list of modules", list.problems());
            list.forEach(module -> add(module.address(), Place.LIST));
        }

        /** What is built in has a folder there too if it has parameters, but no struct module. */
        private void walkSysfs() {
            Optional<KernelObject> set = linux.findVariable("module_kset").flatMap(KernelObject::target);
            if (set.isEmpty()) {
                return;
            }
            Walk<KernelObject> folders = set.get().get("list").list("struct module_kobject", "kobj.entry");
            tell("/sys/module", folders.problems());
            for (KernelObject folder : folders) {
                attempt("/sys/module",
                        () -> folder.get("mod").target().ifPresent(module -> add(module.address(), Place.SYSFS)));
            }
        }

        private void walkTypes() {
            if (!linux.hasVariable("btf_modules") || linux.requireTypes().find("struct btf_module").isEmpty()) {
                return;
            }
            Walk<KernelObject> types = linux.variable("btf_modules").list("struct btf_module", "list");
            tell("the list of types", types.problems());
            for (KernelObject type : types) {
                attempt("the list of types",
                        () -> type.get("module").target().ifPresent(module -> add(module.address(), Place.TYPES)));
            }
        }

        /** What lies where a damaged pointer leads is no module that hides from the list: those know where they are. */
        private static void check(KernelObject module) {
            if (module.has("mkobj.mod") && module.getLong("mkobj.mod") != module.address()) {
                throw new LinuxException("it is none: its entry in /sys/module is that of another");
            }
        }

        private LoadedModule read(KernelObject module, Set<Place> seenIn) {
            if (!seenIn.contains(Place.LIST)) {
                check(module);
            }
            long references = module.has("refcnt.counter") ? Math.max(0, module.getLong("refcnt.counter") - 1) : 0;
            return new LoadedModule(
                    module,
                    module.get("name").string(),
                    state(module.get("state")),
                    address(module),
                    size(module),
                    references,
                    users(module),
                    taints(module.has("taints") ? module.getLong("taints") : 0),
                    seenIn);
        }

        private static String state(KernelObject state) {
            return state.constant()
                    .map(name -> name.replace(STATE_PREFIX, "").toLowerCase(Locale.ROOT))
                    .orElseGet(() -> Long.toString(state.asLong()));
        }

        private static long address(KernelObject module) {
            return module.getAny("mem[0].base", "core_layout.base", "module_core").map(KernelObject::asLong).orElse(0L);
        }

        private static long size(KernelObject module) {
            if (!module.has("mem")) {
                return sum(module, "core_layout.size", "init_layout.size") + sum(module, "core_size", "init_size");
            }
            long size = 0;
            List<KernelObject> parts = module.get("mem").elements();
            for (KernelObject part : parts.subList(0, Math.min(parts.size(), MOST_PARTS))) {
                size += part.getLong("size");
            }
            return size;
        }

        private static long sum(KernelObject module, String... members) {
            long sum = 0;
            for (String member : members) {
                sum += module.has(member) ? module.getLong(member) : 0;
            }
            return sum;
        }

        private List<String> users(KernelObject module) {
            if (!module.has("source_list")) {
                return List.of();
            }
            Walk<KernelObject> uses = module.get("source_list").list("struct module_use", "source_list");
            tell("the users of the module at 0x" + Long.toHexString(module.address()), uses.problems());
            return uses.stream().map(use -> use.get("source.name").string()).toList();
        }

        private static String taints(long bits) {
            StringBuilder letters = new StringBuilder();
            for (int bit = 0; bit < TAINTS.length(); bit++) {
                if ((bits >>> bit & 1) != 0) {
                    letters.append(TAINTS.charAt(bit));
                }
            }
            return letters.toString();
        }
    }
}
