package dev.guestcore.source.qemu;

import dev.guestcore.error.SourceException;
import java.io.IOException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import tools.jackson.databind.JsonNode;

/**
 * QEMU's settings for migrations, changed for a background snapshot and put back afterwards, each exactly as it was. Not
 * thread-safe.
 */
final class MigrationSettings {

    /** The capability without which there is no snapshot (QEMU 6.0). */
    static final String SNAPSHOT = "background-snapshot";

    /** The only other one that does not change what is written. */
    private static final String EVENTS = "events";

    /** Bytes a second; far more than any memory has. */
    private static final long UNLIMITED = 1L << 50;

    private final Map<String, Boolean> capabilities = new LinkedHashMap<>();
    private final Map<String, Object> parameters = new LinkedHashMap<>();

    private MigrationSettings() {}

    /**
     * Sets what a snapshot needs. If that is refused, everything is as before.
     *
     * @throws SourceException if QEMU refuses, in QEMU's words
     */
    static MigrationSettings change(QmpClient qmp, Watchdog watchdog) throws IOException {
        MigrationSettings settings = new MigrationSettings();
        Map<String, Boolean> wanted = new LinkedHashMap<>();
        for (JsonNode entry : qmp.execute("query-migrate-capabilities", Map.of(), QemuSource.COMMAND)) {
            String name = entry.path("capability").asString("");
            boolean state = entry.path("state").asBoolean(false);
            boolean needed = name.equals(SNAPSHOT) || name.equals(EVENTS) && state;
            if (state != needed) {
                settings.capabilities.put(name, state);
                wanted.put(name, needed);
            }
        }
        JsonNode current = qmp.execute("query-migrate-parameters", Map.of(), QemuSource.COMMAND);
        Map<String, Object> set = new LinkedHashMap<>();
        settings.parameters.put("max-bandwidth", current.path("max-bandwidth").asLong(0));
        set.put("max-bandwidth", UNLIMITED);
        settings.replaceText(current, "tls-creds", "", set);
        settings.replaceText(current, "mode", "normal", set);
        try {
            if (!settings.capabilities.containsKey(SNAPSHOT)) {
                throw new SourceException("this QEMU has no background snapshots (6.0 and later have)");
            }
            watchdog.arm(settings.undo());
            setCapabilities(qmp, wanted);
            qmp.execute("migrate-set-parameters", set, QemuSource.COMMAND);
            return settings;
        } catch (SourceException e) {
            settings.restore(qmp);
            watchdog.disarm();
            throw Userfaultfd.explain(e, qmp.peer());
        }
    }

    private void replaceText(JsonNode current, String name, String value, Map<String, Object> set) {
        String before = current.path(name).asString(value);
        if (!before.equals(value)) {
            parameters.put(name, before);
            set.put(name, value);
        }
    }

    private static void setCapabilities(QmpClient qmp, Map<String, Boolean> states) throws IOException {
        if (!states.isEmpty()) {
            qmp.execute("migrate-set-capabilities", arguments(states), QemuSource.COMMAND);
        }
    }

    private static Map<String, Object> arguments(Map<String, Boolean> states) {
        List<Map<String, Object>> list = new ArrayList<>();
        states.forEach((name, state) -> list.add(Map.of("capability", name, "state", state)));
        return Map.of("capabilities", list);
    }

    /** How everything is put back by somebody else. */
    Watchdog.Undo undo() {
        return Watchdog.Undo.settings(List.of(
                Watchdog.Undo.command("migrate-set-capabilities", arguments(capabilities)),
                Watchdog.Undo.command("migrate-set-parameters", parameters)));
    }

    /** Capabilities that were changed, with the state that they had. */
    Map<String, Boolean> capabilities() {
        return Map.copyOf(capabilities);
    }

    /** Parameters that were changed, with the value that they had: numbers and text. */
    Map<String, Object> parameters() {
        return Map.copyOf(parameters);
    }

    /**
     * Puts everything back. No migration may be under way.
     *
     * @param qmp any connection to the same QEMU
     * @throws SourceException if QEMU refuses
     */
    void restore(QmpClient qmp) throws IOException {
        setCapabilities(qmp, capabilities);
        qmp.execute("migrate-set-parameters", parameters, QemuSource.COMMAND);
    }
}
