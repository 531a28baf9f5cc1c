package dev.guestcore.source.qemu;

import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.error.SourceException;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/** QEMU blames the kernel where a setting is the cause. */
class UserfaultfdTest {

    private static final SourceException REFUSAL = new SourceException("QMP command migrate-set-capabilities failed:"
            + " GenericError: Background-snapshot is not supported by host kernel");
    private static final Optional<Descriptors.Peer> LIBVIRTS_QEMU = Optional.of(new Descriptors.Peer(4711, 64055));

    @Test
    void theSettingIsNamed() {
        String message = Userfaultfd.explain(REFUSAL, LIBVIRTS_QEMU, "0", true).getMessage();
        assertTrue(message.startsWith("QEMU may not use userfaultfd"), message);
        assertTrue(message.contains("`sysctl -w vm.unprivileged_userfaultfd=1`"), message);
        assertTrue(message.contains("/dev/userfaultfd"), message);
        assertFalse(Userfaultfd.explain(REFUSAL, LIBVIRTS_QEMU, "0", false).getMessage().contains("/dev/"));
    }

    @Test
    void elsewhereItIsTheKernel() {
        for (String setting : new String[] {"1", ""}) {
            String message = Userfaultfd.explain(REFUSAL, LIBVIRTS_QEMU, setting, true).getMessage();
            assertTrue(message.contains("Linux 5.7"), message);
            assertFalse(message.contains("sysctl"), message);
        }
        Optional<Descriptors.Peer> root = Optional.of(new Descriptors.Peer(1, 0));
        assertFalse(Userfaultfd.explain(REFUSAL, root, "0", true).getMessage().contains("sysctl"));
    }

    @Test
    void otherRefusalsStayAsTheyAre() {
        SourceException other = new SourceException("State blocked by non-migratable device 'nvme'");
        assertSame(other, Userfaultfd.explain(other, LIBVIRTS_QEMU, "0", true));
    }
}
