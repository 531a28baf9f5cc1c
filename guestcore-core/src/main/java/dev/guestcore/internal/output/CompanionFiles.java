package dev.guestcore.internal.output;

import dev.guestcore.OutputException;
import dev.guestcore.format.CompanionFile;
import dev.guestcore.format.WritePlan;
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
     * Begins the files that {@code plan} asks for.
     *
     * @throws OutputException if one of them exists, and must not
     */
    public void begin(WritePlan plan) {
        for (CompanionFile companion : plan.companions()) {
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

    /**
     * Gives them their names, and then the core its own. Nothing gets a name before all is on the disk; the core comes last,
     * because it would be read differently without its companions.
     *
     * @throws OutputException if the disk fails or a name was taken meanwhile; nothing new is left then
     */
    public void commit(OutputFile output) {
        files.forEach(OutputFile::finish);
        output.finish();
        List<OutputFile> named = new ArrayList<>();
        try {
            for (OutputFile file : files) {
                file.commit();
                named.add(file);
            }
            output.commit();
        } catch (OutputException e) {
            if (ifExists == OutputFile.IfExists.FAIL) {
                named.forEach(OutputFile::revoke);
            }
            throw e;
        }
    }

    /** The files, for those who digest what was written. */
    public List<OutputFile> files() {
        return List.copyOf(files);
    }

    @Override
    public void close() {
        files.forEach(OutputFile::close);
    }
}
