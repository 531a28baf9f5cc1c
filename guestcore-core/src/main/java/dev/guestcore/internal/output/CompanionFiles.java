package dev.guestcore.internal.output;

import dev.guestcore.error.OutputException;
import dev.guestcore.file.CompanionFile;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * The files beside a core. They are begun before the core is written, so that a name that is taken is found before a guest
 * is stopped for long, and named after it. Closed without {@link #commit()}, nothing is left of them. Not thread-safe.
 */
public final class CompanionFiles implements AutoCloseable {

    private final Path core;
    private final OutputFile.IfExists ifExists;
    private final List<CompanionFile> companions = new ArrayList<>();
    private final List<OutputFile> files = new ArrayList<>();

    /**
     * The companions of a core that is not yet laid out.
     *
     * @param core name of the core
     * @param ifExists what to do about files that have their names
     */
    public CompanionFiles(Path core, OutputFile.IfExists ifExists) {
        this.core = core;
        this.ifExists = ifExists;
    }

    /**
     * Begins files.
     *
     * @param wanted those of the core, as its plan says
     * @throws OutputException if one of them exists, and must not
     */
    public void begin(List<CompanionFile> wanted) {
        for (CompanionFile companion : wanted) {
            Path target = core.resolveSibling(core.getFileName() + companion.suffix());
            files.add(OutputFile.create(target, ifExists));
            companions.add(companion);
        }
    }

    /** Writes them; call it after the core was written, and before the guest is closed. */
    public void write() {
        for (int i = 0; i < files.size(); i++) {
            companions.get(i).content().accept(files.get(i).sink());
        }
    }

    /** The files, for those who digest what was written. */
    public List<OutputFile> files() {
        return List.copyOf(files);
    }

    /**
     * Gives them their names, then the core its own, then those files that tell about the core. Nothing gets a name before
     * all is on the disk. The core comes after its companions, because it would be read differently without them, and
     * before what tells about it.
     *
     * @param about files about the core, such as its manifest
     * @throws OutputException if the disk fails or a name was taken meanwhile; nothing new is left then, but that a core
     *     that has its name stays
     */
    public void commit(OutputFile output, List<OutputFile> about) {
        files.forEach(OutputFile::finish);
        output.finish();
        about.forEach(OutputFile::finish);
        List<OutputFile> named = new ArrayList<>();
        try {
            for (OutputFile file : files) {
                file.giveName();
                named.add(file);
            }
            output.giveName();
        } catch (OutputException e) {
            if (ifExists == OutputFile.IfExists.FAIL) {
                named.forEach(OutputFile::revoke);
            }
            throw e;
        }
        try {
            about.forEach(OutputFile::giveName);
        } finally {
            output.flushFolder();
            about.forEach(OutputFile::flushFolder);
        }
    }

    @Override
    public void close() {
        files.forEach(OutputFile::close);
    }
}
