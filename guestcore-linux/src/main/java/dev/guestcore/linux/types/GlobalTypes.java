package dev.guestcore.linux.types;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;

/**
 * Types of global variables. BTF tells those of per-CPU variables only; a table of our own, {@code globals.txt} beside this class,
 * tells those of the variables that tools ask for. It is used where the kernel has both the variable and the type.
 */
public final class GlobalTypes {

    private static final Map<String, List<String>> DECLARED = read();

    private GlobalTypes() {}

    private static Map<String, List<String>> read() {
        Map<String, List<String>> declared = new LinkedHashMap<>();
        try (InputStream table = Objects.requireNonNull(GlobalTypes.class.getResourceAsStream("globals.txt"));
                BufferedReader lines = new BufferedReader(new InputStreamReader(table, StandardCharsets.US_ASCII))) {
            for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                if (!line.startsWith("#") && !line.isBlank()) {
                    String[] row = line.split(" ", 2);
                    declared.computeIfAbsent(row[0], _ -> new ArrayList<>()).add(row[1]);
                }
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return Collections.unmodifiableMap(declared);
    }

    /** The variables that the table knows. */
    public static Set<String> names() {
        return DECLARED.keySet();
    }

    /**
     * The type of a variable, by BTF or by the table.
     *
     * @param types of the kernel
     * @param variable its name
     * @return empty if neither knows the variable, or if the kernel does not have the type
     */
    public static Optional<KernelType> of(KernelTypes types, String variable) {
        return types.variable(variable).or(() -> DECLARED.getOrDefault(variable, List.of()).stream()
                .flatMap(type -> types.find(type).stream())
                .findFirst());
    }
}
