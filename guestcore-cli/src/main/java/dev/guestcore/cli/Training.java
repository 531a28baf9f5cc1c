package dev.guestcore.cli;

import java.io.OutputStream;
import java.nio.file.Path;
import java.util.List;

/**
 * Runs the usual commands once, so that the JVM can note down what a start needs and where the time goes. The launcher does
 * that after each build; nobody else needs it.
 */
public final class Training {

    private Training() {}

    /**
     * Runs them.
     *
     * @param arguments a folder that does not exist yet
     */
    public static void main(String[] arguments) {
        Path folder = Path.of(arguments[0]);
        String vbox = folder.resolve("demo.vbox").toString();
        String xen = folder.resolve("demo.xen").toString();
        List<List<String>> commands = List.of(
                List.of("demo", "-o", folder.toString()),
                List.of("info", vbox),
                List.of("info", xen, "--json"),
                List.of("info", "demo:"),
                List.of("regs", vbox),
                List.of("read", vbox, "0x8000", "64"),
                List.of("read", "--virtual", xen, "0x8000", "64"),
                List.of("map", vbox),
                List.of("translate", vbox, "0x8000"),
                List.of("search", vbox, "needle"),
                List.of("diff", vbox, xen),
                List.of("verify", xen),
                List.of("convert", vbox, "-o", folder.resolve("demo.elf").toString(), "--to", "elf"),
                List.of("info", folder.resolve("demo.elf").toString()),
                List.of("convert", xen, "-o", folder.resolve("demo.kdump").toString(), "--to", "kdump"),
                List.of("info", folder.resolve("demo.kdump").toString()));
        for (List<String> command : commands) {
            OutputStream nowhere = OutputStream.nullOutputStream();
            Console console = new Console(nowhere, nowhere, Console.Terminal.none());
            int code = Main.run(console, command.toArray(String[]::new));
            if (code != ExitCode.DONE && !command.getFirst().equals("diff")) {
                System.err.println("guestcore: training failed at " + String.join(" ", command) + ": " + code);
                System.exit(code);
            }
        }
    }
}
