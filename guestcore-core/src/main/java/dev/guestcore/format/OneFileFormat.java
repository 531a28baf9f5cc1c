package dev.guestcore.format;

import dev.guestcore.Guest;
import dev.guestcore.Progress;
import dev.guestcore.file.FileBytes;
import dev.guestcore.file.FileSet;
import java.util.List;

/** A format whose dumps are one file each, as most are. */
public interface OneFileFormat extends CoreFormat {

    @Override
    Probe probe(FileBytes file);

    @Override
    Guest open(FileBytes file);

    @Override
    List<Check> rules(FileBytes file, boolean deep, Progress progress);

    @Override
    default Probe probe(FileSet files) {
        return files.isOneFile() ? probe(files.first()) : Probe.no("a dump of this format is one file");
    }

    @Override
    default Guest open(FileSet files) {
        return open(files.first());
    }

    @Override
    default List<Check> rules(FileSet files, boolean deep, Progress progress) {
        return rules(files.first(), deep, progress);
    }
}
