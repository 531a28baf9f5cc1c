package dev.guestcore.source.qemu;

import dev.guestcore.Finding;
import dev.guestcore.MemoryRegion;
import dev.guestcore.error.SourceException;
import dev.guestcore.internal.text.Amounts;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.MissingNode;

/**
 * Where the guest's memory lies: the monitor's flat view, less what the view calls RAM and the guest does not have. The whole
 * range of a virtio-mem device is in the view, plugged or not; what is unplugged must not be used, and is no RAM.
 *
 * @param text what QEMU said; the same text means the same layout
 * @param mappings the regions, ascending, and what they show
 * @param findings what the user should know
 * @param hasVirtioMem whether there is such a device, so that the text alone does not tell all
 */
record RamLayout(String text, List<FlatView.Mapping> mappings, List<Finding> findings, boolean hasVirtioMem) {

    private static final int LONGEST_NAME = 100;

    /** Asks QEMU. */
    static RamLayout ask(QmpClient qmp) throws IOException {
        return of(qmp.monitor("info mtree -f", QemuSource.COMMAND), devices(qmp));
    }

    /** Asks QEMU again; of virtio-mem only if there was some. */
    RamLayout askAgain(QmpClient qmp) throws IOException {
        String view = qmp.monitor("info mtree -f", QemuSource.COMMAND);
        if (!hasVirtioMem && view.equals(text)) {
            return this;
        }
        RamLayout now = of(view, devices(qmp));
        return now.text.equals(text) ? this : now;
    }

    private static JsonNode devices(QmpClient qmp) throws IOException {
        try {
            return qmp.execute("query-memory-devices", Map.of(), QemuSource.COMMAND);
        } catch (SourceException e) {
            // A QEMU that was built without memory devices.
            return MissingNode.getInstance();
        }
    }

    /** The regions alone. */
    List<MemoryRegion> regions() {
        return mappings.stream().map(FlatView.Mapping::region).toList();
    }

    /**
     * The layout of a flat view and the reply to {@code query-memory-devices}.
     *
     * @throws SourceException if there is no view in the text
     */
    static RamLayout of(String view, JsonNode devices) {
        StringBuilder text = new StringBuilder(view);
        List<FlatView.Mapping> mappings = new ArrayList<>(FlatView.mappings(view));
        List<Finding> findings = new ArrayList<>();
        boolean any = false;
        for (JsonNode device : devices) {
            JsonNode data = device.path("data");
            if (device.path("type").asString("").equals("virtio-mem")) {
                any = true;
                long address = data.path("memaddr").asLong(0);
                long plugged = data.path("size").asLong(0);
                long most = data.path("max-size").asLong(0);
                text.append("virtio-mem ").append(address).append(' ').append(plugged).append('\n');
                mappings.replaceAll(mapping -> without(mapping, address, plugged));
                if (plugged > 0 && plugged < most) {
                    findings.add(Finding.note("of " + Amounts.human(most) + " of virtio-mem device "
                            + QmpClient.printable(data.path("id").asString("without a name"), LONGEST_NAME) + " at 0x"
                            + Long.toHexString(address) + " the guest has " + Amounts.human(plugged)
                            + "; QEMU does not tell which, and what it does not have reads as zeros"));
                }
            }
        }
        return new RamLayout(text.toString(), List.copyOf(mappings), List.copyOf(findings), any);
    }

    private static FlatView.Mapping without(FlatView.Mapping mapping, long address, long plugged) {
        MemoryRegion region = mapping.region();
        if (plugged > 0 || region.range().first() != address || !region.hasContent()) {
            return mapping;
        }
        return new FlatView.Mapping(
                new MemoryRegion(
                        region.range(), MemoryRegion.Kind.DEVICE, region.name() + " (virtio-mem, unplugged)"),
                mapping.offset());
    }
}
