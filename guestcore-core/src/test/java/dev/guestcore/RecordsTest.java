package dev.guestcore;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.lang.module.ModuleDescriptor;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Modifier;
import java.lang.reflect.ParameterizedType;
import java.lang.reflect.Proxy;
import java.lang.reflect.RecordComponent;
import java.lang.reflect.Type;
import java.lang.reflect.TypeVariable;
import java.net.URI;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/** Every public record of the library shows addresses as people write them. */
class RecordsTest {

    /** Components that count something, which people write in decimal. */
    private static final Pattern AMOUNT = Pattern.compile(
            "(?i).*(size|bytes|pages|count|contents|entries|tables|hits|requests)|span|major|minor|differences");

    /**
     * Records that only those can make who know them: {@code RecordTextTest} and {@code HexadecimalTest} do. A map consists
     * of areas and holes, which are made here.
     */
    private static final Set<String> MADE_ELSEWHERE = Set.of(
            "Vcpu",
            "cpu.TranslationOptions",
            "facts.ElfFacts",
            "facts.XenFacts",
            "file.FileSet$Part",
            "inspect.MemoryMap",
            "kernel.AddressSpaceChoice");

    /** What the parameters of a generic record stand for. */
    private final Map<TypeVariable<?>, Type> meaning = new HashMap<>();

    private long next = 0x1234_5000L;

    private static Path classes() throws URISyntaxException {
        URI place = Guest.class.getProtectionDomain().getCodeSource().getLocation().toURI();
        return Path.of(place);
    }

    private static Set<String> exported(Path classes) throws IOException {
        try (var in = Files.newInputStream(classes.resolve("module-info.class"))) {
            return ModuleDescriptor.read(in).exports().stream()
                    .filter(exports -> !exports.isQualified())
                    .map(ModuleDescriptor.Exports::source)
                    .collect(Collectors.toSet());
        }
    }

    private static List<Class<?>> records() throws Exception {
        Path classes = classes();
        Set<String> exported = exported(classes);
        List<Class<?>> records = new ArrayList<>();
        try (Stream<Path> files = Files.walk(classes)) {
            for (Path file : files.sorted().toList()) {
                String name = classes.relativize(file).toString().replace('/', '.').replaceFirst("\\.class$", "");
                if (!file.toString().endsWith(".class") || name.endsWith("-info")) {
                    continue;
                }
                Class<?> found = Class.forName(name, false, RecordsTest.class.getClassLoader());
                if (found.isRecord() && isPublic(found) && exported.contains(found.getPackageName())) {
                    records.add(found);
                }
            }
        }
        return records;
    }

    private static boolean isPublic(Class<?> type) {
        Class<?> outer = type.getEnclosingClass();
        return Modifier.isPublic(type.getModifiers()) && (outer == null || isPublic(outer));
    }

    /** A value of that type, empty if none could be made. */
    private Optional<Object> value(Type type) throws ReflectiveOperationException {
        if (type instanceof TypeVariable<?> variable) {
            return value(meaning.getOrDefault(variable, String.class));
        }
        Class<?> raw = (Class<?>) (type instanceof ParameterizedType generic ? generic.getRawType() : type);
        if (raw == Optional.class || raw == List.class || raw == Set.class) {
            Optional<Object> inner = value(((ParameterizedType) type).getActualTypeArguments()[0]);
            return inner.map(one -> raw == Optional.class
                    ? Optional.of(one)
                    : raw == List.class ? List.of(one) : Set.of(one));
        }
        if (raw == Map.class) {
            Optional<Object> key = value(((ParameterizedType) type).getActualTypeArguments()[0]);
            Optional<Object> mapped = value(((ParameterizedType) type).getActualTypeArguments()[1]);
            return key.isPresent() && mapped.isPresent()
                    ? Optional.of(Map.of(key.get(), mapped.get()))
                    : Optional.empty();
        }
        if (raw == AddressRange.class) {
            long first = address();
            return Optional.of(new AddressRange(first, first + 0xfff));
        }
        if (raw == Finding.class) {
            return Optional.of(Finding.note("a note"));
        }
        if (raw.isRecord()) {
            for (int i = 0; type instanceof ParameterizedType generic && i < raw.getTypeParameters().length; i++) {
                meaning.put(raw.getTypeParameters()[i], generic.getActualTypeArguments()[i]);
            }
            return Optional.ofNullable(instance(raw, new ArrayList<>()));
        }
        if (raw.isEnum()) {
            return Optional.of(raw.getEnumConstants()[0]);
        }
        if (raw.isInterface() && !raw.isSealed()) {
            return Optional.of(Proxy.newProxyInstance(
                    raw.getClassLoader(),
                    new Class<?>[] {raw},
                    (proxy, method, arguments) -> switch (method.getName()) {
                        case "toString" -> "a " + raw.getSimpleName();
                        case "hashCode" -> 1;
                        case "equals" -> proxy == arguments[0];
                        default -> plain(method.getReturnType()).orElse(null);
                    }));
        }
        return plain(raw);
    }

    private Optional<Object> plain(Class<?> type) {
        Object value = switch (type.getName()) {
            case "long", "java.lang.Long" -> address();
            case "int", "java.lang.Integer" -> 1;
            case "boolean", "java.lang.Boolean" -> true;
            case "double", "java.lang.Double" -> 0.5;
            case "java.lang.String", "java.lang.Object" -> "text";
            case "java.util.OptionalLong" -> OptionalLong.of(address());
            case "java.util.OptionalInt" -> OptionalInt.of(1);
            case "java.time.Instant" -> Instant.EPOCH;
            case "java.nio.file.Path" -> Path.of("file");
            case "[B" -> new byte[8];
            default -> null;
        };
        return Optional.ofNullable(value);
    }

    private long address() {
        next += 0x1000;
        return next;
    }

    /** An instance, and the value of each component; null if none could be made. */
    private @Nullable Object instance(Class<?> type, List<Object> values) throws ReflectiveOperationException {
        RecordComponent[] components = type.getRecordComponents();
        Class<?>[] types = new Class<?>[components.length];
        for (int i = 0; i < components.length; i++) {
            types[i] = components[i].getType();
            Optional<Object> value = value(components[i].getGenericType());
            if (value.isEmpty()) {
                return null;
            }
            values.add(value.get());
        }
        try {
            var constructor = type.getDeclaredConstructor(types);
            constructor.setAccessible(true);
            return constructor.newInstance(values.toArray());
        } catch (InvocationTargetException e) {
            return null;
        }
    }

    private static Optional<Long> number(Object value) {
        return switch (value) {
            case Long number -> Optional.of(number);
            case OptionalLong number -> Optional.of(number.getAsLong());
            case Optional<?> some when some.isPresent() && some.get() instanceof Long number -> Optional.of(number);
            default -> Optional.empty();
        };
    }

    @Test
    void addressesAreHexadecimal() throws Exception {
        Set<String> notMade = new TreeSet<>();
        List<String> decimal = new ArrayList<>();
        int hexadecimal = 0;
        for (Class<?> type : records()) {
            List<Object> values = new ArrayList<>();
            Object record = instance(type, values);
            if (record == null) {
                notMade.add(type.getName().substring("dev.guestcore.".length()));
                continue;
            }
            String text = record.toString();
            for (int i = 0; i < values.size(); i++) {
                String name = type.getRecordComponents()[i].getName();
                Optional<Long> number = number(values.get(i));
                if (number.isPresent() && !AMOUNT.matcher(name).matches()) {
                    if (text.contains(Long.toString(number.get()))) {
                        decimal.add(type.getName() + "." + name + ": " + text);
                    }
                    hexadecimal += text.contains("0x" + Long.toHexString(number.get())) ? 1 : 0;
                }
            }
        }
        assertEquals(
                new TreeSet<>(MADE_ELSEWHERE),
                notMade,
                "records that are not made here: let plain() make what they hold, or name them in MADE_ELSEWHERE and test"
                        + " their text elsewhere");
        assertEquals(
                List.of(), decimal,
                "addresses in decimal: write a toString(), or let AMOUNT match the names of amounts");
        // What says something only of some meanings, such as the reserved bits of an entry, may be left out.
        assertTrue(hexadecimal >= 20, "addresses shown: " + hexadecimal);
    }
}
