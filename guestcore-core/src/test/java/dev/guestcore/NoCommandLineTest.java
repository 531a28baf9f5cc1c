package dev.guestcore;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.classfile.ClassFile;
import java.lang.classfile.constantpool.PoolEntry;
import java.lang.classfile.constantpool.Utf8Entry;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** Messages of the library speak of its API: the command line adds what its own options do. */
class NoCommandLineTest {

    private static final Pattern OPTION = Pattern.compile("(^|[^\\w-])--[a-z]");

    /** Commands to be typed, of other programs or as {@code info} shows them. */
    private static final List<String> COMMANDS = List.of(
            "DebuggerAdvice", "Monitor", "SplitParts", "Compression", "KnownFiles");

    /** What {@code OtherWays} says of libvirt stands in all messages that it is part of. */
    private static final String VIRSH = "FILE --paused|vm\\.elf --memory-only";

    @Test
    void noMessageNamesAnOptionOfTheCommandLine() throws Exception {
        Path classes = Path.of(Guest.class.getProtectionDomain().getCodeSource().getLocation().toURI());
        List<String> found = new ArrayList<>();
        try (Stream<Path> files = Files.walk(classes)) {
            files.filter(file -> file.toString().endsWith(".class")).forEach(file -> {
                String name = file.getFileName().toString();
                if (COMMANDS.stream().noneMatch(name::startsWith)) {
                    options(file).forEach(text -> found.add(name + ": " + text));
                }
            });
        }
        assertEquals(List.of(), found);
    }

    private static List<String> options(Path file) {
        List<String> texts = new ArrayList<>();
        try {
            for (PoolEntry entry : ClassFile.of().parse(file).constantPool()) {
                if (entry instanceof Utf8Entry text
                        && OPTION.matcher(text.stringValue().replaceAll(VIRSH, "")).find()) {
                    texts.add(text.stringValue());
                }
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return texts;
    }
}
