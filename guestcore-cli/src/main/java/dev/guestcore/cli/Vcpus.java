package dev.guestcore.cli;

import dev.guestcore.Vcpu;
import dev.guestcore.error.UnsupportedRequestException;
import java.util.List;

/** Chooses vCPUs by the number that the user typed. */
final class Vcpus {

    private Vcpus() {}

    /**
     * The vCPU of that number.
     *
     * @throws UnsupportedRequestException if {@code source} has none of that number
     */
    static Vcpu numbered(int number, List<Vcpu> vcpus, String source) {
        return vcpus.stream()
                .filter(vcpu -> vcpu.index() == number)
                .findFirst()
                .orElseThrow(() -> new UnsupportedRequestException(source + ": there is no vCPU " + number + "; there "
                        + switch (vcpus.size()) {
                            case 0 -> "is none at all";
                            case 1 -> "is 1, number " + vcpus.getFirst().index();
                            default -> "are " + vcpus.size() + ", " + numbers(vcpus);
                        }));
    }

    private static String numbers(List<Vcpu> vcpus) {
        return vcpus.getLast().index() == vcpus.size() - 1
                ? "counted from 0"
                : "from number " + vcpus.getFirst().index() + " to " + vcpus.getLast().index() + " with gaps";
    }
}
