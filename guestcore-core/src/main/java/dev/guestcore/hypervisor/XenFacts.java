package dev.guestcore.hypervisor;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;

/**
 * What a Xen dump-core says beside memory and registers.
 *
 * @param paravirtualized whether the guest is PV: its page tables hold machine frames
 * @param guestWidth bytes of a word of a PV guest, 4 or 8
 * @param version what the hypervisor said about itself
 * @param sharedInfo the shared_info page, if the dump has one; do not modify
 * @param frames which frame each stored page is, in file order, if the source tells
 */
public record XenFacts(
        boolean paravirtualized,
        int guestWidth,
        Version version,
        Optional<byte[]> sharedInfo,
        Optional<FrameTable> frames)
        implements HypervisorFacts {

    /** Checks for null. */
    public XenFacts {
        Objects.requireNonNull(version);
        Objects.requireNonNull(sharedInfo);
        Objects.requireNonNull(frames);
    }

    /**
     * The strings of the XEN_VERSION note.
     *
     * @param major major version
     * @param minor minor version
     * @param extra rest of the version (".7")
     * @param compiler compiler of the hypervisor
     * @param compiledBy user who compiled it
     * @param compileDomain host on which it was compiled
     * @param compileDate when it was compiled
     * @param capabilities guests that it can run, separated by blanks
     * @param changeset its change set
     * @param virtualStart start of the hypervisor's virtual memory, as the dumping domain saw it
     * @param pageSize page size in bytes
     */
    public record Version(
            long major,
            long minor,
            String extra,
            String compiler,
            String compiledBy,
            String compileDomain,
            String compileDate,
            String capabilities,
            String changeset,
            long virtualStart,
            long pageSize) {

        /** The version for people: "4.17.7". */
        public String text() {
            return major + "." + minor + extra;
        }
    }

    @Override
    public Map<String, String> describe() {
        Map<String, String> facts = new LinkedHashMap<>();
        facts.put("Xen version", version.text());
        facts.put("capabilities", version.capabilities().strip());
        facts.put("compiled", (version.compiler() + " " + version.compileDate()).strip());
        facts.put("shared info", sharedInfo.isPresent() ? "present" : "absent");
        return facts;
    }
}
