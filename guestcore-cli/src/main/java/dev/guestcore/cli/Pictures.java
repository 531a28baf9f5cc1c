package dev.guestcore.cli;

import dev.guestcore.internal.output.OutputFile;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;

/** Files with pictures. */
final class Pictures {

    private Pictures() {}

    /** Writes a picture into a file that gets its name when it is whole. */
    static void write(String name, boolean replace, String picture) {
        OutputFile.IfExists ifExists = replace ? OutputFile.IfExists.REPLACE : OutputFile.IfExists.FAIL;
        byte[] bytes = picture.getBytes(StandardCharsets.UTF_8);
        try (OutputFile file = OutputFile.create(FileNames.fileToWrite(name), ifExists)) {
            file.requireSpace(bytes.length);
            file.sink().write(MemorySegment.ofArray(bytes));
            file.commit();
        }
    }
}
