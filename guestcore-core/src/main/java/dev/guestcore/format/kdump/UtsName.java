package dev.guestcore.format.kdump;

import dev.guestcore.hypervisor.KernelFacts;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The six strings of struct new_utsname, as far as the guest says them: readers of kdumps refuse a file in which release and
 * machine are empty. Not known strings stay empty.
 */
final class UtsName {

    /** "Linux version 6.1.0 (builder@host) (compiler) #1 SMP … date": the version is what follows the number sign. */
    private static final Pattern BANNER = Pattern.compile("Linux version (\\S+) .*?(#\\d.*)");

    private final List<String> strings;

    /**
     * Puts the strings together.
     *
     * @param vmcoreInfo text of VMCOREINFO, or empty
     * @param banner the kernel's banner, or empty
     * @param machine name of the processor family ("x86_64")
     */
    UtsName(byte[] vmcoreInfo, String banner, String machine) {
        Matcher matcher = BANNER.matcher(banner.strip());
        boolean found = matcher.find();
        String release = new KernelFacts(vmcoreInfo).value("OSRELEASE").orElse(found ? matcher.group(1) : "");
        String version = found ? matcher.group(2) : "";
        boolean linux = !release.isEmpty();
        strings = List.of(linux ? "Linux" : "", "", release, version, machine, linux ? "(none)" : "");
    }

    /** System, node, release, version, machine, domain. */
    List<String> strings() {
        return strings;
    }
}
