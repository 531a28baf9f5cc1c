package dev.guestcore.internal.output;

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

    private final List<CompanionFile> companions;
    private final List<OutputFile> files = new ArrayList<>();

    private CompanionFiles(List<CompanionFile> companions) {
        this.companions = companions;
    }

    /**
     * Begins the files that {@code plan} asks for.
     *
     * @param core name of the core
     * @throws dev.guestcore.OutputException if one of them exists, and must not
     */
    public static CompanionFiles create(WritePlan plan, Path core, OutputFile.IfExists ifExists) {
        CompanionFiles all = new CompanionFiles(plan.companions());
        try {
            for (CompanionFile companion : all.companions) {
                Path target = core.resolveSibling(core.getFileName() + companion.suffix());
                all.files.add(OutputFile.create(target, ifExists));
            }
            return all;
        } catch (RuntimeException | Error e) {
            all.close();
            throw e;
        }
    }

    /** Writes them; call it after the core was written. */
    public void write() {
        for (int i = 0; i < files.size(); i++) {
            companions.get(i).content().accept(files.get(i).sink());
        }
    }

    /** Gives them their names. */
    public void commit() {
        files.forEach(OutputFile::commit);
    }

    @Override
    public void close() {
        files.forEach(OutputFile::close);
    }
}
