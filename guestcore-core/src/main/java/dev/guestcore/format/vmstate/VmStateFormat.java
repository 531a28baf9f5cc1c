package dev.guestcore.format.vmstate;

import dev.guestcore.Finding;
import dev.guestcore.Guest;
import dev.guestcore.GuestBuilder;
import dev.guestcore.Progress;
import dev.guestcore.error.GuestcoreException;
import dev.guestcore.error.UnsupportedRequestException;
import dev.guestcore.file.FileBytes;
import dev.guestcore.file.FileSet;
import dev.guestcore.format.Check;
import dev.guestcore.format.CoreWriter;
import dev.guestcore.format.OneFileFormat;
import dev.guestcore.format.Opening;
import dev.guestcore.format.Probe;
import dev.guestcore.internal.check.CheckList;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** QEMU migration streams at rest, and libvirt's save images (docs/formats/vmstate.md). Read only. */
public final class VmStateFormat implements OneFileFormat {

    private static final String NAME = "vmstate";

    /** Creates the format; for {@link java.util.ServiceLoader}. */
    public VmStateFormat() {}

    @Override
    public String name() {
        return NAME;
    }

    @Override
    public String title() {
        return "QEMU migration stream, libvirt save image";
    }

    @Override
    public Probe probe(FileBytes file) {
        if (SaveImage.isLibvirt(file)) {
            return Probe.exact("begins with the magic of a libvirt save image");
        }
        return SavedStream.probe(file);
    }

    @Override
    public Guest open(FileBytes file) {
        SavedStream stream = SavedStream.read(file);
        try {
            GuestBuilder guest = Guest.builder()
                    .architecture(stream.architecture())
                    .provenance(stream.provenance(NAME))
                    .findings(file.findings())
                    .findings(stream.findings())
                    .laterFindings(file::readFailures)
                    .onClose(() -> {
                        stream.close();
                        file.close();
                    });
            stream.addTo(guest);
            return guest.build();
        } catch (RuntimeException | Error e) {
            stream.close();
            throw e;
        }
    }

    /** Reads the stream once for opening and rules together: a compressed one takes as long as its memory. */
    @Override
    public List<Check> verify(FileSet files, boolean deep, Progress progress) {
        try {
            return checks(files.first(), deep, progress);
        } catch (GuestcoreException e) {
            return List.of(Opening.failed(NAME, e));
        }
    }

    @Override
    public List<Check> rules(FileBytes file, boolean deep, Progress progress) {
        List<Check> checks = verify(file, deep, progress);
        return checks.subList(1, checks.size());
    }

    private static List<Check> checks(FileBytes file, boolean deep, Progress progress) {
        SavedStream stream = SavedStream.read(file);
        try {
            List<Finding> findings = new ArrayList<>(file.findings());
            findings.addAll(stream.findings());
            CheckList checks = new CheckList("docs/formats/vmstate.md");
            checks.add(Opening.check(NAME, findings));
            checks.pass("vmstate-01", "memory can be found in the stream", stream.summary());
            checks.check(stream.ramComplete(), "vmstate-02", "the stream holds all of the memory", 0, "so",
                    stream.ramComplete() ? "so" : stream.firstDamage(), "QEMU refuses a stream that is cut short");
            checks.check(stream.state().isWhole(), "vmstate-03", "the devices' data fit their description", 0, "so",
                    stream.state().isWhole() ? "so" : stream.firstDamage(), "");
            checks.check(!stream.state().vcpus().isEmpty(), "vmstate-04", "there are vCPUs", 0, "at least one",
                    Integer.toString(stream.state().vcpus().size()), "");
            checks.usual(stream.missingPages() == 0, "vmstate-05", "every page was sent", 0, "0 missing",
                    stream.missingPages() + " missing", "QEMU leaves them zero");
            String unplaced = stream.layout().unplaced();
            checks.check(unplaced.isEmpty(), "vmstate-07", "all memory of the stream has a guest-physical address", 0,
                    "all of it", unplaced.isEmpty() ? "all of it" : "no address for " + unplaced, "");
            if (deep) {
                GuestBuilder guest = Guest.builder();
                stream.addTo(guest);
                checks.readAll("vmstate-06", guest.build().memory(), progress);
            } else {
                checks.skip("vmstate-06", "all memory can be read", "needs a deep check");
            }
            return checks.list();
        } finally {
            stream.close();
        }
    }

    @Override
    public CoreWriter writer(Map<String, String> options) {
        throw new UnsupportedRequestException("vmstate is read only: only QEMU can write the state of its devices");
    }
}
