package dev.guestcore.cli;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;

/** The program in a process of its own, for what only a process shows: signals, standard streams, its exit code. */
final class Child {

    private Child() {}

    /** Starts the program with modules or without, as these tests run. */
    static Process start(String... arguments) throws IOException {
        List<String> command = new ArrayList<>();
        // A shell ignores SIGINT in its background jobs, nohup SIGHUP, and what those start inherits it.
        command.addAll(List.of("env", "--default-signal=INT,HUP"));
        command.add(ProcessHandle.current().info().command().orElseThrow());
        command.addAll(List.of("-Xmx128m", "-XX:MaxDirectMemorySize=2g"));
        String modules = System.getProperty("jdk.module.path");
        if (modules != null) {
            command.addAll(List.of("--enable-native-access=dev.guestcore", "-p", modules));
            command.addAll(List.of("-m", "dev.guestcore.cli/" + Main.class.getName()));
        } else {
            command.addAll(List.of("--enable-native-access=ALL-UNNAMED", "-cp", System.getProperty("java.class.path")));
            command.add(Main.class.getName());
        }
        command.addAll(List.of(arguments));
        return new ProcessBuilder(command).start();
    }
}
