package dev.guestcore.source.qemu;

import java.io.IOException;
import java.util.Map;
import java.util.Optional;
import tools.jackson.databind.JsonNode;

/**
 * What the guest does, in QEMU's word for it (RunState in QEMU's qapi/run-state.json).
 *
 * @param status QEMU's word
 * @param running whether its vCPUs run
 */
record RunState(String status, boolean running) {

    private static final int LONGEST_WORD = 40;

    /** Asks QEMU. */
    static RunState ask(QmpClient qmp) throws IOException {
        return of(qmp.execute("query-status", Map.of(), QemuSource.COMMAND));
    }

    /** What a reply to {@code query-status} says. */
    static RunState of(JsonNode reply) {
        return new RunState(
                QmpClient.printable(reply.path("status").asString("unknown"), LONGEST_WORD),
                reply.path("running").asBoolean(false));
    }

    /** Whether it is in the state to which the command {@code stop} leads, and only that. */
    boolean isPaused() {
        return status.equals("paused");
    }

    /** Whether its memory is not here yet, so that there is nothing to capture. */
    boolean isIncoming() {
        return status.equals("inmigrate") || status.equals("restore-vm");
    }

    /** What this state is, for a guest that does not run. */
    String meaning() {
        return switch (status) {
            case "paused" -> "the guest is paused";
            case "guest-panicked" -> "the guest's kernel has panicked, and QEMU holds the guest at that instant";
            case "inmigrate" -> "the guest waits for its memory from an incoming migration";
            case "restore-vm" -> "the guest's state is being loaded";
            case "prelaunch" ->
                    "the guest was not started yet (QEMU was given -S, or it was reset while it was paused)";
            case "postmigrate" ->
                    "the guest was migrated or saved; its memory here is that of the end of the migration";
            case "finish-migrate", "colo" -> "a migration of the guest is at its end and holds it";
            case "save-vm" -> "the guest's state is being saved";
            case "io-error" -> "the guest stands still because one of its disks failed";
            case "internal-error" -> "the guest stands still because of an error of QEMU's or KVM's";
            case "watchdog" -> "the guest stands still because its watchdog device expired";
            case "shutdown" -> "the guest has shut down, and QEMU keeps its memory";
            case "suspended" -> "the guest sleeps (ACPI S3)";
            case "debug" -> "a debugger at QEMU's gdb port holds the guest";
            default -> "the guest does not run (" + status + ")";
        };
    }

    /** What can be done with a guest in this state, beside capturing it as it is. */
    Optional<String> advice() {
        return switch (status) {
            case "paused" -> Optional.of("`cont` at QEMU's monitor (`virsh resume`) lets it run");
            case "guest-panicked" -> Optional.of("`system_reset` and `cont` (`virsh reset`, `virsh resume`) restart"
                    + " it");
            case "inmigrate", "restore-vm" ->
                    Optional.of("capture it where it comes from, or here once it has arrived");
            case "prelaunch" -> Optional.of("`cont` at QEMU's monitor starts it");
            case "postmigrate" -> Optional.of("capture it at the destination to see it run");
            case "finish-migrate", "colo", "save-vm" -> Optional.of("try again when that is over");
            case "io-error" -> Optional.of("`cont` makes it try the disk again");
            case "suspended" -> Optional.of("`system_wakeup` (`virsh dompmwakeup`) wakes it");
            case "debug" -> Optional.of("let the debugger continue");
            case "internal-error", "watchdog", "shutdown" ->
                    Optional.of("`system_reset` and `cont` (`virsh reset`, `virsh resume`) restart it");
            default -> Optional.empty();
        };
    }
}
